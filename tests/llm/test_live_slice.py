"""A share of each limit is kept for live traffic: the night cannot take it, live calls can."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from donna_skills.configuration import build
from donna_skills.errors import BudgetPaused
from donna_skills.llm import budget, selectors
from donna_skills.llm.budget import LIVE_PURPOSES, Limits
from donna_skills.llm.models import BudgetPeriod, ModelCall
from donna_skills.llm.port import Purpose
from tests.builders import bot_token, headers
from tests.llm.ledger import close, figures, hold, spend
from tests.llm.race import NOON, run_together

DAY, MONTH = "day:2026-11-21", "month:2026-11"
BACKGROUND = [purpose for purpose in Purpose if purpose not in LIVE_PURPOSES]


def test_what_somebody_waits_for_is_live_and_the_rest_is_background() -> None:
    assert {purpose.value for purpose in LIVE_PURPOSES} == {"native", "skill_step", "match"}
    assert {purpose.value for purpose in BACKGROUND} == {"shadow", "judge", "draft", "evolution", "validation"}


@pytest.mark.django_db
@pytest.mark.parametrize("purpose", BACKGROUND)
def test_background_work_fills_its_part_exactly_and_not_a_millionth_more(configure: Any, purpose: Purpose) -> None:
    configure(daily=1)
    for _ in range(7):
        hold("0.10", purpose=purpose)
    with pytest.raises(BudgetPaused):
        hold("0.000001", purpose=purpose)
    assert figures(DAY) == figures(MONTH) == ("0.00", "0.70")


@pytest.mark.django_db
@pytest.mark.parametrize("purpose", sorted(LIVE_PURPOSES))
def test_live_traffic_takes_the_rest_to_the_last_millionth(configure: Any, purpose: Purpose) -> None:
    configure(daily=1)
    spend("0.70", purpose=Purpose.DRAFT)
    hold("0.30", purpose=purpose)
    with pytest.raises(BudgetPaused):
        hold("0.000001", purpose=purpose)
    assert figures(DAY) == ("0.70", "0.30")


@pytest.mark.django_db
def test_what_live_traffic_has_spent_counts_towards_the_night_too(configure: Any) -> None:
    configure(daily=1)
    spend("0.65")
    hold("0.05", purpose=Purpose.JUDGE)
    with pytest.raises(BudgetPaused):
        hold("0.01", purpose=Purpose.JUDGE)


@pytest.mark.django_db
def test_the_month_keeps_its_own_slice(configure: Any) -> None:
    configure(daily=5, monthly=10)
    for day in range(2):
        spend("3.50", at=NOON - timedelta(days=day), purpose=Purpose.EVOLUTION)
    with pytest.raises(BudgetPaused, match="of this month's budget of 10") as caught:
        hold("0.01", at=NOON + timedelta(days=1), purpose=Purpose.EVOLUTION)
    assert caught.value.retry_after_s == 8.5 * 86_400
    hold("3.00", at=NOON + timedelta(days=1))


@pytest.mark.django_db
@pytest.mark.parametrize(("reserve", "background"), [(0, "1.00"), (1, "0"), (0.333333, "0.666667"), (0.29, "0.71")])
def test_the_share_is_a_knob_from_nothing_to_all(configure: Any, reserve: float, background: str) -> None:
    configure(daily=1, reserve=reserve)
    if Decimal(background):
        hold(background, purpose=Purpose.SHADOW)
    with pytest.raises(BudgetPaused):
        hold("0.000001", purpose=Purpose.SHADOW)


@pytest.mark.django_db
def test_a_part_of_a_millionth_goes_to_live_traffic(configure: Any) -> None:
    configure(daily=0.000005, reserve=0.3)
    hold("0.000003", purpose=Purpose.SHADOW)
    with pytest.raises(BudgetPaused):
        hold("0.000001", purpose=Purpose.SHADOW)
    hold("0.000002")


def test_a_share_outside_of_zero_to_one_is_refused_in_words() -> None:
    assert build(Limits, {"live_reserve_pct": 1.01})[1] == ["`live_reserve_pct` is 1.01, and must be at most 1."]
    assert build(Limits, {"live_reserve_pct": -0.01})[1] == ["`live_reserve_pct` is -0.01, and must be at least 0."]
    assert build(Limits, {})[0] == Limits(live_reserve_pct=Decimal("0.30"), monthly_warning_pct=Decimal("0.90"))


@pytest.mark.django_db
def test_the_refusal_says_whether_the_slice_the_limit_or_calls_under_way_stand_in_the_way(configure: Any) -> None:
    configure(daily=1)
    under_way = hold("0.60", purpose=Purpose.JUDGE)
    with pytest.raises(BudgetPaused, match=r"under way hold.*background work may take 0\.70 USD") as held:
        hold("0.20", purpose=Purpose.JUDGE)
    close(under_way, "0.60")
    with pytest.raises(BudgetPaused, match=r"0\.70 USD.*rest is kept for live traffic.*live_reserve_pct") as kept:
        hold("0.20", purpose=Purpose.JUDGE)
    with pytest.raises(BudgetPaused, match=r"1 USD does not allow this call: 0\.60 USD are spent") as full:
        hold("0.50", purpose=Purpose.JUDGE)
    assert held.value.retry_after_s == 15
    assert kept.value.retry_after_s == full.value.retry_after_s == 12 * 3600


@pytest.mark.django_db
def test_a_refused_background_call_holds_nothing_in_the_month(configure: Any) -> None:
    configure(daily=1)
    with pytest.raises(BudgetPaused):
        hold("0.80", purpose=Purpose.DRAFT)
    assert figures(MONTH) == figures(DAY) == ("0.00", "0.00")
    assert not ModelCall.objects.exists()


@pytest.mark.django_db
def test_a_background_call_that_costs_nothing_takes_nothing_from_the_slice(configure: Any) -> None:
    configure(daily=1)
    costlier, other = hold("0.40"), hold("0.50")
    hold("0", purpose=Purpose.JUDGE)
    close(costlier, "0.80")
    with pytest.raises(BudgetPaused, match="under way"):
        hold("0", purpose=Purpose.JUDGE)
    close(other, "0.20")
    hold("0", purpose=Purpose.JUDGE)


@pytest.mark.django_db
def test_the_night_may_go_on_at_midnight_utc_and_the_month_turns_with_it(configure: Any) -> None:
    configure(daily=1, monthly=1)
    last = datetime(2026, 11, 30, 23, 59, 59, 999_999, tzinfo=UTC)
    spend("0.70", at=last, purpose=Purpose.DRAFT)
    with pytest.raises(BudgetPaused):
        hold("0.01", at=last, purpose=Purpose.DRAFT)
    hold("0.70", at=last + timedelta(microseconds=1), purpose=Purpose.DRAFT)
    assert figures("month:2026-12") == figures("day:2026-12-01") == ("0.00", "0.70")


@pytest.mark.django_db
def test_work_may_begin_while_live_traffic_has_something_left(configure: Any) -> None:
    configure(daily=1)
    spend("0.99")
    budget.ensure_open(NOON)
    spend("0.01")
    with pytest.raises(BudgetPaused, match="does not allow"):
        budget.ensure_open(NOON)


@pytest.mark.django_db
def test_the_summary_says_what_is_left_for_background_work(configure: Any, django_assert_num_queries: Any) -> None:
    configure(daily=1, monthly=10, reserve=0.25)
    spend("0.50")
    hold("0.15")
    with django_assert_num_queries(1):
        month, day = selectors.period_summaries(NOON)
    assert (day.remaining_usd, day.background_limit_usd, day.background_remaining_usd) == (
        Decimal("0.35"),
        Decimal("0.75"),
        Decimal("0.10"),
    )
    assert (month.key, month.background_remaining_usd) == (MONTH, Decimal("6.85"))
    hold("0.30")
    found = selectors.budget_summary(NOON)
    assert (found.day.background_remaining_usd, found.live_reserve_share, found.warning_share) == (0, 0.25, 0.9)


@pytest.mark.django_db
def test_bots_read_what_is_left_for_background_work(client: Any, configure: Any) -> None:
    configure(daily=1, monthly=10)
    _, secret = bot_token("runs:read")
    found = client.get("/api/v1/budget", headers=headers(secret)).json()
    assert found["live_reserve_share"] == 0.3
    assert Decimal(found["day"]["background_limit_usd"]) == Decimal(found["day"]["background_remaining_usd"])
    assert Decimal(found["month"]["background_remaining_usd"]) == 7


@pytest.mark.django_db
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    wanted=st.lists(
        st.tuples(st.sampled_from(list(Purpose)), st.integers(1, 400_000), st.sampled_from(["held", "paid", "cheap"])),
        max_size=12,
    )
)
def test_in_any_order_of_calls_background_work_never_reaches_into_the_slice(
    configure: Callable[..., None], wanted: list[tuple[Purpose, int, str]]
) -> None:
    """And a live call is refused only when the whole limit is in the way."""
    configure(daily=1)
    ModelCall.objects.all().delete()
    BudgetPeriod.objects.all().delete()
    taken = 0
    for purpose, micros, then in wanted:
        limit = 1_000_000 if purpose in LIVE_PURPOSES else 700_000
        estimate = str(Decimal(micros) / 1_000_000)
        if taken + micros > limit:
            with pytest.raises(BudgetPaused):
                hold(estimate, purpose=purpose)
            continue
        call = hold(estimate, purpose=purpose)
        cost = micros // 2 if then == "cheap" else micros
        taken += cost if then != "held" else micros
        if then != "held":
            close(call, str(Decimal(cost) / 1_000_000))
    row = BudgetPeriod.objects.filter(key=DAY).first()
    assert (row.spent_micros + row.reserved_micros if row else 0) == taken


@pytest.mark.django_db(transaction=True)
def test_many_processes_of_the_night_never_take_the_slice_and_live_calls_always_get_it(
    configure: Any, tmp_path: Path
) -> None:
    """Two judging processes want 9.60 USD of 5.00, while live traffic wants exactly the 1.50 that are kept for it."""
    configure(daily=5)
    live, *night = run_together(tmp_path, ["native 3 5 0.10 2", *["judge 4 12 0.10 2"] * 2])
    assert live == 15
    assert 20 <= sum(night) <= 35
    row = BudgetPeriod.objects.get(key=DAY)
    assert row.spent_micros + row.reserved_micros == (live + sum(night)) * 100_000
