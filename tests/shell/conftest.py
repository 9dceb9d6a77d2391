"""Pages with sample rows, over the real shell and its middleware; no database is touched unless a test asks for one."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

RUN_ID = "0198c0de-0000-7000-8000-000000000000"
PAGES = {
    "home": "/",
    "home of a newcomer": "/new/",
    "home with messages": "/talking/",
    "try": "/try/",
    "try with an answer": "/answered/",
    "skills": "/skills/?q=parse",
    "no skills": "/no-skills/",
    "skill": "/skills/parse_task/",
    "runs": "/runs/?status=failed",
    "no runs": "/no-runs/",
    "run": f"/runs/{RUN_ID}/",
    "log-in": "/login/",
}
ERRORS = {"/nowhere/": 404, "/forbidden/": 403, "/broken/": 500}


@pytest.fixture
def get(settings: Any) -> Callable[..., HttpResponse]:
    """GET (or POST) a page of tests/shell/pages.py."""
    settings.ROOT_URLCONF = "tests.shell.pages"
    settings.MENU_COUNTS = {}
    client = Client(raise_request_exception=False)

    def fetch(path: str, **options: Any) -> HttpResponse:
        return client.get(path, **options)

    return fetch


class Html(HTMLParser):
    """A page as a list of (tag, attributes), and the problems that a reader without a mouse would meet."""

    VOID = {"meta", "link", "input", "img", "br", "use", "path", "hr"}

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.unbalanced: list[str] = []
        self.feed(text)
        self.unbalanced += self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1] == tag:
            self._open.pop()
        else:
            self.unbalanced.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "script":
            self.scripts.append(data)
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def read(response: HttpResponse) -> Html:
    return Html(response.content.decode())
