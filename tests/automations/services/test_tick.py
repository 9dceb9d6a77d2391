"""The tick: every occurrence one row that tells the truth, whatever the clock and however many schedulers do."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_q.models import OrmQ

from automations.models import Automation, AutomationRun, DrainSlot, Overlap, RunStatus, Status
from automations.services import tick
from donna_skills.notifications.models import Event, Notification
from lifecycle.states import State
from tests import builders
from tests.automations import made

pytestmark = pytest.mark.django_db
NINE = made.at("2026-11-20 09:00")
HOUR = timedelta(hours=1)


def statuses(automation: Automation) -> list[tuple[str, str]]:
    rows = automation.runs.order_by("scheduled_for").values_list("scheduled_for", "status")
    return [(f"{at:%d %H:%M}", status) for at, status in rows]


def test_what_is_due_is_queued_once_and_its_clock_moves_on():
    automation = made.automation(due=NINE)
    report = tick.run(NINE)
    assert (report.claimed, report.queued) == (1, 1)
    assert tick.run(NINE).claimed == 0
    automation.refresh_from_db()
    assert automation.next_run_at == NINE + HOUR
    assert statuses(automation) == [("20 09:00", "queued")]


def test_nothing_is_queued_before_it_is_due_nor_when_paused():
    early = made.automation(due=NINE)
    assert tick.run(NINE - timedelta(seconds=1)).claimed == 0
    Automation.objects.filter(pk=early.pk).update(
        status=Status.PAUSED, pause_reason="person", next_run_at=None, next_occurrence=None
    )
    assert tick.run(NINE).claimed == 0
    assert not AutomationRun.objects.exists()


def test_an_occurrence_that_has_a_row_already_gets_no_second_one():
    automation = made.automation(due=NINE)
    tick.run(NINE)
    made.quiet_rhythm(automation, due=NINE)  # as after a crash that lost the clock and not the row
    tick.run(NINE)
    assert automation.runs.count() == 1


@pytest.mark.parametrize(("policy", "queued", "missed"), [("latest_once", 1, 48), ("skip", 0, 49), ("all", 24, 25)])
def test_a_scheduler_that_was_away_for_two_days_leaves_rows_for_all_of_it(policy, queued, missed):
    automation = made.automation(due=NINE, catch_up_policy=policy)
    now = NINE + timedelta(days=2, minutes=30)
    tick.run(now)
    assert automation.runs.filter(status=RunStatus.QUEUED).count() == queued
    row = automation.runs.get(status=RunStatus.SKIPPED_MISSED)
    assert row.missed == missed
    assert "no scheduler was running" in row.reason
    automation.refresh_from_db()
    assert automation.next_run_at > now


def test_a_clock_that_is_put_back_an_hour_repeats_nothing():
    automation = made.automation(due=NINE)
    tick.run(NINE)
    assert tick.run(NINE - HOUR).claimed == 0
    assert tick.run(NINE + timedelta(minutes=1)).claimed == 0
    tick.run(NINE + HOUR)
    assert statuses(automation) == [("20 09:00", "queued"), ("20 10:00", "skipped_overlap")]


def test_the_night_that_the_clocks_are_put_back_a_fixed_time_runs_once():
    automation = made.automation(schedule="30 2 * * *", timezone="Europe/Berlin", due=made.at("2026-10-25 00:30"))
    now = made.at("2026-10-24 23:00")
    for _ in range(60 * 5):
        now += timedelta(minutes=1)
        tick.run(now)
    assert statuses(automation) == [("25 00:30", "queued")]
    automation.refresh_from_db()
    assert automation.next_run_at == made.at("2026-10-26 01:30")


@pytest.mark.parametrize(
    ("policy", "second", "third"),
    [
        ("skip", "skipped_overlap", "skipped_overlap"),
        ("buffer_one", "queued", "skipped_overlap"),
        ("allow", "queued", "queued"),
    ],
)
def test_an_occurrence_while_another_run_is_on_follows_the_overlap_policy(policy, second, third):
    automation = made.automation(due=NINE, overlap_policy=policy)
    tick.run(NINE)
    AutomationRun.objects.update(
        status=RunStatus.RUNNING, started_at=NINE, lease_owner="x", lease_until=NINE + 9 * HOUR
    )
    tick.run(NINE + HOUR)
    tick.run(NINE + 2 * HOUR)
    assert [status for _, status in statuses(automation)] == ["running", second, third]
    skipped = automation.runs.filter(status=RunStatus.SKIPPED_OVERLAP)
    assert all("still on" in run.reason for run in skipped)


def test_an_automation_whose_zone_is_gone_from_the_machine_is_in_error_and_its_owner_told():
    automation, other = made.automation(due=NINE), made.automation(due=NINE)
    Automation.objects.filter(pk=automation.pk).update(timezone="Mars/Olympus")
    report = tick.run(NINE)
    assert (report.broken, report.queued) == (1, 1)
    automation.refresh_from_db()
    assert (automation.status, automation.next_run_at) == (Status.ERROR, None)
    assert "Mars/Olympus" in automation.pause_note
    told = Notification.objects.get(person=automation.owner, event__kind="automation.in_error")
    assert told.title.startswith(automation.name)
    assert other.runs.count() == 1


def test_a_batch_costs_the_same_number_of_queries_whatever_its_size():
    capability = builders.skill(State.TRUSTED).capability.name
    counts = []
    for number in (2, 30):
        for _ in range(number):
            made.automation(due=NINE, capability_name=capability)
        with CaptureQueriesContext(
            connection,
        ) as found:
            tick.run(NINE)
        counts.append(len([q for q in found.captured_queries if "automations_automation" in q["sql"]]))
    assert counts[0] == counts[1]


def test_as_many_bells_ring_as_there_are_workers_and_each_once(settings):
    for _ in range(5):
        made.automation(due=NINE)
    before = OrmQ.objects.count() if not settings.REDIS_URL else 0
    assert tick.run(NINE).rung == 2
    assert tick.run(NINE).rung == 0
    assert DrainSlot.objects.filter(lease_until__isnull=False).count() == 2
    if not settings.REDIS_URL:
        assert OrmQ.objects.count() == before + 2


def test_the_command_ticks_at_a_given_instant_and_refuses_what_is_none(capsys):
    made.automation(due=NINE)
    call_command("tick", now="2026-11-20T09:00:00Z")
    assert '"claimed": 1' in capsys.readouterr().out
    for wrong in ("yesterday", "2026-11-20T09:00:00", "2026-13-20T09:00:00Z"):
        with pytest.raises(CommandError, match="offset"):
            call_command("tick", now=wrong)


def test_an_event_says_nothing_of_an_ordinary_tick():
    made.automation(due=NINE)
    before = Event.objects.count()
    tick.run(NINE)
    assert Event.objects.count() == before


def test_starts_are_spread_by_each_automations_own_shift():
    capability = builders.skill(State.TRUSTED).capability.name
    several = [made.automation(capability_name=capability, jitter_seconds=600) for _ in range(8)]
    starts = {(one.next_run_at - one.next_occurrence).total_seconds() for one in several}
    assert len(starts) > 1
    assert max(starts) <= 600


def test_overlap_does_not_count_runs_that_may_run_side_by_side():
    automation = made.automation(due=NINE, overlap_policy=Overlap.ALLOW)
    tick.run(NINE)
    tick.run(NINE + HOUR)
    assert automation.runs.filter(status=RunStatus.QUEUED, alone=False).count() == 2
