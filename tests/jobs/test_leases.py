"""One worker at a time, for as long as it lives."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.utils import timezone

from donna_skills.jobs import leases
from donna_skills.jobs.models import JobRun, JobStatus


def queued(**fields: Any) -> JobRun:
    return JobRun.objects.create(kind="count", **fields)


def claim(job: JobRun, owner: str, **also: Any) -> bool:
    return leases.claim(
        JobRun.objects.filter(pk=job.pk),
        owner=owner,
        from_statuses=[JobStatus.QUEUED],
        to_status=JobStatus.RUNNING,
        now=timezone.now(),
        **also,
    )


@pytest.mark.django_db
def test_a_claim_writes_owner_lease_and_whatever_comes_with_it() -> None:
    job = queued()
    before = timezone.now()

    assert claim(job, "a", attempts=F("attempts") + 1)

    job.refresh_from_db()
    assert (job.status, job.lease_owner, job.attempts) == (JobStatus.RUNNING, "a", 1)
    assert job.lease_until is not None
    assert timedelta(seconds=55) < job.lease_until - before < timedelta(seconds=65)


@pytest.mark.django_db
def test_a_second_claim_and_a_claim_from_another_status_change_nothing() -> None:
    job = queued()
    assert claim(job, "a")

    assert not claim(job, "b", attempts=9)

    job.refresh_from_db()
    assert (job.lease_owner, job.attempts) == ("a", 0)


@pytest.mark.django_db(transaction=True)
def test_of_many_that_claim_at_once_one_wins(at_once: Any) -> None:
    for _ in range(5):
        job = queued()
        won = at_once(lambda number, job=job: claim(job, f"worker {number}"))
        assert sorted(won) == [False, False, False, True]
        job.refresh_from_db()
        assert job.lease_owner == f"worker {won.index(True)}"


@pytest.mark.django_db(transaction=True)
def test_a_lease_is_renewed_while_the_work_goes_on() -> None:
    job = queued()
    claim(job, "a", lease_s=1)
    JobRun.objects.filter(pk=job.pk).update(lease_until=timezone.now() + timedelta(seconds=1))

    with leases.renewing(JobRun, job.pk, "a", lease_s=1, every_s=0.1) as lease:
        time.sleep(1.5)
        assert not leases.expired(JobRun, timezone.now()).exists()
        assert not lease.lost

    time.sleep(1.2)
    assert list(leases.expired(JobRun, timezone.now())) == [job]


@pytest.mark.django_db(transaction=True)
def test_a_lease_that_somebody_else_holds_now_is_lost() -> None:
    job = queued()
    claim(job, "a")

    with leases.renewing(JobRun, job.pk, "a", every_s=0.05) as lease:
        JobRun.objects.filter(pk=job.pk).update(lease_owner="b")
        _until(lambda: lease.lost)

    job.refresh_from_db()
    assert job.lease_owner == "b"


@pytest.mark.django_db(transaction=True)
def test_the_renewing_thread_ends_with_the_block_even_when_the_block_fails() -> None:
    job = queued()
    claim(job, "a")

    with pytest.raises(ZeroDivisionError), leases.renewing(JobRun, job.pk, "a", every_s=0.05):
        _until(lambda: _keepers(job))
        raise ZeroDivisionError

    assert not _keepers(job)


@pytest.mark.django_db
def test_work_that_is_over_before_a_renewal_is_due_costs_no_thread() -> None:
    job = queued()
    claim(job, "a")

    with leases.renewing(JobRun, job.pk, "a", every_s=0.05):
        pass

    with leases.renewing(JobRun, job.pk, "another", every_s=60):
        assert not _keepers(job)
    assert JobRun.objects.get(pk=job.pk).lease_owner == "a"


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_locked_for_a_while_does_not_cost_the_lease() -> None:
    job = queued()
    claim(job, "a")
    locked, release = threading.Event(), threading.Event()

    def hold_the_row() -> None:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN IMMEDIATE" if connection.vendor == "sqlite" else "BEGIN")
            cursor.execute("UPDATE jobs_jobrun SET progress_done = 1")
            locked.set()
            release.wait(5)
            cursor.execute("COMMIT")
        connection.close()

    holder = threading.Thread(target=hold_the_row)
    holder.start()
    assert locked.wait(5)
    with leases.renewing(JobRun, job.pk, "a", every_s=0.05) as lease:
        time.sleep(0.5)
        release.set()
        holder.join()
        was = JobRun.objects.get(pk=job.pk).lease_until
        _until(lambda: JobRun.objects.get(pk=job.pk).lease_until != was)
        assert not lease.lost


@pytest.mark.django_db
def test_expired_leaves_out_rows_without_a_lease_and_with_a_live_one() -> None:
    now = timezone.now()
    queued()
    queued(lease_owner="alive", lease_until=now + timedelta(seconds=1))
    gone = queued(lease_owner="gone", lease_until=now - timedelta(seconds=1))

    assert list(leases.expired(JobRun, now)) == [gone]


def test_owners_differ() -> None:
    assert leases.new_owner() != leases.new_owner()
    assert len(leases.new_owner()) <= 120


def _keepers(job: JobRun) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == f"lease-{job.pk}"]


def _until(condition: Any, seconds: float = 5) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "It did not happen in time."
        time.sleep(0.02)
