"""The routes for drafting: asking for a draft at once, and the list of skills in draft."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from donna_skills.accounts.actors import Actor
from donna_skills.jobs import services as jobs
from donna_skills.jobs.models import JobRun
from lifecycle.services import candidates, drafts
from lifecycle.services.drafts import ACTOR
from lifecycle.states import State
from tests import builders
from tests.lifecycle import guests
from tests.lifecycle.api.conftest import Api

pytestmark = pytest.mark.django_db
People = Callable[[str], Api]


def test_a_bot_has_a_candidate_drafted_and_reads_what_came_of_it(api: Api):
    candidate = guests.candidate()
    path = f"skill-candidates/{candidate.pk}/draft-now"
    asked = api.post(path)
    assert asked.status_code == 202, asked.json()
    job_id = asked.json()["job_id"]
    assert asked["Location"] == f"/api/v1/jobs/{job_id}"
    assert api.post(path, {}).json()["job_id"] == job_id
    assert api.post(path, {"force": True}).status_code == 422
    jobs.run(job_id)
    report = api.get(f"jobs/{job_id}").json()["report"]
    assert (report["status"], report["version"], report["verdict"]) == ("accepted", 1, "HOLD")
    again = api.post(path)
    assert (again.status_code, again.json()["code"]) == (409, "not_open")
    assert JobRun.objects.count() == 1


def test_what_is_not_allowed_or_not_there_says_so(api: Api, as_person: People):
    candidate = guests.candidate()
    path = f"skill-candidates/{candidate.pk}/draft-now"
    reader = Api(builders.bot_token("skills:read")[1])
    assert reader.post(path).status_code == 403
    assert as_person("viewer").post(path).status_code == 403
    missing = api.post(f"skill-candidates/{candidate.capability_id}/draft-now")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    candidates.dismiss(candidate, by=Actor.person(builders.person("author")), reason="No.")
    assert api.post(path).json()["code"] == "not_open"
    assert not JobRun.objects.exists()


def test_skills_in_draft_say_where_they_came_from_and_what_they_wait_for(api: Api, django_assert_max_num_queries: Any):
    candidate = guests.candidate()
    drafts.write(candidate, actor=ACTOR, now=timezone.now())
    for _ in range(4):
        builders.skill(State.DRAFT)
    builders.skill(State.SANDBOX)
    with django_assert_max_num_queries(11):
        body = api.get("skill-drafts").json()
    assert body["count"] == len(body["items"]) == 5
    found = {item["capability"]: item for item in body["items"]}
    drafted = found.pop("guest_notes")
    assert drafted["candidate"] == {
        "id": str(candidate.pk),
        "expected_savings_usd": "8.500000",
        "volume": 100,
        "mean_cost_usd": "0.100000",
    }
    assert (drafted["verdict"], drafted["stage"], drafted["review_needed"]) == ("HOLD", "waiting_for_review", True)
    assert drafted["reasons"] and drafted["why"].startswith("The gates are waiting for more evidence;")
    assert {(item["verdict"], item["candidate"], item["stage"]) for item in found.values()} == {
        (None, None, "nothing_asked")
    }
