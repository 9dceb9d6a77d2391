"""A reviewer's first day, with nothing but what the pages offer: no address is typed, no manual is read."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from donna_skills.accounts.actors import Actor
from donna_skills.jobs import services as jobs
from lifecycle.demo import mails, people, world
from lifecycle.models import Skill
from lifecycle.services import nightly, reports
from lifecycle.states import State
from tests.browser.conftest import log_in

PASSWORD = "a browser's password"
CALLS = 200


@pytest.fixture
def drafted(transactional_db: None) -> Skill:
    """The reference model has read mails for a while, and the night has drafted a skill from them."""
    cast, now = people.gather(password=PASSWORD), timezone.now()
    world.register(mails.CAPABILITY, actor=people.DEMO)
    for number in range(CALLS):
        inputs, output = mails.mail(number, today=now.date())
        report = reports.Report(
            capability=mails.CAPABILITY,
            status="succeeded",
            inputs=inputs,
            output=output,
            external_id=f"mail-{number}",
            cost_usd=Decimal("0.10"),
            started_at=now - timedelta(hours=CALLS - number),
        )
        reports.record(report, token=cast.assistant)
    jobs.run(nightly.request(by=Actor.person(cast.operator)).pk)
    return Skill.objects.for_page().get(capability__name=mails.CAPABILITY)


def test_a_reviewer_finds_what_waits_sees_why_decides_and_sees_what_came_of_it(visit: Any, drafted: Skill) -> None:
    page = visit("/")
    log_in(page, "reviewer", PASSWORD)
    menu = page.get_by_role("navigation", name="Main menu")
    expect(menu.get_by_role("link", name="Review 1 waiting")).to_be_visible()
    needs = page.get_by_role("region", name="Needs you")
    expect(needs).to_contain_text("1 draft")
    expect(page.get_by_text("Last night", exact=True)).to_be_visible()
    needs.get_by_role("link", name="Review next").click()

    expect(page.get_by_role("heading", level=1)).to_contain_text(f"{mails.CAPABILITY} version 1")
    why = page.get_by_role("main")
    expect(why).to_contain_text("Saves about $")
    for heading in ("What changes", "Why we believe it", "Where it stands"):
        expect(page.get_by_role("heading", name=heading)).to_be_visible()
    expect(page.get_by_text("Valid package", exact=True)).to_be_visible()
    approve = page.get_by_role("button", name="Approve version 1")
    expect(approve).to_have_accessible_description(re.compile("sandbox"))
    approve.click()

    done = page.get_by_role("region", name="What you have just done")
    expect(done).to_contain_text("Version 1 went to the sandbox.")
    expect(page.get_by_role("heading", name="Nothing waits for you")).to_be_visible()
    done.get_by_role("link", name="Open the skill's page").click()

    expect(page.get_by_role("heading", level=1)).to_contain_text("Sandbox, unseen")
    expect(page.get_by_text("Next:").first).to_be_visible()
    menu.get_by_role("link", name="Home").click()
    expect(menu.get_by_role("link", name="Review", exact=True)).to_be_visible()
    expect(page.get_by_role("region", name="Activity")).to_contain_text(mails.CAPABILITY)
    expect(page.get_by_role("region", name="Needs you")).to_contain_text("Nothing waits for a decision.")
    drafted.refresh_from_db()
    assert drafted.state == State.SANDBOX
