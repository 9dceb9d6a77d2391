"""A degraded skill with the comparisons in which it went wrong, and a model that rewrites it, for evolution tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.db import connection
from django.utils import timezone

from donna_skills.accounts.actors import Actor
from lifecycle.models import Evolution, RunPath, Skill
from lifecycle.services import evolutions, transitions
from lifecycle.states import Reason, State
from tests import builders
from tests.stubs.model_server import Answer, ModelServer

CANARY = "canary-7f3a-"


def degraded(*, cases: int = 8, wrong: int | None = None, **fields: Any) -> Skill:
    """A degraded skill that answers "old" where the reference says "new", on `cases` different inputs."""
    made = builders.skill(State.TRUSTED, **fields)
    add_cases(made, cases, wrong=wrong)
    return degrade(made)


def add_cases(made: Skill, cases: int, *, wrong: int | None = None, start: int = 0) -> None:
    for number in range(start, start + cases):
        off = wrong is None or number - start < wrong
        inputs = {"text": f"{CANARY}{number} tells of item {number}"}
        ran = builders.run(made, inputs=inputs, output={"label": "old" if off else "new"})
        builders.divergence(
            made, 0.0 if off else 1.0, of_run=ran, reference_output={"label": "new"}, rationale="They differ."
        )


def degrade(made: Skill) -> Skill:
    transitions.move(made, State.FLAGGED_FOR_REVIEW, reason=Reason.DEGRADATION, actor=builders.SYSTEM)
    reviewer = Actor.person(builders.person("reviewer"))
    transitions.move(made, State.DEGRADED, reason=Reason.HUMAN_APPROVAL, actor=reviewer)
    return Skill.objects.for_page().get(pk=made.pk)


def rewrite(prompt: str = "Answer NEW: {{ inputs.text }}", **fields: Any) -> dict[str, Any]:
    """A reply that changes the one prompt. Targets nothing unless told."""
    return {
        "diagnosis": "It says old.",
        "files": {"steps/answer.md": f"{prompt}\nAnswer as JSON with the key label.\n"},
        "changelog": "It says new.",
        "targeted_cases": [],
        **fields,
    }


class Models:
    """The provider behind both aliases: what it says to whoever asks, and whatever the author was asked."""

    def __init__(self, server: ModelServer) -> None:
        self.asked: list[str] = []
        self.replies: list[Any] = []
        self.calls: list[str] = []
        self.answers: Callable[[str], Mapping[str, Any]] = lambda prompt: {
            "label": "new" if "NEW" in prompt.splitlines()[0] else "old"
        }
        self.before: Callable[[str], None] = lambda kind: None
        server.otherwise(Answer(self._say, input_tokens=100, output_tokens=10))

    def _say(self, body: Mapping[str, Any]) -> str:
        system, prompt = (body["messages"][0]["content"], body["messages"][-1]["content"])
        kind = "author" if "mend a skill" in system else "judge" if "compare two answers" in system else "skill"
        self.calls.append(kind)
        try:
            self.before(kind)
        finally:
            connection.close()  # this is the server's thread, and its connection nobody else would close
        if kind == "author":
            self.asked.append(prompt)
            said = self.replies.pop(0)
            said = said(prompt) if callable(said) else said
            return said if isinstance(said, str) else json.dumps(said)
        if kind == "judge":
            return json.dumps({"agreement": 0.0, "rationale": "They differ."})
        return json.dumps(self.answers(prompt))


def ids_in(prompt: str) -> list[str]:
    """The ids of the cases that a prompt shows."""
    material = json.loads(prompt.split("<material>")[1].split("</material>")[0])
    return [case["id"] for case in material["cases"]]


def mends(ids: Callable[[str], Iterable[str]] = ids_in, **fields: Any) -> Callable[[str], dict[str, Any]]:
    """A reply that targets the cases that it is shown."""
    return lambda prompt: rewrite(**{"targeted_cases": list(ids(prompt)), **fields})


def try_once(skill: Skill, **fields: Any) -> Evolution:
    """One attempt, as the night makes it."""
    fields = {"actor": Actor.system("nightly"), "now": timezone.now(), **fields}
    return evolutions.attempt(Skill.objects.for_page().get(pk=skill.pk), **fields)


def gates_of(row: Evolution) -> dict[str, Any]:
    assert row.decision is not None
    return {gate["gate"]: gate for gate in row.decision.gates}


def successes(skill: Skill, count: int = 3) -> None:
    """Answers of the reference that nobody doubts."""
    for number in range(count):
        builders.run(
            skill,
            path=RunPath.NATIVE,
            inputs={"text": f"fine {number}"},
            output={"label": "new"},
            created_at=timezone.now(),
        )
