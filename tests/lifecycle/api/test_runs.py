"""The routes for runs, as a bot with curl meets them."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from lifecycle.models import Correction, Fixture, RunStatus, Skill, SkillRun
from lifecycle.states import State
from tests import builders
from tests.lifecycle.api.conftest import Api

MECHANIC = {"text": "call the mechanic monday about the brakes, urgent", "today": "2026-11-20"}


@pytest.mark.django_db(transaction=True)
def test_the_readmes_curl_line_becomes_a_structured_task(api: Api, parse_task: Skill):
    answer = api.post("runs", {"capability": "parse_task", "inputs": MECHANIC, "user_id": "anna"})

    assert answer.status_code == 201
    run = answer.json()
    assert run["output"] == {
        "title": "Call the mechanic about the brakes",
        "person": "mechanic",
        "topic": "the brakes",
        "due": "2026-11-23",
        "due_text": "monday",
        "priority": "urgent",
    }
    assert (run["path"], run["status"], run["version"]) == ("skill", "succeeded", 1)
    assert answer["Location"] == f"/api/v1/skill-runs/{run['id']}"
    detail = api.get(f"skill-runs/{run['id']}")
    assert [step["status"] for step in detail.json()["steps"]] == ["succeeded"]
    assert api.get(f"skill-runs/{run['id']}", **{"If-None-Match": detail["ETag"]}).status_code == 304


@pytest.mark.django_db(transaction=True)
def test_a_run_that_is_not_waited_for_is_accepted_and_queued(api: Api, parse_task: Skill):
    answer = api.post("runs", {"capability": "parse_task", "inputs": MECHANIC, "wait": False})
    assert answer.status_code == 202
    assert answer.json()["status"] == "queued"
    assert api.get(answer["Location"].removeprefix("/api/v1/")).json()["status"] == "queued"


@pytest.mark.django_db(transaction=True)
def test_the_same_idempotency_key_gets_the_first_run_again(api: Api, parse_task: Skill):
    body = {"capability": "parse_task", "inputs": MECHANIC}
    first = api.post("runs", body, **{"Idempotency-Key": "k1"})
    again = api.post("runs", body, **{"Idempotency-Key": "k1"})
    other = api.post("runs", {**body, "user_id": "x"}, **{"Idempotency-Key": "k1"})
    assert first.json()["id"] == again.json()["id"]
    assert again["Idempotency-Replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
    assert SkillRun.objects.count() == 1


REFUSED = [
    (b"{not json", 422, "malformed_json"),
    (b'{"capability": "parse_task", "inputs": {"text": "a\\u0000b"}}', 422, "nul_character"),
    (b'{"capability": "parse_task", "inputs": {"text": NaN}}', 422, "malformed_json"),
    (b'{"capability": "parse_task", "inputs": ' + b'{"a":' * 60 + b"1" + b"}" * 60 + b"}", 422, "too_deep"),
    (b'{"capability": "parse_task", "inputs": []}', 422, "invalid"),
    (b'{"capability": "parse_task", "inputs": {"text": 7}}', 422, "inputs_invalid"),
    (b'{"capability": "parse_task", "inputs": {"text": "x"}, "unknown": 1}', 422, "invalid"),
    (b'{"capability": "parse_task", "inputs": {"text": "x"}, "wait": 61}', 422, "invalid"),
    (b'{"capability": "nothing_like_it", "inputs": {}}', 404, "unknown_capability"),
    (b'{"capability": "parse_task", "inputs": {"text": "' + b"x" * 1_100_000 + b'"}}', 413, "too_large"),
    (b"\xff\xfe", 422, "malformed_json"),
    (b"", 422, "invalid"),
    (b"[]", 422, "invalid"),
    (b"null", 422, "invalid"),
]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("body", "status", "code"), REFUSED, ids=range(len(REFUSED)))
def test_bad_input_is_a_clear_4xx_and_stores_nothing(api: Api, parse_task: Skill, body: bytes, status: int, code: str):
    answer = api.post("runs", body)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.json()
    assert answer["Content-Type"] == "application/problem+json"
    assert not SkillRun.objects.exists()


def report(**fields: Any) -> dict[str, Any]:
    return {
        "capability": "parse_task",
        "status": "succeeded",
        "inputs": {"text": "buy milk"},
        "output": {
            "title": "Buy milk",
            "person": None,
            "topic": None,
            "due": None,
            "due_text": None,
            "priority": "normal",
        },
        "cost_usd": "0.0012",
        "latency_ms": 800,
        "external_id": "job-1",
        **fields,
    }


@pytest.mark.django_db
def test_a_reported_run_is_stored_once_whatever_is_said_the_second_time(api: Api, parse_task: Skill):
    first = api.post("runs/report", report(version=1))
    again = api.post("runs/report", report(version=1, status="failed"))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["id"] == again.json()["id"]
    assert (first.json()["created"], again.json()["created"]) == (True, False)
    run = SkillRun.objects.get()
    assert (run.path, run.status, run.reported, run.degraded) == ("skill", "succeeded", True, False)
    assert (run.cost_usd, run.latency_ms, run.version_id) == (Decimal("0.0012"), 800, parse_task.current_version_id)


@pytest.mark.django_db
def test_null_says_the_same_as_leaving_out_and_a_fraction_of_a_millisecond_is_rounded(api: Api, parse_task: Skill):
    given = report(outcome=None, error=None, user_id=None, latency_ms=812.6, cost_usd=0.0012, started_at=None)
    assert api.post("runs/report", given).status_code == 201
    run = SkillRun.objects.get()
    assert (run.outcome, run.error, run.user_id, run.latency_ms) == ("succeeded", "", "", 813)
    assert run.cost_usd == Decimal("0.0012")


@pytest.mark.django_db
@pytest.mark.parametrize("version", [None, 1])
def test_a_report_keeps_the_state_that_its_skill_is_in(api: Api, parse_task: Skill, version: int | None):
    api.post("runs/report", report(version=version))
    Skill.objects.filter(pk=parse_task.pk).update(state=State.TRUSTED)
    api.post("runs/report", report(version=version, external_id="job-2"))
    kept = SkillRun.objects.order_by("id").values_list("state_at_run", flat=True)
    assert list(kept) == [State.SHADOW_PRIMARY, State.TRUSTED]


@pytest.mark.django_db
def test_two_bots_may_use_the_same_external_id(api: Api, parse_task: Skill):
    other = Api(builders.bot_token()[1])
    assert api.post("runs/report", report()).json()["id"] != other.post("runs/report", report()).json()["id"]


@pytest.mark.django_db
def test_a_reported_success_that_breaks_the_schema_counts_as_degraded(api: Api, parse_task: Skill):
    api.post("runs/report", report(output={"nope": 1}))
    assert SkillRun.objects.get().degraded is True


@pytest.mark.django_db
@pytest.mark.parametrize(
    "wrong",
    [
        {"external_id": ""},
        {"status": "running"},
        {"cost_usd": "-1"},
        {"cost_usd": "NaN"},
        {"cost_usd": "1e30"},
        {"latency_ms": -1},
        {"latency_ms": 10**12},
        {"version": 99},
        {"inputs": {"text": 5}},
        {"capability": "unheard_of"},
        {"started_at": "2999-01-01T00:00:00Z"},
        {"started_at": "yesterday"},
        {"outcome": "splendid"},
    ],
    ids=str,
)
def test_a_report_that_cannot_be_true_is_refused(api: Api, parse_task: Skill, wrong: dict[str, Any]):
    answer = api.post("runs/report", report(**wrong))
    assert answer.status_code == 422, answer.json()
    assert not SkillRun.objects.exists()


def ndjson(*lines: dict[str, Any]) -> str:
    return "\n".join(json.dumps(line) for line in lines) + "\n"


@pytest.mark.django_db
def test_a_batch_is_stored_in_one_go_with_repeats_in_any_order(
    api: Api, parse_task: Skill, django_assert_max_num_queries: Any
):
    api.post("runs/report", report(external_id="b"))
    lines = [report(external_id=one) for one in ("c", "b", "a", "c")]
    with django_assert_max_num_queries(12):
        answer = api.post("runs/batch", ndjson(*lines), content_type="application/x-ndjson")
    assert answer.status_code == 201
    found = answer.json()
    assert [one["created"] for one in found["items"]] == [True, False, True, False]
    assert (found["created"], found["repeated"]) == (2, 2)
    assert found["items"][0]["id"] == found["items"][3]["id"]
    assert SkillRun.objects.count() == 3


@pytest.mark.django_db
def test_one_bad_line_refuses_the_whole_batch_and_names_the_line(api: Api, parse_task: Skill):
    body = ndjson(report(external_id="a"), report(external_id="b", status="great")) + "{broken\n"
    answer = api.post("runs/batch", body, content_type="application/x-ndjson")
    assert answer.status_code == 422
    assert {error["line"] for error in answer.json()["errors"]} == {2, 3}
    assert not SkillRun.objects.exists()


@pytest.mark.django_db
def test_runs_are_listed_newest_first_with_filters_and_a_cursor(api: Api, django_assert_max_num_queries: Any):
    skill = builders.skill(State.TRUSTED)
    made = [builders.run(skill) for _ in range(3)] + [builders.run(skill, status=RunStatus.FAILED)]
    with django_assert_max_num_queries(9):
        first = api.get("skill-runs?limit=2").json()
    assert [one["id"] for one in first["items"]] == [str(made[3].pk), str(made[2].pk)]
    assert first["count"] == 4
    rest = api.get(f"skill-runs?limit=2&cursor={first['next']}").json()
    assert [one["id"] for one in rest["items"]] == [str(made[1].pk), str(made[0].pk)]
    assert rest["next"] is None
    assert api.get("skill-runs?status=failed").json()["count"] == 1
    assert api.get(f"skill-runs?skill_id={skill.pk}&path=native").json()["count"] == 0
    assert api.get(f"skill-runs?since={timezone.now().isoformat().replace('+', '%2B')}").json()["count"] == 0
    for bad in ("limit=0", "limit=501", "cursor=nonsense", "status=splendid", "since=never"):
        assert api.get(f"skill-runs?{bad}").status_code == 422


@pytest.mark.django_db
def test_a_correction_keeps_what_the_output_said(api: Api):
    run = builders.run(builders.skill(State.TRUSTED))
    answer = api.post(
        f"skill-runs/{run.pk}/corrections", {"field": "label", "corrected": "question", "note": "It asks."}
    )
    assert answer.status_code == 201
    correction = Correction.objects.get()
    assert (correction.original, correction.corrected, correction.token_id is not None) == (
        "greeting",
        "question",
        True,
    )
    same = api.post(f"skill-runs/{run.pk}/corrections", {"field": "label", "corrected": "greeting"})
    assert same.status_code == 422


@pytest.mark.django_db
def test_a_run_that_succeeded_becomes_a_fixture_and_another_does_not(api: Api):
    skill = builders.skill(State.TRUSTED)
    calls = [{"tool": "web_fetch", "args": {"url": "https://example.org"}, "result": {"text": "hi"}, "step": "s"}]
    good, bad = builders.run(skill, tool_calls=calls), builders.run(skill, status=RunStatus.FAILED)
    answer = api.post(f"skill-runs/{good.pk}/capture-fixture", {"name": "greets"})
    assert answer.status_code == 201
    fixture = Fixture.objects.get(pk=answer.json()["fixture_id"])
    assert (fixture.input, fixture.expected_output) == ({"text": "hello"}, {"const": {"label": "greeting"}})
    assert fixture.tool_mocks == [
        {"tool": "web_fetch", "args": {"url": "https://example.org"}, "result": {"text": "hi"}}
    ]
    assert api.post(f"skill-runs/{bad.pk}/capture-fixture", {}).status_code == 409
    assert api.post(f"skill-runs/{good.pk}/capture-fixture", {"name": "greets"}).status_code == 409


@pytest.mark.django_db
def test_scopes_are_asked_for_and_a_session_opens_nothing(client: Any):
    reader = Api(builders.bot_token("runs:read")[1])
    assert reader.get("skill-runs").status_code == 200
    refused = reader.post("runs/report", report())
    assert (refused.status_code, refused.json()["code"]) == (403, "missing_scope")
    client.force_login(builders.person("admin"))
    assert client.get("/api/v1/skill-runs").status_code == 401
