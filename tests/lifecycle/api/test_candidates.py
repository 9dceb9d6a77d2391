"""The routes for candidates: the list by savings, and the no."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from lifecycle.models import Skill
from tests import builders
from tests.lifecycle.api.conftest import Api

pytestmark = pytest.mark.django_db
People = Callable[[str], Api]


def test_open_candidates_are_listed_highest_savings_first_page_by_page(api: Api, django_assert_max_num_queries: Any):
    costs = ["0.10", "0.30", "0.20", "0.30"]
    made = [builders.candidate(builders.skill(), cost_usd=cost) for cost in costs]
    with django_assert_max_num_queries(9):
        body = api.get("skill-candidates?limit=2").json()
    second = api.get(f"skill-candidates?limit=2&cursor={body['next']}").json()
    items = body["items"] + second["items"]
    assert (body["count"], second["next"]) == (4, None)
    assert [Decimal(item["expected_savings_usd"]) for item in items] == [51, 51, 34, 17]
    assert {item["id"] for item in items} == {str(candidate.pk) for candidate in made}
    first = items[-1]
    assert (first["capability"], first["volume"], first["status"]) == (made[0].capability.name, 200, "new")
    assert (first["skill_id"], first["skill_state"]) == (str(made[0].capability.skill.pk), "skill_candidate")
    assert isinstance(first["mean_cost_usd"], str)
    assert Decimal(first["evidence"]["cost_usd"]) == 20


def test_a_bot_dismisses_without_moving_the_skill_and_a_second_time_is_a_conflict(api: Api):
    candidate = builders.candidate(builders.skill())
    path = f"skill-candidates/{candidate.pk}/dismiss"
    answer = api.post(path, {"reason": "Covered by another bot."})
    assert answer.status_code == 200, answer.json()
    body = answer.json()
    assert (body["status"], body["reason"], body["not_a_skill"]) == ("dismissed", "Covered by another bot.", False)
    assert body["dismissed_until"] and body["dismissed_by"].startswith("bot")
    assert Skill.objects.get().state == "skill_candidate"
    again = api.post(path)
    assert (again.status_code, again.json()["code"]) == (409, "already_decided")
    assert api.get("skill-candidates").json()["count"] == 0
    assert api.get("skill-candidates?status=dismissed").json()["items"][0]["id"] == str(candidate.pk)


def test_a_reviewer_dismisses_for_good_without_a_body_for_ninety_days(as_person: People):
    first, second = (builders.candidate(builders.skill()) for _ in range(2))
    reviewer = as_person("reviewer")
    body = reviewer.post(f"skill-candidates/{first.pk}/dismiss", {"reason": "Small talk.", "not_a_skill": True}).json()
    assert (body["not_a_skill"], body["dismissed_until"], body["skill_state"]) == (True, None, "claude_native")
    assert reviewer.post(f"skill-candidates/{second.pk}/dismiss", "").json()["dismissed_until"]


def test_what_is_not_allowed_or_not_there_says_so(api: Api, as_person: People):
    candidate = builders.candidate(builders.skill())
    path = f"skill-candidates/{candidate.pk}/dismiss"
    assert as_person("operator").post(path).json()["code"] == "not_permitted"
    assert api.post(path, {"reason": "No.", "not_a_skill": True}).status_code == 403
    assert as_person("reviewer").post(path, {"not_a_skill": True}).status_code == 422
    assert api.post(path, {"because": "No."}).status_code == 422
    assert api.get("skill-candidates?status=splendid").status_code == 422
    assert api.post("skill-candidates/00000000-0000-7000-8000-000000000000/dismiss").status_code == 404
    reader = Api(builders.bot_token("skills:read")[1])
    assert (reader.get("skill-candidates").status_code, reader.post(path).status_code) == (200, 403)
    assert Api(builders.bot_token("candidates:write")[1]).get("skill-candidates").status_code == 403
