"""Holding, settling, reaping; UTC days and months; and many processes at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from donna_skills.errors import BudgetPaused
from donna_skills.llm import budget, selectors
from donna_skills.llm.models import BudgetPeriod, CallStatus, ModelCall
from donna_skills.llm.port import Purpose
from tests.llm.ledger import a_call, close, figures, hold
from tests.llm.race import NOON, run_together

DAY, MONTH = "day:2026-11-21", "month:2026-11"


@pytest.fixture
def limits(configure: Callable[..., None]) -> Callable[..., None]:
    def write(*, daily: float, monthly: float = 100) -> None:
        configure(daily=daily, monthly=monthly)

    return write


@pytest.mark.django_db
def test_a_reservation_counts_in_the_day_and_in_the_month(limits: Any) -> None:
    limits(daily=1)
    hold("0.40")
    assert figures(DAY) == figures(MONTH) == ("0.00", "0.40")


@pytest.mark.django_db
def test_settling_turns_the_estimate_into_the_cost(limits: Any) -> None:
    limits(daily=1)
    close(hold("0.40"), "0.10")
    assert figures(DAY) == figures(MONTH) == ("0.10", "0.00")


@pytest.mark.django_db
def test_settling_twice_pays_once(limits: Any) -> None:
    limits(daily=1)
    call = hold("0.40")
    close(call, "0.10")
    close(call, "0.10")
    assert figures(DAY) == ("0.10", "0.00")


@pytest.mark.django_db
def test_ten_tenths_fill_a_limit_of_one_exactly(limits: Any) -> None:
    limits(daily=1)
    for _ in range(10):
        hold("0.10")
    with pytest.raises(BudgetPaused):
        hold("0.000001")
    assert figures(DAY) == ("0.00", "1.00")


@pytest.mark.django_db
def test_a_refused_reservation_leaves_nothing_behind(limits: Any) -> None:
    limits(daily=0.3, monthly=100)
    hold("0.30")
    with pytest.raises(BudgetPaused):
        hold("0.30")
    assert figures(MONTH) == ("0.00", "0.30"), "the month was held first and must be let go again"
    assert ModelCall.objects.count() == 1


@pytest.mark.django_db
def test_a_spent_day_pauses_until_the_next_utc_day_begins(limits: Any) -> None:
    limits(daily=1)
    close(hold("1.00"), "1.00")
    with pytest.raises(BudgetPaused, match="2026-11-22 00:00 UTC") as caught:
        hold("0.01", at=NOON + timedelta(hours=11, minutes=59))
    assert (caught.value.status, caught.value.code, caught.value.retry_after_s) == (429, "budget_paused", 60)
    hold("0.01", at=NOON + timedelta(hours=12))


@pytest.mark.django_db
def test_a_spent_month_pauses_until_the_next_month(limits: Any) -> None:
    limits(daily=5, monthly=1)
    close(hold("1.00"), "1.00")
    with pytest.raises(BudgetPaused, match="month") as caught:
        hold("0.01", at=NOON + timedelta(days=1))
    assert caught.value.retry_after_s == 8.5 * 86_400


@pytest.mark.django_db
def test_where_only_calls_under_way_stand_in_the_way_the_wait_is_short(limits: Any) -> None:
    limits(daily=1)
    hold("0.90")
    with pytest.raises(BudgetPaused, match="under way") as caught:
        hold("0.20")
    assert caught.value.retry_after_s < 60


@pytest.mark.django_db
def test_days_are_utc_days_whatever_zone_the_time_is_given_in(limits: Any) -> None:
    limits(daily=1)
    hold("0.10", at=datetime(2026, 12, 1, 1, 30, tzinfo=timezone(timedelta(hours=2))))
    assert set(BudgetPeriod.objects.values_list("key", flat=True)) == {"day:2026-11-30", "month:2026-11"}


@pytest.mark.django_db
def test_a_call_over_midnight_is_settled_on_the_day_on_which_it_began(limits: Any) -> None:
    limits(daily=1)
    call = hold("0.40", at=datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC))
    close(call, "0.10")
    assert set(BudgetPeriod.objects.values_list("key", flat=True)) == {"day:2026-11-30", "month:2026-11"}
    assert figures("day:2026-11-30") == ("0.10", "0.00")


@pytest.mark.django_db
def test_what_costs_nothing_passes_a_full_limit_but_not_an_exceeded_one(limits: Any) -> None:
    limits(daily=1)
    call = hold("1.00")
    hold("0")
    close(call, "1.50")
    with pytest.raises(BudgetPaused):
        hold("0")


@pytest.mark.django_db
def test_a_dead_processs_reservation_is_reaped_and_counts_as_spent(limits: Any) -> None:
    limits(daily=1)
    dead, alive = hold("0.40"), hold("0.10", at=NOON + timedelta(minutes=5))
    assert budget.reap(NOON + timedelta(minutes=3)) == 1
    assert budget.reap(NOON + timedelta(minutes=3)) == 0
    dead.refresh_from_db()
    alive.refresh_from_db()
    assert (dead.status, dead.error_code, dead.cost_usd) == ("abandoned", "abandoned", Decimal("0.40"))
    assert alive.status == "reserved"
    assert figures(DAY) == ("0.40", "0.10")


@pytest.mark.django_db
def test_a_call_that_answers_after_it_was_reaped_is_set_right(limits: Any) -> None:
    limits(daily=1)
    call = hold("0.40")
    budget.reap(NOON + timedelta(hours=1))
    close(call, "0.05")
    call.refresh_from_db()
    assert call.status == "succeeded"
    assert figures(DAY) == ("0.05", "0.00")


@pytest.mark.django_db
def test_a_limit_raised_in_the_file_is_shown_and_obeyed(limits: Any, settings: Any, tmp_path: Path) -> None:
    limits(daily=0.1)
    with pytest.raises(BudgetPaused):
        hold("0.40")
    settings.CONFIG_DIR = tmp_path / "raised"
    settings.CONFIG_DIR.mkdir()
    (settings.CONFIG_DIR / "skills.yaml").write_text("budget: {daily_pause_threshold_usd: 2}")
    hold("0.40")
    assert BudgetPeriod.objects.get(key=DAY).limit_usd == 2


@pytest.mark.django_db
def test_reserving_asks_the_same_few_queries_whatever_the_ledgers_size(
    limits: Any, django_assert_max_num_queries: Any
) -> None:
    limits(daily=20)
    close(hold("0.40"), "0.10")
    ModelCall.objects.bulk_create(a_call(estimate=Decimal(0), at=NOON) for _ in range(500))
    with django_assert_max_num_queries(5):
        hold("0.40")


@pytest.mark.django_db
def test_the_summary_says_what_is_spent_held_and_on_what(limits: Any, django_assert_num_queries: Any) -> None:
    limits(daily=1, monthly=10)
    close(hold("0.40"), "0.10")
    close(hold("0.40", purpose=Purpose.JUDGE), "0.20", status=CallStatus.FAILED)
    close(hold("0.40", at=NOON - timedelta(days=2)), "0.30")
    close(hold("0.40", at=NOON - timedelta(days=40)), "0.30")
    hold("0.25")
    with django_assert_num_queries(2):
        found = selectors.budget_summary(NOON)
    assert (found.day.spent_usd, found.day.reserved_usd, found.day.remaining_usd) == (
        Decimal("0.30"),
        Decimal("0.25"),
        Decimal("0.45"),
    )
    assert (found.month.spent_usd, found.month.limit_usd, found.month.paused) == (Decimal("0.60"), 10, False)
    by_purpose = {row.purpose: row for row in found.by_purpose}
    assert list(by_purpose) == Purpose.values
    assert (by_purpose["native"].calls, by_purpose["native"].cost_usd) == (3, Decimal("0.40"))
    assert (by_purpose["judge"].failed_attempts, by_purpose["judge"].cost_usd) == (1, Decimal("0.20"))


@pytest.mark.django_db
def test_the_summary_of_an_untouched_month_is_all_zero(limits: Any) -> None:
    limits(daily=1)
    found = selectors.budget_summary(NOON)
    assert (found.day.spent_usd, found.month.reserved_usd, found.day.remaining_usd) == (0, 0, 1)


@pytest.mark.django_db(transaction=True)
def test_many_processes_and_threads_together_never_pass_the_limit(limits: Any, tmp_path: Path) -> None:
    """3 processes x 4 threads x 12 calls of 0.10 USD want 14.40; the limit of 5.00 allows exactly 50."""
    limits(daily=5)
    assert sum(run_together(tmp_path, ["native 4 12 0.10 2"] * 3)) == 50
    assert ModelCall.objects.count() == 50
