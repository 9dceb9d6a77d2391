"""The scheduler's loop, its heartbeat and the schedules it keeps."""

from __future__ import annotations

import signal
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import OperationalError, connection
from django.utils import timezone
from django_q.models import Schedule

from donna_skills.jobs import heartbeat, schedules
from donna_skills.jobs.scheduler import Scheduler
from tests.jobs.processes import Process, until

HERE = "tests.jobs.test_scheduler"
done: list[Any] = []


def note(now: Any) -> None:
    done.append(now)


def fail(now: Any) -> None:
    raise ZeroDivisionError("this duty is broken")


@pytest.fixture(autouse=True)
def _nothing_done() -> None:
    done.clear()


@pytest.mark.django_db
def test_a_heart_beats_once_and_again() -> None:
    assert heartbeat.last("scheduler") is None
    earlier = timezone.now() - timedelta(hours=1)

    heartbeat.beat("scheduler", earlier)
    assert heartbeat.last("scheduler") == earlier
    heartbeat.beat("scheduler")

    last = heartbeat.last("scheduler")
    assert last is not None
    assert last > earlier
    assert heartbeat.last("somebody else") is None


@pytest.mark.django_db
def test_one_round_beats_does_every_duty_and_ensures_the_schedules(settings: Any, caplog: Any) -> None:
    settings.SCHEDULER_DUTIES = [f"{HERE}.fail", f"{HERE}.note", "there.is.no.such.duty", f"{HERE}.note"]
    settings.Q_SCHEDULES = {"nightly": {"func": f"{HERE}.note", "cron": "0 3 * * *"}}

    call_command("scheduler", "--once")

    assert len(done) == 2
    assert all(now.tzinfo is not None for now in done)
    assert heartbeat.last(heartbeat.SCHEDULER) is not None
    assert Schedule.objects.filter(name="donna:nightly").count() == 1
    failed = [record.duty for record in caplog.records if hasattr(record, "duty")]
    assert failed == [f"{HERE}.fail", "there.is.no.such.duty"]


@pytest.mark.django_db(transaction=True)
def test_a_stop_ends_the_wait_at_once(settings: Any) -> None:
    settings.SCHEDULER_DUTIES = [f"{HERE}.note"]
    scheduler = Scheduler(poll_s=60)

    def run() -> None:
        scheduler.run()
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    end = time.monotonic() + 10
    while not done and time.monotonic() < end:
        time.sleep(0.01)
    began = time.monotonic()
    scheduler.stop()
    thread.join(10)

    assert len(done) == 1
    assert time.monotonic() - began < 9


@pytest.mark.django_db(transaction=True)
def test_while_the_database_is_away_no_duty_is_tried_and_the_scheduler_asks_again(
    settings: Any, monkeypatch: Any
) -> None:
    settings.SCHEDULER_DUTIES = [f"{HERE}.note"]
    scheduler = Scheduler(poll_s=0.01)

    def away(*_: Any, **__: Any) -> None:
        raise OperationalError("the server closed the connection")

    with monkeypatch.context() as outage:
        outage.setattr(connection, "cursor", away)
        assert scheduler.poll() is False
        assert scheduler.poll() is False
    assert done == []

    assert scheduler.poll() is True
    assert len(done) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_process_stops_at_once_when_it_is_told_to(number: int) -> None:
    with Process("scheduler", DONNA_SCHEDULER_POLL_S="60") as process:
        until(lambda: heartbeat.last(heartbeat.SCHEDULER))
        began = time.monotonic()
        process.tell(number)
        assert process.wait() == 0, process.output
        assert time.monotonic() - began < 30
        assert "The scheduler has stopped." in process.output


@pytest.mark.django_db
def test_schedules_are_created_corrected_and_removed_by_name(settings: Any) -> None:
    by_hand = Schedule.objects.create(name="backup", func="somebody.backup")
    settings.Q_SCHEDULES = {
        "nightly": {"func": "a.nightly", "cron": "0 3 * * *"},
        "sweep": {"func": "a.sweep", "minutes": 15},
    }
    assert schedules.ensure() == schedules.Changes(created=2)
    nightly, sweep = (Schedule.objects.get(name=f"donna:{name}") for name in ("nightly", "sweep"))
    assert nightly.next_run.hour == 3
    assert nightly.next_run > timezone.now()
    assert timedelta(minutes=14) < sweep.next_run - timezone.now() < timedelta(minutes=16)

    settings.Q_SCHEDULES = {"nightly": {"func": "a.nightly", "cron": "30 4 * * *"}}
    assert schedules.ensure() == schedules.Changes(updated=1, removed=1)

    changed = Schedule.objects.get(pk=nightly.pk)
    assert (changed.cron, changed.next_run.hour, changed.next_run.minute) == ("30 4 * * *", 4, 30)
    assert set(Schedule.objects.all()) == {by_hand, changed}


@pytest.mark.django_db
def test_a_schedule_that_is_right_keeps_its_next_run(settings: Any) -> None:
    settings.Q_SCHEDULES = {"sweep": {"func": "a.sweep", "minutes": 15}}
    schedules.ensure()
    soon = timezone.now() + timedelta(minutes=2)
    Schedule.objects.update(next_run=soon)

    assert schedules.ensure() == schedules.Changes()

    assert Schedule.objects.get().next_run == soon


@pytest.mark.django_db
def test_a_schedule_that_is_there_twice_is_there_once_afterwards(settings: Any) -> None:
    settings.Q_SCHEDULES = {"sweep": {"func": "a.sweep", "minutes": 15}}
    schedules.ensure()
    Schedule.objects.create(name="donna:sweep", func="a.sweep", schedule_type=Schedule.MINUTES, minutes=15)

    assert schedules.ensure() == schedules.Changes(removed=1)


@pytest.mark.django_db(transaction=True)
def test_many_schedulers_register_each_schedule_once(settings: Any, at_once: Any) -> None:
    settings.Q_SCHEDULES = {"sweep": {"func": "a.sweep", "minutes": 15}}

    at_once(lambda number: schedules.ensure())

    assert Schedule.objects.count() == 1


@pytest.mark.parametrize("spec", [{}, {"func": "a.b"}, {"func": "a.b", "cron": "* * * * *", "minutes": 1}])
def test_a_schedule_that_says_not_when_or_says_it_twice_is_refused(settings: Any, spec: dict[str, Any]) -> None:
    settings.Q_SCHEDULES = {"sweep": spec}

    with pytest.raises(ImproperlyConfigured, match=r"Q_SCHEDULES\['sweep'\] needs func and either cron or minutes"):
        schedules.ensure()
