"""A night on real workers that die under it, in one step after the other: it is gone on with, nothing is done twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone
from django_q.brokers import get_broker

from donna_skills.jobs import services as jobs
from donna_skills.jobs.models import JobRun, JobStatus
from donna_skills.llm.models import ModelCall
from donna_skills.llm.port import Purpose
from donna_skills.notifications.models import Notification
from lifecycle.models import Candidate, DraftAttempt, ReviewKind
from lifecycle.services import nightly, reminders, reviews
from lifecycle.states import State
from tests import builders
from tests.jobs.processes import Process, until
from tests.lifecycle.services import nights

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _an_empty_broker(settings: Any) -> Iterator[None]:
    settings.JOB_HANDLERS = {nightly.KIND: nights.DEADLY_HANDLER}
    get_broker().purge_queue()
    yield
    get_broker().purge_queue()


def status_of(job: JobRun) -> str:
    job.refresh_from_db()
    return job.status


def test_a_night_whose_workers_die_in_three_steps_is_whole_in_the_end_and_pays_for_nothing_twice():
    reviewer = builders.person("reviewer")
    builders.candidate(builders.skill())
    waiting = builders.skill(State.DRAFT)
    reviews.open_review(
        ReviewKind.DRAFT, capability=waiting.capability, version=waiting.current_version, actor=builders.SYSTEM
    )
    due = nightly.due_at(timezone.now())
    job = nightly.wake(due)
    with Process("qcluster", DJANGO_SETTINGS_MODULE="tests.services.settings", DONNA_WORKERS="2"):
        for _ in nights.DEADLY:
            assert job is not None
            until(lambda: jobs.reap(timezone.now()) == 1)
            assert (status_of(job), nightly.wake(due) is not None) == (JobStatus.INTERRUPTED, True)
            assert nightly.wake(due) is None  # its continuation is asked for already
            job = JobRun.objects.filter(kind=nightly.KIND).first()
        assert job is not None
        until(lambda: status_of(job) not in {JobStatus.QUEUED, JobStatus.RUNNING})

    assert (job.status, job.error) == (JobStatus.SUCCEEDED, "")
    begun = {step["step"]: step["begun"] for step in job.report["steps"]}
    assert begun == {step.name: 2 if step.name in nights.DEADLY else 1 for step in nightly.STEPS}
    assert {step["status"] for step in job.report["steps"]} == {"done"}
    assert JobRun.objects.filter(kind=nightly.KIND).count() == 1 + len(nights.DEADLY)
    assert nightly.wake(due) is None

    assert Candidate.objects.count() == 1
    assert DraftAttempt.objects.count() == 1
    assert ModelCall.objects.filter(purpose=Purpose.DRAFT).count() == 1
    assert Notification.objects.filter(person=reviewer, event__kind=reminders.KIND).count() == 1
