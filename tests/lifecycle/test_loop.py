"""The story of `manage.py demo --loop`, with a real worker, and what the API says of it afterwards."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from typing import Any

import pytest
from django.test import Client

from donna_skills.accounts.actors import ActorKind
from donna_skills.accounts.models import User
from donna_skills.audit import services as audit
from lifecycle.demo import loop, mails, people
from lifecycle.models import Review, ReviewState
from lifecycle.states import TABLE
from tests import builders
from tests.jobs.processes import Process

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("services")]

STORY = [
    ("claude_native", "skill_candidate", "gate_passed"),
    ("skill_candidate", "draft", "gate_passed"),
    ("draft", "sandbox", "human_approval"),
    ("sandbox", "shadow_primary", "earned"),
    ("shadow_primary", "trusted", "earned"),
    ("trusted", "flagged_for_review", "degradation"),
    ("flagged_for_review", "degraded", "human_approval"),
    ("degraded", "draft", "gate_passed"),
    ("draft", "sandbox", "human_approval"),
]
"""Earned by the gates alone where they passed the draft's files. Chance decides whether an example is held out; where
none is, they hold, and a person is asked."""


def test_the_whole_loop_closes_and_the_api_tells_it(client: Client) -> None:
    said: list[str] = []
    cast = people.gather(password="a password for the story")
    skill = loop.tell(cast, today=date(2026, 11, 21), say=said.append, worker=lambda: Process("qcluster"))
    assert (skill.state, skill.current_version and skill.current_version.number) == ("sandbox", 2), said

    api = _Api(client)
    moves = api.items(f"skills/{skill.pk}/transitions")[::-1]
    earned = "gate_passed" if moves[2]["evidence"]["verdict"] == "PASS" else "human_approval"
    expected = [(one, other, earned if reason == "earned" else reason) for one, other, reason in STORY]
    assert [(move["from_state"], move["to_state"], move["reason"]) for move in moves] == expected
    assert all((one["from_state"], one["to_state"]) in TABLE for one in moves)
    assert all(before["to_state"] == after["from_state"] for before, after in pairwise(moves))
    by_persons = {move["to_state"] for move in moves if move["actor_kind"] == ActorKind.PERSON}
    assert by_persons >= {"sandbox", "degraded"}
    trusted = next(move for move in moves if move["to_state"] == "trusted")
    assert trusted["evidence"]["n"] == 100 and trusted["evidence"]["mean"] >= 0.85
    flagged = next(move for move in moves if move["to_state"] == "flagged_for_review")
    assert flagged["evidence"]["mean_upper"] < 1.0

    judged = [one for one in api.items(f"skills/{skill.pk}/divergences") if one["status"] == "judged"]
    assert {one["version"] for one in judged} == {1}
    assert any(one["agreement"] < 1 for one in judged) and any(one["agreement"] == 1 for one in judged)
    [evolution] = api.items(f"skills/{skill.pk}/evolutions")
    assert (evolution["status"], evolution["from_version"], evolution["to_version"]) == ("accepted", 1, 2)
    mended = next(move for move in moves if (move["from_state"], move["to_state"]) == ("degraded", "draft"))
    assert mended["evidence"]["fixes"] > 0 and mended["evidence"]["breaks"] == 0
    nights = [job for job in api.items("jobs") if job["kind"] == "lifecycle.nightly"]
    assert len(nights) == 3 and {job["status"] for job in nights} == {"succeeded"}
    [candidate] = api.items("skill-candidates", status="drafted")
    assert (candidate["capability"], candidate["volume"]) == (mails.CAPABILITY, loop.BEFORE + loop.HERE)
    questions = Review.objects.filter(skill=skill)
    assert [one.kind for one in questions.filter(state=ReviewState.REJECTED)] == ["flag"]
    assert not questions.open().exists()
    assert audit.verify().intact

    told = len(said)
    again = loop.tell(cast, today=date(2026, 11, 21), say=said.append, worker=lambda: Process("qcluster"))
    assert (again.pk, len(said), again.transitions.count()) == (skill.pk, told, len(STORY))


class _Api:
    """What a bot reads, page by page."""

    def __init__(self, client: Client) -> None:
        self._client, self._headers = client, builders.headers(builders.bot_token(owner=User.objects.first())[1])

    def items(self, path: str, **filters: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        query = {"limit": "500", **filters}
        while True:
            answer = self._client.get(f"/api/v1/{path}", query, headers=self._headers)
            assert answer.status_code == 200, answer.content
            page = answer.json()
            found += page["items"]
            if page["next"] is None:
                return found
            query["cursor"] = page["next"]
