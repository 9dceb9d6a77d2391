"""The routes for automations: who may, what is refused and where, and that lists cost the same whatever they list."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from automations.models import Automation, RunStatus
from automations.services import dispatch
from lifecycle.states import State
from tests import builders
from tests.automations import made
from tests.lifecycle.api.conftest import Api

pytestmark = pytest.mark.django_db


class Caller(Api):
    def patch(self, path: str, body: Any, **headers: str) -> Any:
        return self._send("PATCH", path, body, headers)

    def put(self, path: str, body: Any) -> Any:
        return self._send("PUT", path, body, {})

    def delete(self, path: str) -> Any:
        return self._send("DELETE", path, None, {})

    def _send(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Any:
        import json

        raw = "" if body is None else json.dumps(body)
        given = {**self.headers, **headers}
        return self.client.generic(method, f"/api/v1/{path}", raw, content_type="application/json", headers=given)


@pytest.fixture
def owner() -> Any:
    return builders.person("operator")


@pytest.fixture
def api(owner: Any) -> Caller:
    return Caller(builders.bot_token(owner=owner)[1])


@pytest.fixture
def capability() -> str:
    return made.price_capability()


def wanted(capability: str, **more: Any) -> dict[str, Any]:
    given = {"name": "Jacket", "capability_name": capability, "inputs": {"text": "jacket"}, "schedule": "0 9 * * 1-5"}
    return {**given, "timezone": "America/New_York", **more}


def test_an_automation_is_made_read_listed_changed_and_deleted(api: Caller, owner: Any, capability: str):
    answer = api.post("automations", wanted(capability, alert_conditions={"field": "price", "op": "<", "value": 100}))
    assert answer.status_code == 201, answer.json()
    body = answer.json()
    assert (body["owner"], body["status"], body["created_via"]) == (owner.get_username(), "active", "api")
    assert body["schedule_in_words"] == "every weekday at 09:00, New York"
    assert (body["max_cost_per_run_usd"], body["min_interval_seconds"], body["floor_seconds"]) == ("2.0000", 300, 900)
    assert len(body["next_starts"]) == 10
    path = f"automations/{body['id']}"
    assert answer["Location"] == f"/api/v1/{path}"
    read = api.get(path)
    assert read["ETag"] == answer["ETag"]
    assert api.get(path, **{"If-None-Match": read["ETag"]}).status_code == 304
    changed = api.patch(path, {"description": "d", "schedule": "0 10 * * *"}, **{"If-Match": read["ETag"]})
    assert (changed.status_code, changed.json()["schedule"]) == (200, "0 10 * * *")
    cleared = api.patch(path, {"alert_conditions": None, "description": None}, **{"If-Match": changed["ETag"]}).json()
    assert (cleared["alert_conditions"], cleared["description"]) == ({}, "")
    assert api.get("automations").json()["count"] == 1
    assert api.delete(path).json()["status"] == "deleted"
    assert api.get("automations").json()["count"] == api.get("automations?status=all").json()["count"] == 0
    assert api.get("automations?status=deleted").json()["count"] == 1
    assert api.delete(path).status_code == 409


def test_a_change_needs_the_revision_that_it_was_made_against(api: Caller, capability: str):
    path = f"automations/{api.post('automations', wanted(capability)).json()['id']}"
    etag = api.get(path)["ETag"]
    assert api.patch(path, {"name": "x"}).status_code == 428
    assert api.patch(path, {"name": "x"}, **{"If-Match": etag}).status_code == 200
    late = api.patch(path, {"name": "y"}, **{"If-Match": etag})
    assert (late.status_code, late.json()["code"]) == (412, "precondition_failed")


def test_a_run_that_ended_since_is_no_reason_to_refuse_a_change(api: Caller, capability: str):
    made_ = api.post("automations", wanted(capability))
    path = f"automations/{made_.json()['id']}"
    api.post(f"{path}/run-now")
    dispatch.drain()
    assert api.get(path)["ETag"] != made_["ETag"]
    assert api.patch(path, {"name": "x"}, **{"If-Match": made_["ETag"]}).status_code == 200


def test_run_now_answers_with_a_run_that_can_be_followed(api: Caller, capability: str):
    path = f"automations/{api.post('automations', wanted(capability, trigger='on_manual')).json()['id']}"
    made.PRICES.append(42)
    queued = api.post(f"{path}/run-now")
    assert (queued.status_code, queued.json()["status"]) == (202, "queued")
    run = f"automation-runs/{queued.json()['run_id']}"
    assert queued["Location"] == f"/api/v1/{run}"
    dispatch.drain()
    read = api.get(run)
    assert (read.json()["status"], read.json()["output"]["price"], read.json()["trigger"]) == (
        "succeeded",
        42,
        "manual",
    )
    assert api.get(run, **{"If-None-Match": read["ETag"]}).status_code == 304
    assert api.get(f"{path}/runs").json()["count"] == 1
    assert api.get(f"{path}/runs?status=failed").json()["count"] == 0
    assert api.post(f"{run}/cancel").status_code == 409


def test_the_same_request_twice_under_one_key_makes_one(api: Caller, capability: str):
    first, again = (api.post("automations", wanted(capability), **{"Idempotency-Key": "k1"}) for _ in range(2))
    assert first.json()["id"] == again.json()["id"]
    assert again["Idempotency-Replayed"] == "true"
    taken = api.post("automations", wanted(capability, name="JACKET"))
    assert (taken.status_code, taken.json()["code"]) == (409, "duplicate_name")


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"schedule": "0 0 31 2 *"}, "schedule"),
        ({"schedule": None}, "schedule"),
        ({"timezone": "Nowhere"}, "timezone"),
        ({"inputs": {"text": 1}}, "/inputs/text"),
        ({"inputs": []}, "inputs"),
        ({"alert_conditions": {"all_of": [{"field": "price", "op": "<", "value": 1, "extra": 1}]}},
         "/alert_conditions/all_of/0"),
        ({"max_cost_per_run_usd": "-1"}, "max_cost_per_run_usd"),
        ({"max_cost_per_run_usd": "1e999"}, "max_cost_per_run_usd"),
        ({"min_interval_seconds": "300"}, "min_interval_seconds"),
        ({"follow_ups": [str(uuid.uuid4())]}, "/follow_ups/0"),
        ({"surprise": 1}, "surprise"),
        ({"trigger": "sometimes"}, "trigger"),
        ({"capability_name": "unheard_of"}, "capability_name"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place_and_nothing_is_stored(
    api: Caller, capability: str, change: dict[str, Any], path: str
):
    answer = api.post("automations", {**wanted(capability), **change})
    assert answer.status_code == 422, answer.json()
    assert any(error["path"].startswith(path) for error in answer.json()["errors"]), answer.json()["errors"]
    assert not Automation.objects.exists()


def test_strangers_see_nothing_and_scopes_are_asked_for(api: Caller, capability: str):
    path = f"automations/{api.post('automations', wanted(capability)).json()['id']}"
    stranger = Caller(builders.bot_token(owner=builders.person("viewer"))[1])
    assert stranger.get("automations").json()["count"] == 0
    for answer in (
        stranger.get(path),
        stranger.post(f"{path}/pause"),
        stranger.post(f"{path}/run-now"),
        stranger.get(f"{path}/runs"),
        stranger.delete(path),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert stranger.post("automations", wanted(capability)).status_code == 403
    reader = Caller(builders.bot_token("automations:read")[1])
    assert reader.get("automations").status_code == 200
    assert reader.post("automations", wanted(capability)).json()["code"] == "missing_scope"


def test_who_is_let_in_looks_and_runs_and_changes_nothing(api: Caller, capability: str):
    path = f"automations/{api.post('automations', wanted(capability)).json()['id']}"
    viewer = builders.person("viewer")
    shares = [{"person": viewer.get_username(), "level": "run"}, {"group": "author", "level": "view"}]
    assert len(api.put(f"{path}/shares", {"shares": shares}).json()["shares"]) == 2
    theirs = Caller(builders.person_token(viewer)[1])
    assert theirs.get(path).status_code == 200
    assert theirs.post(f"{path}/run-now").status_code == 202
    for answer in (
        theirs.post(f"{path}/pause"),
        theirs.patch(path, {"name": "x"}, **{"If-Match": theirs.get(path)["ETag"]}),
        theirs.put(f"{path}/shares", {"shares": []}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "not_permitted")
    assert api.put(f"{path}/shares", {"shares": [{"person": "nobody", "level": "run"}]}).status_code == 422


def test_pause_resume_and_a_copy(api: Caller, capability: str):
    path = f"automations/{api.post('automations', wanted(capability)).json()['id']}"
    paused = api.post(f"{path}/pause", {"note": "holiday"}).json()
    assert (paused["status"], paused["pause_reason"], paused["next_run_at"]) == ("paused", "person", None)
    assert api.post(f"{path}/pause").status_code == 409
    assert api.post(f"{path}/resume").json()["status"] == "active"
    assert api.post(f"{path}/resume").status_code == 409
    copy = api.post(f"{path}/duplicate")
    assert (copy.status_code, copy.json()["name"], copy.json()["status"]) == (201, "Jacket (copy)", "paused")


def test_a_preview_shows_local_times_utc_and_what_daylight_saving_does(api: Caller):
    body = api.post("automations/preview", {"schedule": "30 2 * * *", "timezone": "Europe/Berlin", "count": 100}).json()
    assert body["in_words"] == "every day at 02:30, Berlin"
    assert len(body["occurrences"]) == 100
    wrong = api.post("automations/preview", {"schedule": "61 * * * *"})
    assert (wrong.status_code, wrong.json()["errors"][0]["path"]) == (422, "schedule")
    assert (
        api.post("automations/preview", {"schedule": "@daily", "timezone": "X"}).json()["errors"][0]["path"]
        == "timezone"
    )


def test_a_rehearsal_over_an_automations_past_and_over_a_capabilitys(api: Caller, owner: Any, capability: str):
    automation = made.automation(owner=owner, capability_name=capability, trigger="on_manual")
    for price in (120, 90, 90, 120):
        made.PRICES.append(price)
        made.run_once(automation)
    conditions = {"field": "price", "op": "<", "value": 100}
    own = api.post("automations/rehearse", {"automation_id": str(automation.pk), "alert_conditions": conditions}).json()
    other = api.post("automations/rehearse", {"capability_name": capability, "alert_conditions": conditions}).json()
    for body in (own, other):
        assert (body["looked_at"], body["alerts"]) == (4, 1)
        assert [one["decision"] for one in body["told"]] == ["resolved", "opened"]
    assert body["told"][1]["title"] == "This automation: price is 90, below 100"
    wrong = api.post(
        "automations/rehearse", {"capability_name": capability, "alert_conditions": {"field": "x", "op": "<"}}
    )
    assert wrong.status_code == 422
    assert api.post("automations/rehearse", {"capability_name": "no", "alert_conditions": {}}).status_code == 404
    assert api.post("automations/rehearse", {}).status_code == 422


def test_words_become_a_form_and_nothing_is_saved(api: Caller):
    from lifecycle.services import seeds

    seeds.load()
    said = "tell me when the jacket at https://shop.example/jacket drops below $100, check the price every morning"
    body = api.post("automations/from-text", {"text": said}).json()
    fields = body["automation"]
    assert fields["schedule"] == "0 8 * * *"
    assert fields["capability_name"] == "product_watch"
    assert fields["inputs"] == {"url": "https://shop.example/jacket"}
    assert fields["alert_conditions"] == {"field": "price", "op": "<", "value": 100}
    assert [one["field"] for one in body["missing"]] == ["capability_name", "timezone"]
    assert body["missing"][0]["question"].startswith("Is product_watch meant?")
    assert not Automation.objects.exists()
    made_ = api.post("automations", fields)
    assert made_.status_code == 201, made_.json()


def test_an_event_starts_what_waits_for_it(api: Caller, capability: str):
    api.post("automations", wanted(capability, trigger="on_event", event_name="parcel.arrived", schedule=None))
    started = api.post("events/parcel.arrived", {"payload": {"weight": 3}})
    assert (started.status_code, len(started.json()["run_ids"])) == (202, 1)
    assert api.post("events/other").json() == {"run_ids": []}
    assert api.post("events/Not%20a%20name").status_code == 422


def test_a_list_costs_the_same_whatever_it_lists(api: Caller, owner: Any):
    name = builders.skill(State.TRUSTED).capability.name
    counts = []
    api.get("automations")
    for number in (3, 27):
        for _ in range(number):
            automation = made.automation(owner=owner, capability_name=name, trigger="on_manual")
            made.ended(automation, status=RunStatus.SUCCEEDED, now=timezone.now())
        with CaptureQueriesContext(connection) as found:
            assert api.get("automations?limit=100").status_code == 200
        counts.append(len(found))
    assert counts[0] == counts[1] <= 10
    automation = Automation.objects.first()
    for path in (f"automations/{automation.pk}", f"automations/{automation.pk}/runs"):
        with CaptureQueriesContext(connection) as found:
            api.get(path)
        assert len(found) <= 12


def test_lists_are_filtered_by_status_trigger_capability_and_text(api: Caller, capability: str):
    api.post("automations", wanted(capability))
    other = api.post("automations", wanted(capability, name="Trousers", trigger="on_manual")).json()
    api.post(f"automations/{other['id']}/pause")
    assert api.get("automations").json()["count"] == 1
    assert api.get("automations?status=all").json()["count"] == 2
    assert api.get("automations?status=paused&trigger=on_manual").json()["items"][0]["name"] == "Trousers"
    assert api.get(f"automations?capability_name={capability}x").json()["count"] == 0
    assert api.get("automations?status=all&text=trou").json()["count"] == 1
    assert api.get("automations?status=asleep").status_code == 422
