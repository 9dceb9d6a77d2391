"""A job from being asked for to being over."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from django_q.brokers import get_broker

from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import User
from donna_skills.errors import AlreadyDecided, NotFound
from donna_skills.jobs import leases, services
from donna_skills.jobs.models import JobRun, JobStatus

pytestmark = pytest.mark.django_db


def state(job: JobRun) -> str:
    job.refresh_from_db()
    return job.status


def test_a_job_says_who_asked_for_it_and_about_what() -> None:
    anna = User.objects.create_user("anna")

    job = services.enqueue("count", by=Actor.person(anna), subject=anna, arguments={"to": 2})

    assert (job.requested_by, job.requested_label) == (anna, "person anna")
    assert (job.subject_type, job.subject_id, job.arguments) == ("user", str(anna.pk), {"to": 2})
    assert job.status == JobStatus.QUEUED


def test_an_unknown_kind_is_refused(by: Actor) -> None:
    with pytest.raises(NotFound, match="no kind of job called 'juggle'"):
        services.enqueue("juggle", by=by)
    assert not JobRun.objects.exists()


def test_an_open_job_with_the_same_key_is_returned(by: Actor) -> None:
    first = services.enqueue("count", by=by, key="today")

    assert services.enqueue("count", by=by, key="today") == first
    assert services.enqueue("count", by=by, key="tomorrow") != first
    assert services.enqueue("swallow", by=by, key="today") != first
    services.run(first.pk)
    assert services.enqueue("count", by=by, key="today") != first


def test_jobs_without_a_key_never_collide(by: Actor) -> None:
    assert services.enqueue("count", by=by) != services.enqueue("count", by=by)


@pytest.mark.django_db(transaction=True)
def test_of_many_that_ask_at_once_all_get_the_one_job(by: Actor, at_once: Any) -> None:
    get_broker().purge_queue()
    jobs = at_once(lambda number: services.enqueue("count", by=by, key="once").pk, threads=6)

    assert len(set(jobs)) == 1
    assert JobRun.objects.count() == 1
    assert get_broker().queue_size() == 1


@pytest.mark.django_db(transaction=True)
def test_a_job_is_handed_over_only_when_its_transaction_commits(by: Actor) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        services.enqueue("count", by=by)
        raise ZeroDivisionError
    assert not JobRun.objects.exists()

    with transaction.atomic():
        job = services.enqueue("count", by=by)
        assert JobRun.objects.get(pk=job.pk).hand_overs == 0
    assert JobRun.objects.get(pk=job.pk).hand_overs == 1


def test_a_run_ends_with_its_report_and_its_progress(by: Actor) -> None:
    job = services.run(services.enqueue("count", by=by, arguments={"to": 5}).pk)

    assert job is not None
    assert (job.status, job.report, job.error) == (JobStatus.SUCCEEDED, {"counted": 5}, "")
    assert (job.progress_done, job.progress_total, job.progress_message) == (5, 5, "Counted to 5")
    assert (job.lease_owner, job.lease_until, job.attempts) == ("", None, 1)
    assert job.started_at and job.finished_at and job.started_at <= job.finished_at


def test_running_a_job_twice_does_it_once(by: Actor) -> None:
    job = services.enqueue("swallow", by=by)
    assert services.run(job.pk) is not None

    assert services.run(job.pk) is None
    assert services.run(str(job.pk)) is None

    job.refresh_from_db()
    assert job.attempts == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_one_runs_the_job(by: Actor, at_once: Any) -> None:
    job = services.enqueue("count", by=by)

    ran = at_once(lambda number: services.run(job.pk) is not None)

    assert sorted(ran) == [False, False, False, True]
    assert state(job) == JobStatus.SUCCEEDED
    assert job.attempts == 1


def test_an_expected_error_is_its_message_and_no_traceback(by: Actor, caplog: Any) -> None:
    job = services.run(services.enqueue("refuse", by=by).pk)

    assert job is not None
    assert (job.status, job.error_code) == (JobStatus.FAILED, "conflict")
    assert job.error == "There is nothing to count today."
    assert not [record for record in caplog.records if record.exc_info]


def test_an_unexpected_error_is_told_apart_and_logged_with_its_traceback(by: Actor, caplog: Any) -> None:
    job = services.run(services.enqueue("crash", by=by).pk)

    assert job is not None
    assert (job.status, job.error_code) == (JobStatus.FAILED, "unexpected")
    assert job.error == "ZeroDivisionError: division by zero"
    assert (job.progress_done, job.progress_total) == (1, 2)
    assert [record for record in caplog.records if record.exc_info and record.levelno == logging.ERROR]


def test_a_job_that_overruns_the_worker_s_alarm_is_failed_not_left_running(by: Actor) -> None:
    job = services.run(services.enqueue("overrun", by=by).pk)

    assert job is not None
    assert (job.status, job.error_code) == (JobStatus.FAILED, "timed_out")


def test_a_queued_job_can_be_cancelled_and_then_does_not_run(by: Actor) -> None:
    job = services.enqueue("count", by=by)

    services.cancel(job, by=by)

    assert (job.status, job.error) == (JobStatus.CANCELLED, "Cancelled by system test.")
    assert services.run(job.pk) is None
    assert state(job) == JobStatus.CANCELLED


def test_a_running_job_that_is_cancelled_stops_at_its_next_progress(by: Actor) -> None:
    job = services.run(services.enqueue("cancel_itself", by=by).pk)

    assert job is not None
    assert (job.status, job.report, job.error) == (JobStatus.CANCELLED, {}, "Cancelled by system test.")


def test_what_is_over_cannot_be_cancelled(by: Actor) -> None:
    job = services.run(services.enqueue("count", by=by).pk)
    assert job is not None

    with pytest.raises(AlreadyDecided, match="it is succeeded"):
        services.cancel(job, by=by)
    assert state(job) == JobStatus.SUCCEEDED


def test_a_job_whose_worker_has_gone_is_interrupted(by: Actor) -> None:
    now = timezone.now()
    gone, alive, waiting = (services.enqueue("count", by=by, key=name) for name in ("gone", "alive", "waiting"))
    for job, until in ((gone, now - timedelta(seconds=1)), (alive, now + timedelta(seconds=30))):
        JobRun.objects.filter(pk=job.pk).update(status=JobStatus.RUNNING, lease_owner="w", lease_until=until)

    assert services.reap(now) == 1
    assert services.reap(now) == 0

    assert [state(job) for job in (gone, alive, waiting)] == ["interrupted", "running", "queued"]
    assert (gone.lease_owner, gone.lease_until, gone.finished_at) == ("", None, now)
    # The key is free again.
    assert services.enqueue("count", by=by, key="gone") != gone


def test_a_worker_that_was_given_up_for_dead_cannot_settle_its_job(by: Actor) -> None:
    job = services.enqueue("count", by=by)
    owner = leases.new_owner()
    rows = JobRun.objects.filter(pk=job.pk)
    leases.claim(rows, owner=owner, from_statuses=["queued"], to_status="running", now=timezone.now())
    services.reap(timezone.now() + timedelta(minutes=2))

    assert rows.filter(status=JobStatus.RUNNING, lease_owner=owner).update(status=JobStatus.SUCCEEDED) == 0
    assert state(job) == JobStatus.INTERRUPTED


def test_a_task_that_the_broker_lost_is_handed_over_again_ever_less_often(
    by: Actor, django_capture_on_commit_callbacks: Any
) -> None:
    broker = get_broker()
    broker.purge_queue()
    with django_capture_on_commit_callbacks(execute=True):
        job = services.enqueue("count", by=by)
    assert broker.queue_size() == 1
    broker.purge_queue()
    start = timezone.now()

    handed = [services.redeliver(start + timedelta(seconds=at)) for at in (30, 61)]
    assert handed == [0, 1]
    JobRun.objects.filter(pk=job.pk).update(handed_over_at=start + timedelta(seconds=61))
    assert [services.redeliver(start + timedelta(seconds=at)) for at in (122, 182)] == [0, 1]
    assert broker.queue_size() == 2


def test_a_job_that_never_reached_the_broker_is_handed_over(by: Actor) -> None:
    job = services.enqueue("count", by=by)  # the test's transaction never commits

    assert services.redeliver(timezone.now()) == 0
    assert services.redeliver(timezone.now() + timedelta(seconds=61)) == 1

    job.refresh_from_db()
    assert job.hand_overs == 1


@pytest.mark.django_db(transaction=True)
def test_many_schedulers_hand_a_lost_job_over_once(by: Actor, at_once: Any) -> None:
    job = JobRun.objects.create(kind="count", created_at=timezone.now() - timedelta(minutes=5))

    assert sum(at_once(lambda number: services.redeliver(timezone.now()))) == 1

    job.refresh_from_db()
    assert job.hand_overs == 1


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_away_costs_neither_the_request_nor_the_job(by: Actor, monkeypatch: Any) -> None:
    import redis
    from django_q import tasks
    from django_q.brokers.redis_broker import Redis

    class NobodyThere(Redis):
        @staticmethod
        def get_connection(list_key: str | None = None) -> redis.Redis:
            return redis.from_url("redis://127.0.0.1:1/0")

    monkeypatch.setattr(tasks, "get_broker", lambda *_: NobodyThere())

    job = services.enqueue("count", by=by)

    assert state(job) == JobStatus.QUEUED
    monkeypatch.undo()
    assert services.redeliver(timezone.now() + timedelta(seconds=61)) == 1
