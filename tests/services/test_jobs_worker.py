"""Real workers on the real broker: they work, they die, and nothing is lost or done twice."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from django_q.brokers import get_broker

from donna_skills.accounts.actors import Actor
from donna_skills.jobs import leases, services
from donna_skills.jobs.models import JobRun, JobStatus
from tests.jobs.handler_names import HANDLERS
from tests.jobs.processes import Process, until

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _an_empty_broker(settings: Any) -> Iterator[None]:
    settings.JOB_HANDLERS = HANDLERS
    get_broker().purge_queue()
    yield
    get_broker().purge_queue()


@pytest.fixture
def by() -> Actor:
    return Actor.system("test")


def workers() -> Process:
    return Process("qcluster", DJANGO_SETTINGS_MODULE="tests.services.settings", DONNA_WORKERS="2")


def state(job: JobRun) -> str:
    job.refresh_from_db()
    return job.status


def test_a_worker_carries_a_job_out_and_its_lease_is_renewed_meanwhile(by: Actor) -> None:
    with workers():
        short = services.enqueue("count", by=by)
        long = services.enqueue("sleep", by=by, arguments={"seconds": 6})

        until(lambda: state(short) == JobStatus.SUCCEEDED)
        until(lambda: state(long) == JobStatus.RUNNING)
        while state(long) == JobStatus.RUNNING:
            assert services.reap(timezone.now()) == 0
            time.sleep(0.1)

    assert (long.status, long.report) == (JobStatus.SUCCEEDED, {"slept": 6})


def test_a_job_whose_machine_died_in_the_middle_is_reaped_as_interrupted(by: Actor) -> None:
    with workers() as cluster:
        job = services.enqueue("sleep", by=by, key="nightly", arguments={"seconds": 60})
        until(lambda: state(job) == JobStatus.RUNNING)
        cluster.kill()

    assert services.reap(timezone.now()) == 0  # its lease still runs
    until(lambda: leases.expired(JobRun, timezone.now()).exists(), seconds=10)
    assert services.reap(timezone.now()) == 1
    assert (state(job), job.error_code) == (JobStatus.INTERRUPTED, "interrupted")

    with workers():
        again = services.enqueue("count", by=by, key="nightly")
        until(lambda: state(again) == JobStatus.SUCCEEDED)
    assert state(job) == JobStatus.INTERRUPTED


def test_a_worker_that_dies_alone_is_replaced_and_its_job_reaped(by: Actor) -> None:
    with workers():
        doomed = services.enqueue("kill_its_worker", by=by)
        until(lambda: services.reap(timezone.now()) == 1)
        after = [services.enqueue("count", by=by) for _ in range(4)]
        for job in after:
            until(lambda job=job: state(job) == JobStatus.SUCCEEDED)

    assert state(doomed) == JobStatus.INTERRUPTED


def test_jobs_that_the_broker_lost_are_handed_over_again(by: Actor) -> None:
    jobs = [services.enqueue("count", by=by) for _ in range(5)]
    get_broker().purge_queue()

    with workers():
        time.sleep(1)
        assert {state(job) for job in jobs} == {JobStatus.QUEUED}
        assert services.redeliver(timezone.now() + timedelta(seconds=61)) == 5
        for job in jobs:
            until(lambda job=job: state(job) == JobStatus.SUCCEEDED)

    assert {job.attempts for job in jobs} == {1}


def test_a_job_that_was_handed_over_many_times_is_done_once(by: Actor) -> None:
    job = services.enqueue("count", by=by)
    for minutes in (2, 4, 8):
        JobRun.objects.filter(pk=job.pk).update(handed_over_at=timezone.now() - timedelta(minutes=minutes))
        services.redeliver(timezone.now() + timedelta(hours=1))
    assert get_broker().queue_size() >= 2

    with workers():
        until(lambda: state(job) == JobStatus.SUCCEEDED)
        until(lambda: get_broker().queue_size() == 0)
        time.sleep(1)

    assert (state(job), job.attempts) == (JobStatus.SUCCEEDED, 1)


def test_a_cluster_that_is_told_to_stop_leaves_no_process(by: Actor) -> None:
    with workers() as cluster:
        job = services.enqueue("count", by=by)
        until(lambda: state(job) == JobStatus.SUCCEEDED)
        cluster.tell(signal.SIGTERM)
        assert cluster.wait() == 0
        until(cluster.is_empty, seconds=5)
