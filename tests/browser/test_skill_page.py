"""The page of a skill in a real browser: its tabs, two versions laid side by side, and a panel that pauses it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from lifecycle.models import Skill
from lifecycle.states import State
from tests import builders
from tests.browser.conftest import DESK, PHONE, log_in, overflow


@pytest.fixture
def skill(demo_people: str) -> Skill:
    made = builders.skill(State.TRUSTED, name="sort_letters")
    builders.divergence(made, 0.9)
    files = builders.step_package("sort_letters", prompt="Sort {{ inputs.text }} with care")
    builders.version(made, files=files, current=False)
    return made


def test_a_tab_is_an_address_and_leads_on_to_two_versions_side_by_side(
    visit: Any, demo_people: str, skill: Skill
) -> None:
    page = visit("/skills/sort_letters/#versions")
    log_in(page, "reviewer", demo_people)
    page.goto("/skills/sort_letters/#versions")
    tabs = page.get_by_role("navigation", name="About this skill")
    expect(page.get_by_role("heading", name="Versions", exact=True)).to_be_visible()
    expect(page.get_by_role("heading", name="How to call it")).to_be_hidden()
    expect(tabs.get_by_role("link", name="Versions")).to_have_attribute("aria-current", "true")

    tabs.get_by_role("link", name="Runs").click()
    expect(page.get_by_role("heading", name="Runs", exact=True)).to_be_visible()
    expect(page.get_by_role("heading", name="Versions", exact=True)).to_be_hidden()
    expect(tabs.get_by_role("link", name="Runs")).to_have_attribute("aria-current", "true")
    page.go_back()
    page.get_by_role("button", name="Compare the two").click()

    expect(page).to_have_url(re.compile(r"/diff/\?from=1&to=2$"))
    expect(page.get_by_text("Version 2 against version 1.")).to_be_visible()
    page.get_by_role("link", name="Show it side by side").click()
    expect(page.get_by_role("link", name="Show it in one column")).to_be_visible()


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_pausing_takes_a_panel_and_a_button_with_and_without_script(
    visit: Any, demo_people: str, skill: Skill, viewport: Any
) -> None:
    page = visit("/login/", viewport=viewport, java_script_enabled=viewport is DESK)
    log_in(page, "operator", demo_people)
    page.goto("/skills/sort_letters/")
    expect(page.get_by_role("heading", name="How to call it")).to_be_visible()
    expect(page.get_by_role("heading", name="Versions", exact=True)).to_be_hidden()

    page.locator("details.act > summary").click()
    page.get_by_label("Why").fill("It rests.")
    page.get_by_role("button", name="Pause sort_letters").click()
    expect(page.get_by_role("button", name="Resume sort_letters")).to_be_visible()
    expect(page.get_by_text("Next: somebody resumes it")).to_be_visible()
    if viewport is DESK:
        assert overflow(page) == 0
