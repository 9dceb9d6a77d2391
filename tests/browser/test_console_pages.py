"""The console's other pages in a real browser: live progress that ends, a chart under the strict policy, messages read
by the bell, a token that is shown once, and everything at the width of a phone."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone
from playwright.sync_api import expect

from donna_skills.accounts.models import User
from donna_skills.audit import verification
from donna_skills.jobs import services as jobs
from donna_skills.jobs.models import JobRun
from donna_skills.llm.models import CallStatus, ModelCall, PriceSource
from donna_skills.llm.port import Purpose
from donna_skills.notifications.events import Notice, publish
from tests.browser.conftest import PHONE, log_in, overflow

PAGES = (
    "/jobs/", "/budget/", "/audit/", "/settings/", "/inbox/", "/inbox/preferences/", "/inbox/channels/", "/profile/",
    "/capabilities/",
)  # fmt: skip


def _spend() -> None:
    now = timezone.now()
    ModelCall.objects.create(
        purpose=Purpose.JUDGE, task_type="parse_task", alias="reasoner", provider="offline", model="tiny",
        prompt_digest="0" * 64, cost_usd=Decimal("1.25"), price_source=PriceSource.CONFIGURED,
        status=CallStatus.SUCCEEDED, started_at=now, expires_at=now, finished_at=now,
    )  # fmt: skip


def _tell(person: User, *titles: str) -> None:
    for title in titles:
        with transaction.atomic():
            publish("review.opened", subject_type="x", subject_id="1", notify=Notice(title=title, people=(person,)))


def test_the_chain_is_verified_by_a_job_whose_page_follows_it_to_the_end(visit: Any, demo_people: str) -> None:
    page = visit("/audit/")
    log_in(page, "admin", demo_people)
    page.get_by_role("button", name="Verify the chain").click()
    expect(page.get_by_text("It waits for a worker.")).to_be_visible()

    jobs.run(JobRun.objects.get(kind=verification.JOB_KIND).pk)
    expect(page.get_by_role("status").filter(has_text="The job is over: succeeded.")).to_be_visible()
    expect(page.locator("#job")).not_to_have_attribute("hx-trigger", re.compile("every"))
    expect(page.get_by_role("button", name="Cancel the job")).to_have_count(0)

    page.goto("/audit/")
    expect(page.get_by_text("events had their hash")).to_be_visible()


def test_the_chart_is_drawn_from_data_and_again_when_the_theme_changes(visit: Any, demo_people: str) -> None:
    """The `visit` fixture fails the test if the console holds a violation of the policy."""
    _spend()
    page = visit("/budget/", color_scheme="light")
    log_in(page, "viewer", demo_people)
    chart = page.locator("#spending")
    expect(chart).to_have_attribute("data-drawn", "true")
    page.evaluate("delete document.querySelector('#spending').dataset.drawn")
    page.get_by_role("button", name="Change to Light").click()
    expect(chart).to_have_attribute("data-drawn", "true")

    page.get_by_text("The numbers as a table").click()
    expect(page.get_by_role("region", name="as a table").get_by_text("$1.25").first).to_be_visible()


def test_reading_a_message_takes_it_off_the_bell_and_a_token_is_shown_once(visit: Any, demo_people: str) -> None:
    _tell(User.objects.get(username="author"), "First draft waits", "Second draft waits")
    page = visit("/inbox/")
    log_in(page, "author", demo_people)
    expect(page.get_by_role("link", name="Inbox, 2 unread")).to_be_visible()
    page.get_by_role("button", name="Mark “First draft waits” as read").click()
    expect(page.get_by_role("link", name="Inbox, 1 unread")).to_be_visible()
    expect(page.get_by_text("1 unread. What you were told")).to_be_visible()
    page.get_by_role("button", name="Mark all as read").click()
    expect(page.get_by_text("Nothing unread.")).to_be_visible()

    page.goto("/profile/")
    page.get_by_label("Name").fill("laptop")
    page.get_by_label("Read runs").check()
    page.get_by_role("button", name="Make the token").click()
    expect(page.locator(".secret")).to_have_text(re.compile(r"^dsk_[0-9a-f]{8}_[0-9a-f]{48}$"))
    page.get_by_role("link", name="I have copied it").click()
    expect(page.get_by_role("button", name="Revoke the token")).to_be_visible()
    expect(page.locator(".secret")).to_have_count(0)


def test_every_page_fits_a_phone_in_the_dark(visit: Any, demo_people: str) -> None:
    admin = User.objects.get(username="admin")
    _spend()
    _tell(admin, "A long sentence about something that waits for a decision, with_a_very_long_word_in_it_" + "x" * 60)
    page = visit("/jobs/", color_scheme="dark", viewport=PHONE)
    log_in(page, "admin", demo_people)
    for path in PAGES:
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert overflow(page) == 0, path
