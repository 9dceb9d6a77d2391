"""A reviewer's whole path: from the queue to the last review, with the mouse, the keyboard alone, without script, and
on a phone in the dark."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from lifecycle.models import Review, RiskTier
from lifecycle.states import State
from tests import builders
from tests.browser.conftest import PHONE, log_in, overflow
from tests.lifecycle.views import reviewing


@pytest.fixture
def draft(demo_people: str) -> Review:
    """A new version of a skill that serves; its text holds what a page must not obey."""
    skill = builders.skill(State.TRUSTED, name="label_text")
    prompt = "Label this <script>alert(1)</script> well: {{ inputs.text }} " + "and so on, " * 1_300
    review = reviewing.draft(skill, files=builders.step_package("label_text", prompt=prompt))
    reviewing.said(review, "PASS")
    return review


@pytest.fixture
def promotion(demo_people: str) -> Review:
    return reviewing.promotion("sort_mail", risk=RiskTier.LOW)


def _opened(page: Page, words: str) -> None:
    """The page is there, its scripts listen to keys, and the claim that belongs to opening it is made."""
    expect(page.get_by_role("heading", level=1)).to_contain_text(words)
    page.wait_for_load_state()
    expect(page.get_by_text("Others see for")).to_be_visible()


def test_with_the_mouse_from_the_queue_to_the_last_one(
    visit: Any, demo_people: str, draft: Review, promotion: Review
) -> None:
    page = visit("/review/")
    log_in(page, "reviewer", demo_people)
    page.get_by_role("link", name="label_text v2").click()
    _opened(page, "label_text version 2")
    page.get_by_role("link", name="Show it side by side").click()
    expect(page.get_by_role("link", name="Show it in one column")).to_be_visible()

    page.get_by_text("Reject version 2…").click()
    expect(page.get_by_label("Reason")).to_be_focused()
    page.get_by_role("button", name="Reject version 2", exact=True).click()
    # The browser asks for the reason itself and sends nothing.
    expect(page.get_by_label("Reason")).to_be_focused()
    page.get_by_role("button", name="Approve version 2").click()

    _opened(page, "sort_mail")
    done = page.get_by_role("region", name="What you have just done")
    expect(done).to_contain_text("Version 2 went to the sandbox.")
    page.get_by_role("button", name="Approve the promotion").click()
    expect(page.get_by_role("heading", name="Nothing waits for you")).to_be_visible()
    assert set(Review.objects.values_list("state", flat=True)) == {"approved"}


def test_with_the_keyboard_alone(visit: Any, demo_people: str, draft: Review, promotion: Review) -> None:
    page = visit("/review/")
    log_in(page, "reviewer", demo_people)
    page.keyboard.press("j")
    _opened(page, "label_text")
    page.keyboard.press("j")
    _opened(page, "sort_mail")
    page.keyboard.press("k")
    _opened(page, "label_text")
    page.keyboard.press("d")
    expect(page.get_by_role("link", name="Show it in one column")).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Approve version 2")
    page.keyboard.press("Escape")

    page.keyboard.press("c")
    expect(page.get_by_label("What should change")).to_be_focused()
    page.keyboard.type("Say it shorter.")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Request changes", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    _opened(page, "sort_mail")
    expect(page.get_by_role("region", name="What you have just done")).to_contain_text("Changes were asked for")

    page.keyboard.press("s")
    expect(page.get_by_label("Until")).to_be_focused()
    page.keyboard.press("r")  # a date field is no text field, but keys are its own
    page.keyboard.press("Escape")
    page.get_by_text("Add a comment").focus()
    page.keyboard.press("a")
    expect(page.get_by_role("heading", name="Nothing waits for you")).to_be_visible()


def test_without_script(visit: Any, demo_people: str, draft: Review, promotion: Review) -> None:
    page = visit("/review/", java_script_enabled=False)
    log_in(page, "reviewer", demo_people)
    page.get_by_role("link", name="Review the first").click()
    page.get_by_role("button", name="Say that I am looking").click()
    expect(page.get_by_text("Others see for 15 min that you are looking.")).to_be_visible()
    page.get_by_role("link", name="Show it side by side").click()
    expect(page.get_by_role("link", name="Show it in one column")).to_be_visible()
    page.get_by_text("Reject version 2…").click()
    page.get_by_label("Reason").fill("It says the same thing 1 300 times.")
    page.get_by_role("button", name="Reject version 2", exact=True).click()
    expect(page.get_by_role("region", name="What you have just done")).to_contain_text("never runs")

    page.get_by_role("link", name="Back to the queue").click()
    page.get_by_label("Mark sort_mail").check()
    page.get_by_role("button", name="Preview the approval").click()
    page.get_by_role("button", name="Approve this one").click()
    expect(page.get_by_role("table")).to_contain_text("sort_mail became live, shadowed.")


def test_on_a_phone_in_the_dark_while_a_colleague_is_faster(visit: Any, demo_people: str, draft: Review) -> None:
    page = visit("/review/", viewport=PHONE, color_scheme="dark")
    log_in(page, "reviewer", demo_people)
    assert overflow(page) == 0
    page.get_by_role("link", name="label_text v2").click()
    _opened(page, "label_text version 2")
    assert overflow(page) == 0
    page.goto(page.url + "?diff=side")
    _opened(page, "label_text version 2")
    assert overflow(page) == 0

    other = visit(f"/review/{draft.pk}/", viewport=PHONE)
    log_in(other, "admin", demo_people)
    expect(other.get_by_text("reviewer is looking at it")).to_be_visible()
    other.get_by_text("Reject version 2…").click()
    other.get_by_label("Reason").fill("Too long.")
    other.get_by_role("button", name="Reject version 2", exact=True).click()
    expect(other).to_have_url(re.compile(r"/review/\?after="))

    page.get_by_role("button", name="Approve version 2").click()
    card = page.locator("#decision")
    expect(card.get_by_role("alert")).to_contain_text("It is rejected already by admin.")
    expect(card).to_be_focused()
    expect(card).to_contain_text("Too long.")
    # The browser logs every answer of 400 and above; this 409 is meant.
    assert all("409" in complaint for complaint in visit.complaints)
    visit.complaints.clear()
