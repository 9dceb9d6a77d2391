"""People are told once a day and once a month that the budget is nearly used up, and that calls pause."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection

from donna_skills.accounts.models import User
from donna_skills.accounts.roles import Role
from donna_skills.errors import BudgetPaused
from donna_skills.llm import budget
from donna_skills.llm.models import BudgetPeriod, ModelCall
from donna_skills.llm.port import Purpose
from donna_skills.notifications.models import Event, Notification
from tests.builders import person
from tests.llm.ledger import a_call, close, hold, spend
from tests.llm.race import NOON, run_together

DAY, MONTH = "day:2026-11-21", "month:2026-11"
MIDNIGHT = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture
def manager(db: None) -> User:
    return person(Role.ADMIN)


def told() -> list[str]:
    """The events' kinds and periods, in their order."""
    return [f"{event.kind} {event.subject_id}" for event in Event.objects.order_by("seq")]


@pytest.mark.django_db
def test_the_warning_comes_at_its_share_and_not_a_millionth_earlier(configure: Any) -> None:
    configure(daily=1)
    spend("0.899999")
    assert told() == []
    spend("0.000001")
    assert told() == [f"budget.warning {DAY}"]
    assert BudgetPeriod.objects.get(key=DAY).warned_at == NOON


@pytest.mark.django_db
def test_the_pause_comes_with_the_last_millionth(configure: Any) -> None:
    configure(daily=1, warning=0.5)
    spend("0.999999")
    assert told() == [f"budget.warning {DAY}"]
    spend("0.000001")
    assert told() == [f"budget.warning {DAY}", f"budget.paused {DAY}"]


@pytest.mark.django_db
def test_one_call_that_passes_both_marks_of_both_periods_tells_all_four_once(configure: Any) -> None:
    configure(daily=1, monthly=1)
    call = hold("0.50")
    close(call, "1.50")
    assert told() == [f"budget.{kind} {key}" for key in (MONTH, DAY) for kind in ("warning", "paused")]


@pytest.mark.django_db
def test_what_follows_in_the_same_period_is_not_told_again(configure: Any) -> None:
    configure(daily=1)
    under_way = [hold("0.20") for _ in range(5)]
    close(under_way[0], "0.95")
    close(under_way[1], "0.20")
    close(under_way[2], "0.20")
    with pytest.raises(BudgetPaused):
        hold("0.01")
    assert told() == [f"budget.warning {DAY}", f"budget.paused {DAY}"]


@pytest.mark.django_db
def test_a_limit_that_is_raised_in_the_same_day_does_not_ring_twice(
    configure: Any, settings: Any, tmp_path: Path
) -> None:
    configure(daily=1)
    spend("1")
    settings.CONFIG_DIR = tmp_path / "raised"
    settings.CONFIG_DIR.mkdir()
    (settings.CONFIG_DIR / "skills.yaml").write_text("budget: {daily_pause_threshold_usd: 2}")
    spend("1")
    assert told() == [f"budget.warning {DAY}", f"budget.paused {DAY}"]


