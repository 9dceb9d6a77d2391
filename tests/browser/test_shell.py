"""The shell in a real browser: themes without a flash, ids that copy, conflicts that show, an admin without errors."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib import admin
from django.urls import reverse
from playwright.sync_api import Page, expect

from donna_skills.accounts.models import User
from tests.browser.conftest import PHONE, log_in, overflow
from tests.shell.conftest import PAGES, RUN_ID

DARK, LIGHT = "rgb(24, 25, 32)", "rgb(255, 255, 255)"


@pytest.fixture
def sample_pages(settings: Any, db: None) -> None:
    settings.ROOT_URLCONF = "tests.shell.pages"
    settings.MENU_COUNTS = {}


def _expect_ground(page: Page, colour: str) -> None:
    expect(page.locator("body")).to_have_css("background-color", colour)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [{"width": 1280, "height": 900}, PHONE], ids=["desk", "phone"])
def test_every_page_fits_and_raises_no_error(visit: Any, sample_pages: None, theme: str, viewport: Any) -> None:
    page = visit("/", color_scheme=theme, viewport=viewport)
    for name, path in PAGES.items():
        page.goto(path)
        assert overflow(page) == 0, name
        _expect_ground(page, DARK if theme == "dark" else LIGHT)


def test_the_theme_button_changes_at_once_and_the_next_page_comes_in_it(visit: Any, sample_pages: None) -> None:
    page = visit("/", color_scheme="light")
    page.get_by_role("button", name="Change to Light").click()
    page.get_by_role("button", name="Change to Dark").click()
    _expect_ground(page, DARK)
    assert page.url.endswith("/")

    document = page.goto("/runs/").text()  # type: ignore[union-attr]
    assert 'data-theme="dark"' in document
    page.get_by_role("button", name="Change to System").click()
    _expect_ground(page, LIGHT)


def test_the_admin_shares_the_theme_both_ways(visit: Any, demo_people: str) -> None:
    page = visit("/login/", color_scheme="light")
    page.evaluate("document.cookie = 'theme=dark; path=/'")
    log_in(page, "admin", demo_people)
    page.goto("/admin/")
    expect(page.locator("html")).to_have_class(re.compile("dark"))

    page.evaluate("localStorage.setItem('adminTheme', '\"light\"')")
    page.goto("/login/")
    page.wait_for_function("document.cookie.includes('theme=light')")


def test_every_admin_list_runs_under_its_policy_and_fits(visit: Any, demo_people: str) -> None:
    """The `visit` fixture fails the test if the console holds a violation."""
    User.objects.filter(username="admin").update(is_superuser=True)
    page = visit("/admin/", color_scheme="dark", viewport=PHONE)
    log_in(page, "admin", demo_people)
    for model in admin.site._registry:
        path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        page.goto(path)
        expect(page.locator("#content")).to_be_visible()
        assert overflow(page) == 0, path


def test_a_click_on_a_short_id_copies_the_full_one(visit: Any, sample_pages: None) -> None:
    page = visit(f"/runs/{RUN_ID}/", permissions=["clipboard-read", "clipboard-write"])
    button = page.locator("[data-copy]").first
    full = button.get_attribute("data-copy")
    button.click()

    expect(button).to_have_text("copied")
    assert page.evaluate("navigator.clipboard.readText()") == full


@pytest.mark.parametrize("status", [409, 422])
def test_htmx_shows_a_conflict_in_its_true_state(visit: Any, sample_pages: None, status: int) -> None:
    page = visit("/try/")
    page.evaluate(f"htmx.ajax('GET', '/conflict/?status={status}', {{target: '#try', swap: 'outerHTML'}})")

    expect(page.locator("#try")).to_have_text("in its true state")
    visit.complaints.clear()  # the browser logs every answer of 400 and above


def test_htmx_says_aloud_that_the_server_failed_and_leaves_the_page(visit: Any, sample_pages: None) -> None:
    page = visit("/try/")
    page.evaluate("htmx.ajax('GET', '/conflict/?status=500', {target: '#try', swap: 'outerHTML'})")

    expect(page.get_by_role("status").first).to_contain_text("The server answered with an error (500)")
    expect(page.get_by_role("button", name="Run parse_task")).to_be_visible()
    visit.complaints.clear()


def test_nothing_moves_for_those_who_asked_for_it(visit: Any, sample_pages: None) -> None:
    page = visit("/", reduced_motion="reduce")

    assert page.evaluate("getComputedStyle(document.querySelector('.button')).transitionDuration") == "0s"


def test_a_page_prints_without_its_shell(visit: Any, sample_pages: None) -> None:
    page = visit(f"/runs/{RUN_ID}/", color_scheme="dark")
    page.emulate_media(media="print")

    expect(page.get_by_role("navigation", name="Main menu")).to_be_hidden()
    _expect_ground(page, LIGHT)
