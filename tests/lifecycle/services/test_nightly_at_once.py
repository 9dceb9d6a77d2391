"""Several schedulers, a command and a bot ask for a night at the same instant: one night runs."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from donna_skills.accounts.actors import Actor
from donna_skills.jobs import services as jobs
from donna_skills.jobs.models import JobRun, JobStatus
from donna_skills.notifications.models import Notification
from lifecycle.models import Review, ReviewKind
from lifecycle.services import nightly, reminders, reviews
from lifecycle.states import State
from tests import builders

pytestmark = pytest.mark.django_db(transaction=True)

DUE = datetime(2026, 11, 21, 3, tzinfo=UTC)


def at_once(*functions: Callable[[], Any]) -> list[Any]:
    """Each in a thread with a connection of its own, all let go together."""
    barrier = Barrier(len(functions))

    def one(function: Callable[[], Any]) -> Any:
        try:
            barrier.wait()
            return function()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(functions)) as pool:
        return list(pool.map(one, functions))


def test_of_many_schedulers_one_asks_for_the_night():
    found = at_once(*[lambda: nightly.wake(DUE)] * 4)
    assert len([job for job in found if job]) == 1
    assert JobRun.objects.count() == 1


def test_a_night_that_was_over_before_the_others_looked_stays_the_only_one():
    def whole() -> None:
        if job := nightly.wake(DUE):
            JobRun.objects.filter(pk=job.pk).update(status=JobStatus.SUCCEEDED, finished_at=DUE)

    at_once(*[whole] * 4)
    assert JobRun.objects.count() == 1


def test_two_nights_that_are_started_at_once_are_one():
    def start() -> Any:
        return jobs.run(nightly.request(by=Actor.system("test")).pk)

    found = at_once(start, start)
    ran = [job for job in found if job]
    assert {job.status for job in ran} == {JobStatus.SUCCEEDED}
    assert all(job.attempts == 1 for job in JobRun.objects.all())
    begun = sorted((job.started_at, job.finished_at) for job in JobRun.objects.all())
    assert all(earlier[1] <= later[0] for earlier, later in pairwise(begun))


def test_two_nights_remind_a_person_once():
    reviewer = builders.person("reviewer")
    skill = builders.skill(State.DRAFT)
    reviews.open_review(
        ReviewKind.DRAFT, capability=skill.capability, version=skill.current_version, actor=builders.SYSTEM
    )
    now = Review.objects.get().opened_at + timedelta(minutes=1)
    at_once(*[lambda: reminders.send(now)] * 3)
    assert Notification.objects.filter(person=reviewer, event__kind=reminders.KIND).count() == 1
