"""A real chromium against the live server. REQUIRE_BROWSER=1 makes a missing browser a failure instead of a skip."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from donna_skills import env
from donna_skills.accounts import people
from donna_skills.accounts.actors import Actor
from tests.browser.chromium import ARGUMENTS, DESK, PHONE, executable

__all__ = ["DESK", "PHONE", "log_in", "overflow"]

HOW_TO_GET_ONE = (
    "No chromium was found. On Debian and Ubuntu: apt-get install chromium; elsewhere set CHROMIUM to its path."
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser/" in str(item.path):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = executable()
    if path is None:
        (pytest.fail if env.flag("REQUIRE_BROWSER") else pytest.skip)(HOW_TO_GET_ONE)
    # Playwright keeps an event loop in this thread, which Django would take for asynchronous code of ours.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def visit(chromium: Browser, live_server: Any) -> Iterator[Any]:
    """visit(path, **options) opens a page as a fresh visitor; at the end no console may hold an error."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def listen(page: Page) -> None:
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)

    def open_page(path: str = "/", **options: Any) -> Page:
        context = chromium.new_context(base_url=live_server.url, **{"viewport": DESK, **options})
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        listen(page)
        page.goto(path)
        return page

    open_page.complaints = complaints  # type: ignore[attr-defined]
    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def demo_people(transactional_db: None) -> str:
    """One person per role, named like it; the password of each."""
    people.create_demo_users(password="a browser's password", by=Actor.system("tests"))
    return "a browser's password"


def log_in(page: Page, name: str, password: str) -> None:
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(lambda url: "/login/" not in url)


def overflow(page: Page) -> int:
    """How many pixels the page is wider than the window: nobody should have to scroll sideways."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))
