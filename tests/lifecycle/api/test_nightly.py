"""The route that starts a night."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from donna_skills.jobs import services as jobs
from donna_skills.jobs.models import JobRun
from tests import builders
from tests.lifecycle.api.conftest import Api

pytestmark = pytest.mark.django_db


def test_a_bot_starts_a_rehearsal_and_reads_what_would_be(api: Api):
    answer = api.post("jobs/nightly", {"dry_run": True})
    body = answer.json()
    assert (answer.status_code, body["kind"], body["status"]) == (202, "lifecycle.nightly", "queued")
    assert answer["Location"] == f"/api/v1/jobs/{body['id']}"
    jobs.run(body["id"])
    seen = api.get(f"jobs/{body['id']}").json()
    assert (seen["status"], seen["report"]["dry_run"]) == ("succeeded", True)
    assert len(seen["report"]["steps"]) == 7


def test_a_second_one_is_the_one_that_is_under_way(api: Api):
    first, second = api.post("jobs/nightly"), api.post("jobs/nightly", {"dry_run": False})
    assert first.status_code == second.status_code == 202
    assert first.json()["id"] == second.json()["id"]
    assert first.json()["requested_by"].startswith("bot ")
    assert JobRun.objects.count() == 1


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("operator", 202), ("author", 202), ("reviewer", 202)])
def test_whom_a_persons_token_lets_start_one(as_person: Callable[[str], Api], role: str, status: int):
    assert as_person(role).post("jobs/nightly").status_code == status
    assert JobRun.objects.count() == (status == 202)


def test_what_is_not_allowed_or_not_valid_starts_nothing(api: Api):
    reader = Api(builders.bot_token("skills:read", "runs:write")[1])
    assert reader.post("jobs/nightly").status_code == 403
    assert Api("dsk_nobody").post("jobs/nightly").status_code == 401
    for body in ({"dry_run": "perhaps"}, {"as_of": "2026-01-01"}, [], "{"):
        assert api.post("jobs/nightly", body).status_code == 422, body
    assert api.get("jobs/nightly").status_code == 405
    assert not JobRun.objects.exists()


def test_the_same_request_twice_under_one_key_is_one(api: Api):
    first = api.post("jobs/nightly", {"dry_run": True}, **{"Idempotency-Key": "night"})
    jobs.run(first.json()["id"])
    again = api.post("jobs/nightly", {"dry_run": True}, **{"Idempotency-Key": "night"})
    assert (again.json(), again["Idempotency-Replayed"]) == (first.json(), "true")
