"""The description of the routes, and the page that shows it under our Content-Security-Policy."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.staticfiles import finders
from django.test import Client

from donna_skills.rest.problems import CONTENT_TYPE


@pytest.fixture
def schema(db: None) -> Any:
    return Client().get("/api/v1/openapi.json").json()


def test_every_operation_says_how_it_fails(schema: Any) -> None:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            problems = {status for status, answer in operation["responses"].items() if CONTENT_TYPE in str(answer)}
            assert "default" in problems, (path, method)
            if operation.get("security"):
                assert {"401", "403", "429"} <= problems, (path, method)
            if method == "patch":
                assert {"412", "428"} <= problems, (path, method)
    assert schema["components"]["schemas"]["Problem"]["required"] == [
        "type",
        "title",
        "status",
        "code",
        "detail",
        "errors",
    ]
    assert "ProblemError" in schema["components"]["schemas"]


def test_health_needs_no_token_and_the_others_a_bearer_token(schema: Any) -> None:
    assert "security" not in schema["paths"]["/api/v1/health"]["get"]
    whoami = schema["paths"]["/api/v1/whoami"]["get"]
    assert whoami["security"] == [{"BearerToken": ["runs:read"]}] and "`runs:read`" in whoami["description"]
    assert schema["components"]["securitySchemes"]["BearerToken"]["scheme"] == "bearer"


def test_an_idempotent_route_describes_its_header(schema: Any) -> None:
    (header,) = schema["paths"]["/api/v1/things"]["post"]["parameters"]
    assert (header["name"], header["in"], header["required"]) == ("Idempotency-Key", "header", False)


def test_the_description_is_made_once_and_the_same_each_time(schema: Any) -> None:
    assert Client().get("/api/v1/openapi.json").json() == schema


class Found(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.files: list[str] = []
        self.inline = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if source := given.get("src") or (tag == "link" and given.get("href")):
            self.files.append(str(source))
        is_code = tag == "script" and "src" not in given and given.get("type") != "application/json"
        self.inline += is_code or tag == "style" or "style" in given or any(name.startswith("on") for name in given)


def test_the_docs_page_has_only_our_own_files_and_nothing_inline(db: None, settings: LazySettings) -> None:
    settings.ROOT_URLCONF = "tests.rest.urls"
    answer = Client().get("/api/v1/docs")
    assert (
        "script-src 'self'" in answer["Content-Security-Policy"] and "unsafe" not in answer["Content-Security-Policy"]
    )
    found = Found()
    found.feed(answer.content.decode())
    assert found.files and not found.inline
    for file in found.files:
        assert file.startswith("/static/") and finders.find(file.removeprefix("/static/")), file
