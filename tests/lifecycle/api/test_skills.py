"""The routes for skills: state, gate, versions, packages, and the doors that stay shut for bots."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from lifecycle.models import Review, ReviewState, Skill, SkillVersion
from lifecycle.packages import archive
from lifecycle.packages.digest import digest
from lifecycle.services import versions
from lifecycle.states import TABLE, State
from tests import builders
from tests.lifecycle.api.conftest import Api

pytestmark = pytest.mark.django_db
People = Callable[[str], Api]


def state_of(skill: Skill) -> str:
    return Skill.objects.values_list("state", flat=True).get(pk=skill.pk)


def test_the_list_and_the_detail_say_where_a_skill_stands(api: Api, django_assert_max_num_queries: Any):
    skill = builders.skill(State.SANDBOX)
    builders.skill(State.TRUSTED)
    with django_assert_max_num_queries(9):
        found = api.get("skills?state=sandbox").json()
    assert [one["id"] for one in found["items"]] == [str(skill.pk)]
    detail = api.get(f"skills/{skill.pk}")
    body = detail.json()
    assert (body["state"], body["current_version"]["number"], body["baseline"]) == ("sandbox", 1, None)
    assert body["why_not"]["next_state"] == "shadow_primary"
    assert {one["code"] for one in body["why_not"]["unmet"]} == {"too_few_runs", "human_gate_required"}
    assert api.get(f"skills/{skill.pk}", **{"If-None-Match": detail["ETag"]}).status_code == 304


def test_the_table_is_the_table(api: Api):
    edges = api.get("skills/transitions").json()["transitions"]
    assert {(edge["from_state"], edge["to_state"]): set(edge["reasons"]) for edge in edges} == TABLE


def test_a_person_moves_a_skill_and_a_bot_cannot_in_any_way(api: Api, as_person: People):
    skill = builders.skill(State.TRUSTED)
    move = {"to_state": "flagged_for_review", "reason": "manual_override", "notes": "Looks off."}
    for reason in ("manual_override", "degradation", "human_approval"):
        assert api.post(f"skills/{skill.pk}/state", {**move, "reason": reason}).status_code in {403, 409}
    assert state_of(skill) == "trusted"

    answer = as_person("reviewer").post(f"skills/{skill.pk}/state", move)

    assert answer.status_code == 200
    body = answer.json()
    assert (body["skill_id"], body["from_state"], body["to_state"]) == (str(skill.pk), "trusted", "flagged_for_review")
    listed = api.get(f"skills/{skill.pk}/transitions").json()["items"][0]
    assert (listed["id"], listed["note"], listed["actor_kind"]) == (body["transition_id"], "Looks off.", "person")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"to_state": "sandbox", "reason": "manual_override"}, 409, "illegal_transition"),
        ({"to_state": "trusted", "reason": "manual_override"}, 409, "illegal_transition"),
        ({"to_state": "heaven", "reason": "manual_override"}, 422, "invalid"),
        ({"to_state": "degraded", "reason": "mood"}, 422, "invalid"),
        ({"to_state": "flagged_for_review"}, 422, "invalid"),
        ({"to_state": "flagged_for_review", "reason": "degradation"}, 403, "not_permitted"),
    ],
)
def test_a_move_that_is_not_allowed_says_so(as_person: People, body: dict[str, str], status: int, code: str):
    skill = builders.skill(State.TRUSTED)
    answer = as_person("reviewer").post(f"skills/{skill.pk}/state", body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert state_of(skill) == "trusted"


def test_approving_by_the_state_route_answers_the_open_review(api: Api, as_person: People):
    skill = builders.capability("greet").skill
    files = [{"path": path, "text": text.decode()} for path, text in builders.step_package("greet").items()]
    submitted = api.post(f"skills/{skill.pk}/versions", {"files": files, "changelog": "First."})
    assert submitted.status_code == 201, submitted.json()
    assert submitted.json()["state"] == "draft"

    answer = as_person("reviewer").post(
        f"skills/{skill.pk}/state", {"to_state": "sandbox", "reason": "human_approval", "notes": "Fine."}
    )

    assert answer.status_code == 200
    review = Review.objects.get(pk=submitted.json()["review_id"])
    assert (review.state, review.comment, state_of(skill)) == (ReviewState.APPROVED, "Fine.", "sandbox")


def test_a_bot_may_close_the_gate_and_only_a_person_may_lift_it(api: Api, as_person: People):
    skill = builders.skill(State.SANDBOX)
    path = f"skills/{skill.pk}/flags/requires_human_gate"
    assert api.post(path, {"value": False}).status_code == 403
    assert as_person("author").post(path, {"value": False}).status_code == 403
    assert as_person("reviewer").post(path, {"value": False}).json()["requires_human_gate"] is False
    assert api.post(path, {"value": True}).json()["requires_human_gate"] is True
    assert api.post(path, {"value": "yes please"}).status_code == 422


def test_pausing_twice_is_a_conflict_and_resuming_takes_a_person(api: Api, as_person: People):
    skill = builders.skill(State.TRUSTED)
    assert api.post(f"skills/{skill.pk}/pause").json()["paused"] is True
    assert api.post(f"skills/{skill.pk}/pause").status_code == 409
    assert api.post(f"skills/{skill.pk}/resume").status_code == 403
    assert as_person("operator").post(f"skills/{skill.pk}/resume").json()["paused"] is False
    assert as_person("operator").post(f"skills/{skill.pk}/resume").status_code == 409


def test_a_zip_and_json_give_the_same_version_and_the_second_is_a_duplicate(api: Api):
    skill = builders.capability("greet").skill
    files = builders.step_package("greet")
    first = api.post(f"skills/{skill.pk}/versions", archive.to_zip(files), content_type="application/zip")
    assert first.status_code == 201, first.content
    assert first.json()["version"]["digest"] == digest(files)
    as_json = [{"path": path, "base64": base64.b64encode(content).decode()} for path, content in files.items()]
    again = api.post(f"skills/{skill.pk}/versions", {"files": as_json})
    assert (again.status_code, again.json()["code"]) == (409, "duplicate_version")


BAD_PACKAGES: list[tuple[Any, str]] = [
    ({"files": []}, "application/json"),
    ({"files": [{"path": "../x", "text": "a"}]}, "application/json"),
    ({"files": [{"path": "skill.yaml", "text": "steps: []"}]}, "application/json"),
    ({"files": [{"path": "skill.yaml", "text": "a", "base64": "YQ=="}]}, "application/json"),
    ({"files": [{"path": "skill.yaml", "base64": "%%%"}]}, "application/json"),
    ({"files": "all of them"}, "application/json"),
    (b"PK\x03\x04 not really", "application/zip"),
    (b"", "application/zip"),
    (b"[1, 2", "application/json"),
]


@pytest.mark.parametrize(("body", "kind"), BAD_PACKAGES, ids=range(len(BAD_PACKAGES)))
def test_a_package_that_cannot_be_a_version_is_refused_with_findings(api: Api, body: Any, kind: str):
    skill = builders.capability("greet").skill
    raw = body if isinstance(body, bytes) else json.dumps(body)
    answer = api.post(f"skills/{skill.pk}/versions", raw, content_type=kind)
    assert answer.status_code == 422, answer.content
    assert not SkillVersion.objects.exists()
    assert state_of(skill) == "claude_native"


def test_only_what_is_released_is_handed_out(api: Api, as_person: People):
    skill = builders.skill(State.SANDBOX)
    path = f"packages/{skill.capability.name}"
    version = skill.current_version
    assert api.get(path).status_code == 404
    assert api.get(f"{path}?pin={version.digest}").status_code == 404

    reviewer = as_person("reviewer")
    reviewer.post(f"skills/{skill.pk}/state", {"to_state": "shadow_primary", "reason": "manual_override"})
    answer = api.get(path)
    assert (answer.status_code, answer["ETag"], answer.json()["digest"]) == (200, f'"{version.digest}"', version.digest)
    assert api.get(path, **{"If-None-Match": answer["ETag"]}).status_code == 304
    as_zip = api.get(path, Accept="application/zip")
    assert digest(archive.from_zip(as_zip.content)) == version.digest
    assert api.get(f"{path}?pin={version.digest}").status_code == 200
    assert api.get(f"{path}?pin=unheard").status_code == 404

    reviewer.post(f"skills/{skill.pk}/state", {"to_state": "flagged_for_review", "reason": "manual_override"})
    assert api.get(path).status_code == 404
    assert api.get(f"{path}?pin={version.digest}").status_code == 410
    assert api.get("packages/no_such_thing").status_code == 404


def test_versions_are_listed_and_read(api: Api):
    skill = builders.skill(State.TRUSTED)
    listed = api.get(f"skills/{skill.pk}/versions").json()["items"]
    assert [(one["number"], one["status"]) for one in listed] == [(1, "released")]
    one = api.get(f"skills/{skill.pk}/versions/1")
    assert one.json()["digest"] == listed[0]["digest"]
    package = api.get(f"skills/{skill.pk}/versions/1/package").json()
    files = {file["path"]: file["text"].encode() for file in package["files"]}
    assert files == versions.files_of(skill.current_version)
    assert api.get(f"skills/{skill.pk}/versions/2").status_code == 404
    assert api.get(f"skills/{skill.pk}/runs").json()["count"] == 0


def test_holdout_fixtures_are_named_and_not_shown(api: Api):
    skill = builders.skill(State.DRAFT)
    skill.fixtures.update(split="holdout")
    found = api.get(f"skills/{skill.pk}/fixtures").json()["items"][0]
    assert (found["name"], found["input"], found["assertions"]) == ("one", {}, [])


def test_capabilities_are_registered_listed_and_matched(api: Api):
    body = {
        "name": "weather_report",
        "description": "Says what the weather will be in a place.",
        "examples": ["will it rain in Oslo tomorrow"],
        "input_schema": builders.TEXT_IN,
        "output_schema": builders.LABEL_OUT,
    }
    made = api.post("capabilities", body)
    assert made.status_code == 201, made.json()
    assert (made.json()["status"], made.json()["skill_state"]) == ("active", "claude_native")
    assert api.post("capabilities", body).json()["code"] == "duplicate_name"
    assert api.get("capabilities/weather_report").json()["description"] == body["description"]
    found = api.post("capabilities/match", {"text": "will it rain in Oslo tomorrow"}).json()
    assert (found["best"], found["band"]) == ("weather_report", "HIGH")
    assert api.post("capabilities/match", {"text": "zzz qqq"}).json()["best"] is None
    for wrong in ({"name": "Bad Name"}, {"input_schema": {"type": 7}}, {"granted_tools": ["rm"]}, {"description": " "}):
        answer = api.post("capabilities", {**body, "name": "another", **wrong})
        assert answer.status_code == 422, (wrong, answer.json())


def test_the_budget_is_readable(api: Api):
    found = api.get("budget").json()
    assert (found["day"]["spent_usd"], found["month"]["paused"]) == ("0", False)
