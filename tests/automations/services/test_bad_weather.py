"""The database locked for longer than anybody waits: nothing half done, and everything made up for afterwards."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from automations.models import AutomationRun, RunStatus
from automations.services import automations, dispatch, tick
from donna_skills.accounts.actors import Actor
from tests.automations import made

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL locks rows, not the whole database"),
]
NINE = made.at("2026-11-20 09:00")


@contextmanager
def locked_for_too_long() -> Iterator[None]:
    """Somebody else writes, and we wait for a moment instead of the 20 seconds."""
    locked, release = threading.Event(), threading.Event()

    def hold() -> None:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            locked.set()
            release.wait(30)
            cursor.execute("ROLLBACK")
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    assert locked.wait(30)
    try:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA busy_timeout=1")
        yield
    finally:
        release.set()
        holder.join()
        connection.close()  # the next one waits as always


def test_a_tick_that_cannot_write_leaves_everything_due_and_the_next_one_queues_it_once():
    automation = made.automation(due=NINE)
    with locked_for_too_long(), pytest.raises(OperationalError):
        tick.run(NINE)
    automation.refresh_from_db()
    assert (automation.next_run_at, automation.runs.count()) == (NINE, 0)
    tick.run(NINE)
    assert [run.status for run in automation.runs.all()] == [RunStatus.QUEUED]


def test_a_run_that_cannot_be_claimed_waits_on():
    automation = made.automation(capability_name=made.price_capability(), trigger="on_manual")
    run = automations.run_now(automation, actor=Actor.person(automation.owner))
    with locked_for_too_long(), pytest.raises(OperationalError):
        dispatch.drain()
    run.refresh_from_db()
    assert (run.status, run.lease_owner) == (RunStatus.QUEUED, "")
    assert dispatch.drain() == 1
    run.refresh_from_db()
    assert run.status == RunStatus.SUCCEEDED


def test_a_run_whose_end_cannot_be_written_is_interrupted_when_its_lease_runs_out():
    automation = made.automation(capability_name=made.price_capability(), trigger="on_manual")
    automations.run_now(automation, actor=Actor.person(automation.owner))
    held = dispatch.claim(timezone.now())
    with locked_for_too_long(), pytest.raises(OperationalError):
        dispatch.carry_out(held)
    assert AutomationRun.objects.get().status == RunStatus.RUNNING
    assert dispatch.reap(timezone.now() + timedelta(minutes=3)) == 1
    ended = AutomationRun.objects.get()
    assert (ended.status, ended.lease_owner) == (RunStatus.INTERRUPTED, "")
    automation.refresh_from_db()
    assert (automation.run_count, automation.failure_count) == (1, 1)
