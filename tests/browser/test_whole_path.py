"""What a newcomer does: log in, try a skill, look at its run; with mouse or keyboard, on a phone, without script."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from lifecycle.models import SkillRun
from lifecycle.services import seeds
from tests.browser.conftest import PHONE, log_in, overflow

SENTENCE = "call the mechanic monday about the brakes, urgent"


@pytest.fixture
def world(demo_people: str) -> str:
    seeds.load()
    return demo_people


def _try_it(page: Page) -> None:
    page.get_by_role("link", name="Try a skill").first.click()
    page.get_by_label("What should be done").select_option("parse_task")
    expect(page.get_by_role("heading", name="parse_task")).to_be_visible()
    page.get_by_label("Text", exact=True).fill(SENTENCE)
    page.get_by_role("button", name="Run parse_task").click()


def test_a_newcomer_logs_in_tries_a_skill_and_looks_at_its_run(visit: Any, world: str) -> None:
    page = visit("/")
    log_in(page, "operator", world)
    expect(page.get_by_role("heading", name="Where to start")).to_be_visible()
    _try_it(page)

    answer = page.locator("#try-result")
    expect(answer.get_by_role("heading", name="Answer")).to_be_focused()
    expect(answer.get_by_label("Output", exact=True)).to_contain_text("mechanic")
    answer.get_by_text("The same with curl").click()
    expect(answer.get_by_label("The same call with curl")).to_contain_text("/api/v1/runs")

    answer.get_by_role("link", name="Look at this run").click()
    expect(page).to_have_url(re.compile(r"/runs/[0-9a-f-]{36}/$"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("parse_task")
    expect(page.get_by_label("Input", exact=True)).to_contain_text(SENTENCE)


def test_everything_on_the_way_works_without_script(visit: Any, world: str) -> None:
    page = visit("/", java_script_enabled=False)
    log_in(page, "operator", world)
    page.get_by_role("link", name="Try a skill").first.click()
    page.get_by_label("What should be done").select_option("parse_task")
    page.get_by_role("button", name="Choose this one").click()
    page.get_by_label("Text", exact=True).fill(SENTENCE)
    page.get_by_role("button", name="Run parse_task").click()

    expect(page.locator("#try-result").get_by_label("Output", exact=True)).to_contain_text("mechanic")
    page.get_by_role("button", name="Theme: System. Change to Light").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    page.locator("details.person > summary").click()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_a_viewer_is_told_why_nothing_runs(visit: Any, world: str) -> None:
    page = visit("/")
    log_in(page, "viewer", world)
    _try_it(page)

    expect(page.get_by_role("alert")).to_contain_text("Viewers cannot run skills")
    assert SkillRun.objects.count() == 0
    # The browser logs every answer of 400 and above; this 422 is meant.
    assert all("422" in complaint for complaint in visit.complaints)
    visit.complaints.clear()


def test_the_keyboard_alone_is_enough(visit: Any, world: str) -> None:
    page = visit("/")
    page.keyboard.type("operator")
    page.keyboard.press("Tab")
    page.keyboard.type(world)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Where to start")).to_be_visible()

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()

    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Search skills")
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.get_by_label("Search skills")).to_be_focused()
    page.keyboard.type("t? parse")
    expect(page.get_by_label("Search skills")).to_have_value("t? parse")
    page.get_by_label("Search skills").fill("parse")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/skills/\?q=parse$"))

    page.keyboard.press("t")
    expect(page.get_by_role("heading", name="Try a skill")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_scrolls_sideways_on_a_phone(visit: Any, world: str, theme: str) -> None:
    page = visit("/", viewport=PHONE, color_scheme=theme)
    assert overflow(page) == 0
    log_in(page, "operator", world)
    _try_it(page)
    expect(page.locator("#try-result").get_by_label("Output", exact=True)).to_be_visible()
    run = SkillRun.objects.latest("created_at")

    for path in ("/", "/try/", "/skills/", "/skills/parse_task/", "/runs/", f"/runs/{run.pk}/"):
        page.goto(path)
        assert overflow(page) == 0, path


def test_the_menu_folds_behind_a_button_on_a_phone(visit: Any, world: str) -> None:
    page = visit("/", viewport=PHONE)
    log_in(page, "operator", world)
    menu = page.get_by_role("navigation", name="Main menu")

    expect(menu).to_be_hidden()
    page.get_by_role("button", name="Menu").click()
    expect(menu).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    page.get_by_role("button", name="Menu").click()
    menu.get_by_role("link", name="Runs").click()
    expect(page.get_by_role("heading", name="Runs", exact=True)).to_be_visible()
