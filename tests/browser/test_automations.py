"""Automations in a real browser: from words to a run that is followed to its end, two people at one form, without
script, and on a phone in the dark."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from automations.models import Automation
from automations.services import automations, dispatch
from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import User
from tests.automations import made
from tests.browser.conftest import PHONE, log_in, overflow


@pytest.fixture
def capability(demo_people: str) -> str:
    made.PRICES.clear()
    return made.price_capability()


def test_from_words_to_a_run_that_is_followed_to_its_end(visit: Any, demo_people: str, capability: str) -> None:
    page = visit("/automations/")
    log_in(page, "operator", demo_people)
    page.get_by_role("link", name="Make an automation").first.click()
    page.get_by_label("What do you want to be told").fill("tell me when the price is below $150, check every evening")
    page.get_by_role("button", name="Fill in the form").click()
    expect(page.get_by_text("In which time zone?")).to_be_visible()
    page.wait_for_load_state()
    expect(page.locator("#id_schedule")).to_have_value("0 18 * * *")

    expect(page.get_by_label("Capability")).to_have_value(capability)
    page.get_by_label("Text", exact=True).fill("the green jacket")
    page.locator("#id_name").fill("Green jacket")
    page.locator("#id_timezone").fill("Europe/Prague")
    expect(page.locator("#outlook")).to_contain_text("Every day at 18:00, Prague")
    page.locator("#id_schedule").fill("0 7 * * 1-5")
    expect(page.locator("#outlook")).to_contain_text("Every weekday at 07:00, Prague")

    page.get_by_role("button", name="Add a condition").click()
    second = page.get_by_role("group", name="Condition 2")
    expect(second.get_by_label("Value of the answer")).to_be_focused()
    second.get_by_label("Value of the answer").fill("prise")
    second.get_by_label("Than or with").fill("5")
    page.get_by_role("button", name="Try it on the past").click()
    expect(second).to_contain_text("Outputs never have `prise`")
    page.get_by_role("button", name="Remove condition 2").click()
    expect(second).to_have_count(0)
    page.get_by_role("button", name="Make the automation").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Green jacket")
    expect(page.get_by_text("It alerts when price is below 150.")).to_be_visible()
    page.wait_for_load_state()

    page.get_by_role("button", name="Run now").click()
    expect(page.locator("#run-line")).to_contain_text("The run waits for a worker.")
    dispatch.drain()
    expect(page.locator("#run-line")).to_contain_text("The run is over: succeeded.")
    expect(page.locator("#run-line")).not_to_have_attribute("hx-trigger", re.compile("every"))
    page.get_by_role("link", name="Look at this run").click()
    expect(page.get_by_text("price is below 150")).to_be_visible()


def test_two_people_at_one_form_and_no_script(visit: Any, demo_people: str, capability: str) -> None:
    owner = User.objects.get(username="operator")
    jacket = made.automation(owner=owner, name="Jacket", capability_name=capability, schedule="0 8 * * *")
    page = visit(f"/automations/{jacket.pk}/edit/", java_script_enabled=False)
    log_in(page, "operator", demo_people)
    page.locator("#id_name").fill("My jacket")
    page.get_by_role("button", name="Show it as JSON").click()
    expect(page.locator("#id_name")).to_have_value("My jacket")
    page.get_by_label("The condition as JSON").fill('{"field": "price", "op": "<", "value": 50}')

    automations.update(jacket, {"schedule": "0 9 * * *"}, actor=Actor.person(User.objects.get(username="admin")))
    page.get_by_role("button", name="Save the changes").click()
    expect(page.get_by_role("alert", name="Somebody changed it meanwhile")).to_contain_text("0 9 * * *")
    expect(page.locator("#id_name")).to_have_value("My jacket")
    expect(page.locator("#id_schedule")).to_have_value("0 9 * * *")
    visit.complaints.clear()  # the browser's own line about the 409
    page.get_by_role("button", name="Save over it").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("My jacket")
    expect(page.get_by_text("It alerts when price is below 50.")).to_be_visible()

    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Resume").click()
    page.get_by_role("button", name="Run now").click()
    expect(page.get_by_text("It waits for a worker")).to_be_visible()
    page.goto(f"/automations/{jacket.pk}/")
    page.get_by_role("link", name="Delete it…").click()
    page.get_by_role("button", name="Delete this automation").click()
    expect(page.get_by_text("Its runs stay readable.")).to_be_visible()
    assert Automation.objects.get().status == "deleted"


def test_every_page_fits_a_phone_in_the_dark(visit: Any, demo_people: str, capability: str) -> None:
    owner = User.objects.get(username="operator")
    conditions = {"any_of": [{"field": "price", "op": "<=", "value": 100}, {"field": "note", "op": "changed"}]}
    jacket = made.automation(
        owner=owner,
        name="A_name_without_any_space_" + "x" * 80,
        capability_name=capability,
        alert_conditions=conditions,
    )
    made.PRICES.extend([120, 90])
    runs = [made.run_once(jacket) for _ in range(2)]
    page = visit("/automations/", color_scheme="dark", viewport=PHONE)
    log_in(page, "operator", demo_people)
    own = f"/automations/{jacket.pk}/"
    for path in (
        "/automations/",
        own,
        f"{own}edit/",
        f"{own}delete/",
        "/automations/new/",
        f"/automations/runs/{runs[1].pk}/",
    ):
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert overflow(page) == 0, path
    page.goto(own)
    expect(page.locator("#over-time")).to_have_attribute("data-drawn", "true")
