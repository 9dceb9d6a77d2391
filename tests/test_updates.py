"""Prepared statements do what Django's own do: conditional updates, rows that are held, inserts that clash."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from donna_skills.inserts import PreparedInsert
from donna_skills.jobs.models import JobRun, JobStatus
from donna_skills.lookups import UniqueLookup
from donna_skills.updates import PreparedUpdate

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
FINISH = PreparedUpdate(
    JobRun, set=["status", "lease_until", "arguments"], add=["attempts"], where=["id", "lease_owner"]
)
VALUES = {"status": JobStatus.RUNNING, "lease_until": NOW, "arguments": {"a": [1, None]}, "attempts": 2}


def job() -> JobRun:
    return JobRun.objects.create(kind="count", lease_owner="a", attempts=1)


def test_an_update_changes_the_row_that_is_as_asked_for():
    one, other = job(), job()
    assert FINISH.run(VALUES, where={"id": one.pk, "lease_owner": "a"}) == 1
    one.refresh_from_db()
    other.refresh_from_db()
    assert (one.status, one.lease_until, one.arguments, one.attempts) == ("running", NOW, {"a": [1, None]}, 3)
    assert (other.status, other.attempts) == (JobStatus.QUEUED, 1)


def test_an_update_of_a_row_that_is_somebody_elses_changes_nothing():
    one = job()
    assert FINISH.run(VALUES, where={"id": one.pk, "lease_owner": "b"}) == 0
    one.refresh_from_db()
    assert (one.status, one.attempts) == (JobStatus.QUEUED, 1)


def test_a_value_that_is_missing_is_an_error_before_anything_is_sent():
    with CaptureQueriesContext(connection) as sent, pytest.raises(KeyError):
        FINISH.run({"status": JobStatus.RUNNING}, where={"id": job().pk, "lease_owner": "a"})
    assert not [query for query in sent.captured_queries if query["sql"].startswith("UPDATE")]


def test_a_row_is_held_where_the_database_can_hold_one():
    one, held = job(), UniqueLookup(JobRun, "id", lock=True)
    with CaptureQueriesContext(connection) as sent, transaction.atomic():
        found = held.get(one.pk)
    assert found == one
    assert connection.features.has_select_for_update == any("FOR UPDATE" in one["sql"] for one in sent.captured_queries)


def test_a_row_that_was_created_is_stored_and_can_be_saved_again_and_its_twin_is_refused():
    insert = PreparedInsert(JobRun)
    made = insert.create(JobRun(kind="count"))
    made.attempts = 7
    made.save()
    assert JobRun.objects.get().attempts == 7
    with pytest.raises(IntegrityError, match="stands in the way"):
        insert.create(JobRun(id=made.pk, kind="count"))
