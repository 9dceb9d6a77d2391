"""Progress is written rarely enough to be cheap, and often enough to be believed."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from donna_skills.jobs.leases import Lease
from donna_skills.jobs.models import JobRun, JobStatus
from donna_skills.jobs.progress import JobStopped, Progress

pytestmark = pytest.mark.django_db


@pytest.fixture
def job() -> JobRun:
    return JobRun.objects.create(kind="count", status=JobStatus.RUNNING, lease_owner="me")


def test_a_thousand_steps_are_a_few_writes_and_the_last_one_counts(job: JobRun) -> None:
    progress = Progress(job, Lease("me"))

    with CaptureQueriesContext(
        connection,
    ) as queries:
        for done in range(1, 1001):
            progress(done, 1000, f"step {done}")

    job.refresh_from_db()
    assert (job.progress_done, job.progress_total, job.progress_message) == (1000, 1000, "step 1000")
    assert len(queries) <= 10


def test_what_the_throttle_held_back_is_written_at_the_end(job: JobRun) -> None:
    progress = Progress(job, Lease("me"))
    progress(1, 9)
    progress(2, 9, "x" * 1000)

    progress.flush()

    job.refresh_from_db()
    assert (job.progress_done, job.progress_message) == (2, "x" * 300)


@pytest.mark.parametrize("change", [{"status": "cancelled"}, {"lease_owner": "somebody else"}])
def test_progress_of_a_job_that_is_no_longer_ours_stops_the_handler(job: JobRun, change: dict[str, Any]) -> None:
    JobRun.objects.update(**change)

    with pytest.raises(JobStopped):
        Progress(job, Lease("me"))(1, 9)


def test_a_lost_lease_stops_the_handler(job: JobRun) -> None:
    lease = Lease("me")
    lease.lose()

    with pytest.raises(JobStopped):
        Progress(job, lease)(1, 9)
