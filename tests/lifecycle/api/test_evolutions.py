"""The routes that better a skill: improve, evolutions, rollback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from lifecycle.models import AttemptStatus, Evolution, Skill
from lifecycle.services import transitions
from lifecycle.states import Reason, State
from tests import builders
from tests.lifecycle.api.conftest import Api
from tests.lifecycle.services.evolving import degraded

pytestmark = pytest.mark.django_db
People = Callable[[str], Api]


def withdrawn() -> Skill:
    skill = builders.skill(State.TRUSTED)
    from donna_skills.accounts.actors import Actor

    reviewer = Actor.person(builders.person("reviewer"))
    transitions.move(skill, State.CLAUDE_NATIVE, reason=Reason.MANUAL_OVERRIDE, actor=reviewer)
    return skill


def test_a_reviewers_token_rolls_back_and_a_bots_cannot(api: Api, as_person: People):
    skill = withdrawn()
    path = f"skills/{skill.pk}/rollback"
    refused = api.post(path, {"version": 1})
    assert (refused.status_code, refused.json()["code"]) == (403, "human_gate_required")
    assert as_person("author").post(path, {"version": 1}).status_code == 403
    answer = as_person("reviewer").post(path, {"version": 1, "note": "It was fine."})
    assert (answer.status_code, answer.json()["state"], answer.json()["version"]) == (200, "shadow_primary", 1)
    again = as_person("reviewer").post(path, {"version": 1})
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


@pytest.mark.parametrize(
    ("body", "status"), [({"version": 7}, 404), ({"version": 0}, 422), ({"version": "1"}, 422), ({}, 422)]
)
def test_what_is_no_version_is_a_clear_error(as_person: People, body: Any, status: int):
    skill = withdrawn()
    assert as_person("reviewer").post(f"skills/{skill.pk}/rollback", body).status_code == status
    assert Skill.objects.get(pk=skill.pk).state == State.CLAUDE_NATIVE


def test_asking_for_a_better_version_answers_with_the_job_and_a_second_time_with_the_same(api: Api):
    skill = degraded()
    first = api.post(f"skills/{skill.pk}/improve")
    assert (first.status_code, first.json()["kind"]) == (202, "lifecycle.evolve")
    assert first["Location"] == f"/api/v1/jobs/{first.json()['id']}"
    assert api.post(f"skills/{skill.pk}/improve", {}).json()["id"] == first.json()["id"]
    refused = api.post(f"skills/{skill.pk}/improve", {"waive": ["one"]})
    assert (refused.status_code, refused.json()["code"]) == (403, "not_permitted")


def test_there_has_to_be_something_to_learn_from(api: Api):
    skill = builders.skill(State.TRUSTED)
    answer = api.post(f"skills/{skill.pk}/improve")
    assert (answer.status_code, answer.json()["code"]) == (409, "too_few_cases")


def test_attempts_are_listed_newest_first_and_name_no_held_out_case(api: Api, django_assert_max_num_queries: Any):
    skill = degraded()
    now = timezone.now()
    for number in range(3):
        Evolution.objects.create(
            skill=skill,
            from_version=skill.current_version,
            status=AttemptStatus.REFUSED,
            started_at=now,
            finished_at=now,
            samples=[{"id": "a"}],
            holdout=["secret-case", "other"],
            diagnosis=f"Number {number}.",
            reasons=[{"code": "TARGETED_CASES_FAILED", "message": "Too few."}],
            statistics={"judged": 8, "asked": {"by": "system"}},
        )
    with django_assert_max_num_queries(10):
        answer = api.get(f"skills/{skill.pk}/evolutions?limit=2")
    body = answer.json()
    assert (body["count"], [item["diagnosis"] for item in body["items"]]) == (3, ["Number 2.", "Number 1."])
    first = body["items"][0]
    assert (first["from_version"], first["to_version"], first["shown_cases"], first["held_out_cases"]) == (
        1,
        None,
        1,
        2,
    )
    assert first["statistics"] == {"judged": 8}
    assert "secret-case" not in answer.content.decode()
