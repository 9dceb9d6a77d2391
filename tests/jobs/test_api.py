"""Jobs over HTTP: how far they are, and how they ended."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from donna_skills.accounts import tokens
from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import Scope, TokenKind, User
from donna_skills.jobs import services

pytestmark = pytest.mark.django_db


@pytest.fixture
def headers() -> dict[str, str]:
    return bearer(Scope.SKILLS_READ)


def bearer(*scopes: Scope) -> dict[str, str]:
    owner, _ = User.objects.get_or_create(username="owner")
    _, raw = tokens.create(name="bot", owner=owner, scopes=list(scopes), kind=TokenKind.BOT, by=Actor.system("test"))
    return {"Authorization": f"Bearer {raw}"}


def test_a_job_is_shown_with_progress_report_and_who_asked(client: Client, headers: Any, by: Actor) -> None:
    job = services.run(services.enqueue("count", by=by, arguments={"to": 4}).pk)
    assert job is not None

    shown = client.get(f"/api/v1/jobs/{job.pk}", headers=headers).json()

    assert shown["status"] == "succeeded"
    assert shown["progress"] == {"done": 4, "total": 4, "message": "Counted to 4"}
    assert shown["report"] == {"counted": 4}
    assert (shown["requested_by"], shown["kind"], shown["error"]) == ("system test", "count", "")


def test_a_job_that_has_not_changed_is_not_sent_again(client: Client, headers: Any, by: Actor) -> None:
    job = services.enqueue("count", by=by)
    etag = client.get(f"/api/v1/jobs/{job.pk}", headers=headers)["ETag"]
    again = {**headers, "If-None-Match": etag}
    assert client.get(f"/api/v1/jobs/{job.pk}", headers=again).status_code == 304

    services.run(job.pk)

    assert client.get(f"/api/v1/jobs/{job.pk}", headers=again).status_code == 200


def test_jobs_are_listed_newest_first_and_filtered(client: Client, headers: Any, by: Actor) -> None:
    done = services.run(services.enqueue("count", by=by).pk)
    failed = services.run(services.enqueue("refuse", by=by).pk)
    queued = services.enqueue("count", by=by)
    assert done and failed

    def ids(**query: str) -> list[str]:
        answer = client.get("/api/v1/jobs", query, headers=headers).json()
        assert answer["count"] == len(answer["items"])
        return [item["id"] for item in answer["items"]]

    assert ids() == [str(job.pk) for job in (queued, failed, done)]
    assert ids(status="failed") == [str(failed.pk)]
    assert ids(kind="count") == [str(queued.pk), str(done.pk)]
    assert ids(kind="count", status="failed") == []
    assert client.get("/api/v1/jobs", {"status": "sleepy"}, headers=headers).status_code == 422


def test_a_list_leaves_the_reports_out_and_costs_the_same_whatever_it_lists(
    client: Client, headers: Any, by: Actor
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            found = client.get("/api/v1/jobs", headers=headers).json()["items"]
        assert all("report" not in job and job["status"] == "succeeded" for job in found)
        return len(seen)

    services.run(services.enqueue("count", by=by, arguments={"to": 4}).pk)
    queries()  # the first request of a token writes down that it is in use
    one = queries()
    for _ in range(4):
        services.run(services.enqueue("count", by=by, arguments={"to": 4}).pk)
    assert queries() == one


def test_an_unknown_job_is_not_found_and_the_scope_is_asked_for(client: Client, headers: Any) -> None:
    assert client.get(f"/api/v1/jobs/{uuid4()}", headers=headers).status_code == 404
    assert client.get("/api/v1/jobs/nonsense", headers=headers).status_code in (404, 422)
    assert client.get("/api/v1/jobs", headers=bearer(Scope.EVENTS_READ)).status_code == 403
    assert client.get("/api/v1/jobs").status_code == 401