@pytest.mark.django_db
def test_the_next_day_and_the_next_month_are_told_of_anew(configure: Any) -> None:
    configure(daily=1, monthly=1)
    last, first = datetime(2026, 11, 30, 23, 59, 59, 999_999, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
    spend("0.90", at=last)
    spend("0.90", at=first)
    assert told() == [
        "budget.warning month:2026-11",
        "budget.warning day:2026-11-30",
        "budget.warning month:2026-12",
        "budget.warning day:2026-12-01",
    ]


@pytest.mark.django_db
def test_a_day_that_is_over_pauses_nobody_but_its_month_does(configure: Any) -> None:
    configure(daily=1, monthly=1)
    call = hold("1", at=MIDNIGHT - timedelta(seconds=1))
    close(call, "1", at=MIDNIGHT)
    assert told() == [f"budget.warning {MONTH}", f"budget.paused {MONTH}"]


@pytest.mark.django_db
def test_a_live_call_that_no_longer_fits_is_a_pause_and_is_told_once(configure: Any, manager: User) -> None:
    configure(daily=1)
    spend("0.85")
    for _ in range(2):
        with pytest.raises(BudgetPaused, match="does not allow"):
            hold("0.20")
    assert told() == [f"budget.paused {DAY}"]
    line = Notification.objects.get(person=manager)
    assert line.body == (
        "0.85 of 1.00 USD are spent. A call that may cost 0.2000 USD was refused. Calls go on at 2026-11-22 00:00 UTC, "
        "or with a higher limit in config/skills.yaml."
    )
    assert ModelCall.objects.count() == 1


@pytest.mark.django_db
def test_what_still_fits_after_a_pause_can_bring_the_warning(configure: Any) -> None:
    configure(daily=1)
    spend("0.85")
    with pytest.raises(BudgetPaused):
        hold("0.20")
    spend("0.05")
    assert told() == [f"budget.paused {DAY}", f"budget.warning {DAY}"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("estimate", "purpose", "why"),
    [
        ("0.60", Purpose.NATIVE, "only calls under way stand in the way"),
        ("1.01", Purpose.NATIVE, "it is dearer than the whole limit"),
        ("0.60", Purpose.DRAFT, "background work is not live traffic"),
        ("0.90", Purpose.DRAFT, "nor is a dear piece of background work"),
    ],
)
def test_a_refusal_for_another_reason_is_no_pause(configure: Any, estimate: str, purpose: Purpose, why: str) -> None:
    configure(daily=1)
    spend("0.30")
    hold("0.30")
    with pytest.raises(BudgetPaused):
        hold(estimate, purpose=purpose)
    assert told() == [], why


@pytest.mark.django_db
def test_background_work_that_uses_up_the_budget_is_told_like_any_other(configure: Any) -> None:
    configure(daily=1, reserve=0)
    spend("1", purpose=Purpose.EVOLUTION)
    assert told() == [f"budget.warning {DAY}", f"budget.paused {DAY}"]


@pytest.mark.django_db
def test_a_dead_processs_estimate_can_be_what_pauses(configure: Any) -> None:
    configure(daily=1)
    hold("1")
    assert budget.reap(NOON + timedelta(hours=1)) == 1
    assert told() == [f"budget.warning {DAY}", f"budget.paused {DAY}"]


@pytest.mark.django_db
def test_who_may_change_settings_is_told_and_nobody_else(configure: Any, manager: User) -> None:
    configure(daily=1)
    for role in (Role.VIEWER, Role.OPERATOR, Role.AUTHOR, Role.REVIEWER):
        person(role, name=f"a-{role}")
    spend("0.95")
    line = Notification.objects.get()
    assert (line.person, line.level, line.title) == (
        manager,
        "warning",
        "The budget of the day 2026-11-21 is nearly used up",
    )
    assert line.body == "0.95 of 1.00 USD are spent. Model calls pause at the limit, until 2026-11-22 00:00 UTC."
    event = line.event
    assert (event.subject_type, event.dedup_key) == ("budget_period", f"budget.warning:{DAY}")
    assert event.payload == {
        "period": DAY,
        "spent_usd": "0.950000",
        "limit_usd": "1",
        "ends_at": "2026-11-22T00:00:00Z",
    }


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_was_never_told_and_is_told_when_it_comes_true(configure: Any) -> None:
    """The row says that people were told if and only if the event is there: a database that gives up leaves neither."""
    configure(daily=1)
    call = hold("1")

    def give_up(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith('INSERT INTO "notifications_event"'):
            raise OperationalError("disk full")
        return execute(sql, *rest)

    with connection.execute_wrapper(give_up), pytest.raises(OperationalError):
        close(call, "1")
    row = BudgetPeriod.objects.get(key=DAY)
    assert (row.warned_at, row.paused_at, row.spent_micros, told()) == (None, None, 0, [])
    close(call, "1")
    assert told() == [f"budget.warning {DAY}", f"budget.paused {DAY}"]


@pytest.mark.django_db
def test_what_costs_nothing_tells_nothing_and_asks_nothing_more(configure: Any, django_assert_num_queries: Any) -> None:
    configure(daily=1, warning=0)
    free = a_call(estimate=Decimal(0), at=NOON)
    with django_assert_num_queries(5):  # savepoint, month, day, insert, release
        budget.reserve(free)
    with django_assert_num_queries(3):  # savepoint, close, release
        close(free, "0")
    close(hold("0.50"), "0")
    assert told() == []


@pytest.mark.django_db
def test_settling_asks_the_same_few_queries_before_and_after_the_marks(
    configure: Any, django_assert_num_queries: Any
) -> None:
    configure(daily=10)
    ModelCall.objects.bulk_create(a_call(estimate=Decimal(0), at=NOON) for _ in range(300))
    early, crossing, late = hold("0.10"), hold("9.00"), hold("0.10")
    with django_assert_num_queries(6):  # savepoint, close, month, day, one look at both, release
        close(early, "0.10")
    close(crossing, "9.90")
    assert len(told()) == 2
    with django_assert_num_queries(6):
        close(late, "0.10")


@pytest.mark.django_db(transaction=True)
def test_however_many_processes_pass_the_marks_at_once_each_is_told_once(
    configure: Any, tmp_path: Path, manager: User
) -> None:
    """Day and month have the same limit here, and 144 calls race for the 50 that fit."""
    configure(daily=5, monthly=5)
    assert sum(run_together(tmp_path, ["native 4 12 0.10 1"] * 3)) == 50
    expected = sorted(f"budget.{kind} {key}" for key in (MONTH, DAY) for kind in ("warning", "paused"))
    assert sorted(told()) == expected
    assert sorted(f"{line.event.kind} {line.event.subject_id}" for line in manager.notifications.all()) == expected


@pytest.mark.django_db(transaction=True)
def test_however_many_processes_are_refused_at_once_the_pause_is_told_once(
    configure: Any, tmp_path: Path, manager: User
) -> None:
    """0.15 USD fit 33 times into 5: the limit is never reached, and every refusal finds the rest too small."""
    configure(daily=5, warning=1)
    assert sum(run_together(tmp_path, ["native 4 12 0.15 1"] * 3)) == 33
    assert told() == [f"budget.paused {DAY}"]
    assert manager.notifications.count() == 1
