"""Routes for evidence: asking for it, reading what the gates said, and what a version needs next."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from jsonschema import Draft202012Validator

from donna_skills.audit.models import AuditEvent
from donna_skills.jobs import services as jobs
from donna_skills.jobs.models import JobRun
from lifecycle.decisions import gateschema
from lifecycle.models import GateDecision, Skill
from lifecycle.services import evidence, verify, versions
from lifecycle.states import State
from tests import builders
from tests.lifecycle.api.conftest import Api
from tests.lifecycle.services.talking import Talking

pytestmark = pytest.mark.django_db


def address(skill: Skill, number: int = 1) -> str:
    return f"skills/{skill.pk}/versions/{number}/verify"


def decided(skill: Skill) -> GateDecision:
    assert skill.current_version is not None
    files = versions.files_of(skill.current_version)
    return evidence.evaluate(skill, files, actor=builders.SYSTEM, models=Talking())


def test_a_bot_asks_for_evidence_and_gets_the_job(api: Api, parse_task: Skill):
    answer = api.post(address(parse_task))
    assert answer.status_code == 202
    job = JobRun.objects.get(kind=verify.KIND)
    assert answer["Location"] == f"/api/v1/jobs/{job.pk}"
    assert (answer.json()["id"], answer.json()["status"]) == (str(job.pk), "queued")
    assert api.post(address(parse_task)).json()["id"] == str(job.pk)


def test_the_same_key_is_the_same_answer(api: Api, parse_task: Skill):
    first = api.post(address(parse_task), **{"Idempotency-Key": "once"})
    again = api.post(address(parse_task), **{"Idempotency-Key": "once"})
    assert again.json() == first.json()
    assert again["Idempotency-Replayed"] == "true"


@pytest.mark.django_db(transaction=True)
def test_the_job_is_read_until_it_is_done_and_names_its_decision(api: Api, parse_task: Skill):
    job_id = api.post(address(parse_task)).json()["id"]
    jobs.run(job_id)

    job = api.get(f"jobs/{job_id}").json()
    assert (job["status"], job["report"]["verdict"]) == ("succeeded", "HOLD")
    document = api.get(f"gate-decisions/{job['report']['decision_id']}").json()
    Draft202012Validator(gateschema.schema()).validate(document)
    assert (document["capability"], document["verdict"], document["decision"]) == ("parse_task", "HOLD", "aborted")


@pytest.mark.parametrize(("role", "status"), [("author", 202), ("reviewer", 202), ("operator", 403), ("viewer", 403)])
def test_a_persons_token_is_asked_for_the_permission(
    as_person: Callable[..., Api], parse_task: Skill, role: str, status: int
):
    answer = as_person(role).post(address(parse_task))
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["code"] == "not_permitted"
        assert AuditEvent.objects.filter(action="version.verify.refused").count() == 1
        assert not JobRun.objects.filter(kind=verify.KIND).exists()


def test_a_token_without_the_scope_may_not(parse_task: Skill):
    reader = Api(builders.bot_token("skills:read")[1])
    assert reader.post(address(parse_task)).status_code == 403
    nobody = Api(builders.bot_token("runs:write")[1])
    assert nobody.get(f"gate-decisions/{uuid4()}").status_code == 403


def test_what_is_not_there_is_not_found(api: Api, parse_task: Skill):
    assert api.post(address(parse_task, 99)).status_code == 404
    assert api.post(f"skills/{uuid4()}/versions/1/verify").status_code == 404
    assert api.get(f"gate-decisions/{uuid4()}").status_code == 404
    assert api.get("gate-decisions/no-id").status_code == 422


def test_a_decision_never_changes_so_its_tag_holds(api: Api):
    decision = decided(builders.skill(State.DRAFT))
    first = api.get(f"gate-decisions/{decision.pk}")
    assert api.get(f"gate-decisions/{decision.pk}", **{"If-None-Match": first["ETag"]}).status_code == 304


def test_what_is_held_out_is_named_and_not_shown(api: Api):
    decision = decided(builders.skill(State.DRAFT))
    secret = "what the holdout case holds"
    stored = evidence.record(
        decision.skill,
        digest=decision.digest,
        inputs_digest="f" * 64,
        results=[],
        evidence={
            "cases": [{"name": "kept", "split": "holdout", "passed": False, "input": secret, "problems": [secret]}]
        },
    )
    answer = api.get(f"gate-decisions/{stored.pk}")
    assert secret not in answer.content.decode()
    assert answer.json()["dataset"]["examples"] == ["kept"]


def test_a_skill_says_what_its_version_needs_next(api: Api):
    skill = builders.skill(State.DRAFT)
    assert api.get(f"skills/{skill.pk}").json()["readiness"] == {
        "version": 1,
        "step": "fixtures_not_passing",
        "sentence": "Its fixtures have not been run.",
        "action": "run_fixtures",
        "verdict": None,
        "decision_id": None,
    }
    decision = decided(skill)
    found = api.get(f"skills/{skill.pk}").json()["readiness"]
    assert (found["step"], found["verdict"], found["decision_id"]) == (
        "waiting_for_review",
        decision.verdict,
        str(decision.pk),
    )


def test_a_draft_that_waits_is_what_something_is_to_be_done_about(api: Api, parse_task: Skill):
    assert api.get(f"skills/{parse_task.pk}").json()["readiness"]["step"] == "released"
    files = versions.files_of(parse_task.current_version) | {"NOTES.md": b"More."}
    builders.version(parse_task, files=files, current=False)
    found = api.get(f"skills/{parse_task.pk}").json()["readiness"]
    assert (found["version"], found["step"]) == (2, "fixtures_not_passing")


def test_a_skill_without_a_version_needs_none(api: Api):
    assert api.get(f"skills/{builders.capability().skill.pk}").json()["readiness"] is None


def test_reading_a_skill_costs_the_same_whatever_it_has(api: Api, django_assert_num_queries: Any):
    skill = builders.skill(State.DRAFT)
    api.get(f"skills/{skill.pk}")  # notes that the token was used
    with CaptureQueriesContext(connection) as first:
        api.get(f"skills/{skill.pk}")
    for number in range(5):
        evidence.record(
            skill, digest=skill.current_version.digest, inputs_digest=str(number) * 64, results=[], evidence={}
        )
        builders.version(skill, current=False)
    with django_assert_num_queries(len(first)):
        assert api.get(f"skills/{skill.pk}").status_code == 200


def test_the_description_of_the_route_has_the_published_schema(client: Any):
    found = client.get("/api/v1/openapi.json").json()
    answer = found["paths"]["/api/v1/gate-decisions/{decision_id}"]["get"]["responses"]["200"]
    described = answer["content"]["application/json"]["schema"]
    assert json.loads(json.dumps(gateschema.schema()["oneOf"])) == described["oneOf"]
