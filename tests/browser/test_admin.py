"""The admin in a browser: a list, a decision, a filter; under its own Content-Security-Policy, with no complaint."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from lifecycle.models import Review, ReviewState
from tests.admin import addresses, rows
from tests.browser.conftest import PHONE, log_in, overflow


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_reviewer_reads_a_draft_and_approves_it(visit: Any, demo_people: str, scheme: str) -> None:
    review = rows.review()
    page = visit(addresses.change(review), color_scheme=scheme)
    log_in(page, "reviewer", demo_people)
    page.get_by_role("link", name="Approve").click()
    expect(page.get_by_text("goes to the sandbox")).to_be_visible()
    expect(page.get_by_text(review.subject_digest)).to_be_visible()
    page.get_by_label("Ask me again before each promotion").check()
    page.get_by_label("Comment").fill("Good.")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text(f"{review} is approved.")).to_be_visible()
    expect(page.get_by_role("link", name="Approve")).to_have_count(0)
    assert Review.objects.get(pk=review.pk).state == ReviewState.APPROVED


def test_runs_are_narrowed_down_to_a_capability(visit: Any, demo_people: str) -> None:
    wanted, other = rows.run(), rows.run()
    page = visit("/admin/lifecycle/skillrun/")
    log_in(page, "viewer", demo_people)
    page.locator("a", has_text="Filters").click()
    page.locator(".select2-selection").first.click()
    page.locator(".select2-search__field").fill(wanted.capability.name)
    page.locator(".select2-results__option", has_text=wanted.capability.name).click()
    page.get_by_role("button", name="Apply Filters").click()
    page.wait_for_url("**capability__id__exact**")
    table = page.locator("#result_list")
    expect(table.get_by_text(wanted.capability.name)).to_have_count(1)
    expect(table.get_by_text(other.capability.name)).to_have_count(0)


def test_the_pages_of_the_admin_fit_a_phone(visit: Any, demo_people: str) -> None:
    review, run = rows.review(), rows.run()
    page = visit("/admin/", viewport=PHONE)
    log_in(page, "reviewer", demo_people)
    for url in (
        "/admin/lifecycle/skill/",
        addresses.change(run),
        addresses.change(review),
        addresses.act(review, "reject"),
    ):
        page.goto(url)
        assert overflow(page) <= 0, url
