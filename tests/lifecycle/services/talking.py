"""A model that never runs out of answers: it says what a function of the question says, and counts its tokens."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from lifecycle.decisions.splits import split_of
from lifecycle.execution.ports import Answer
from lifecycle.models import RunPath, Skill, SkillRun, StepResult
from tests import builders
from tests.scripted import Asked

GOOD = {"label": "greeting"}
CLUELESS = {"nothing": "of use"}


def with_skill(asked: Asked) -> Any:
    """The skill's step is answered; the bare contract alone is not enough."""
    return CLUELESS if asked.step == "native" else GOOD


class Talking:
    def __init__(self, says: Callable[[Asked], Any] = with_skill) -> None:
        self.says, self.history = says, list[Asked]()

    def complete(
        self,
        *,
        step: str,
        prompt: str,
        system: str,
        schema: Mapping[str, Any] | None,
        alias: str | None,
        facts: Mapping[str, Any],
        deadline_s: float,
    ) -> Answer:
        asked = Asked(step, prompt, system, schema, alias, facts, deadline_s)
        self.history.append(asked)
        said = self.says(asked)
        if isinstance(said, BaseException):
            raise said
        text = json.dumps(said)
        return Answer(text=text, input_tokens=tokens(system + prompt), output_tokens=tokens(text))


def draft() -> Skill:
    """A skill with a version whose one example is there to be learned from."""
    made = builders.capability().skill
    files = builders.step_package(made.capability.name)
    case = {"name": named(made, "train"), "input": {"text": "hello"}, "assertions": [{"path": "label", "op": "exists"}]}
    builders.version(made, files=files | {"fixtures/one.json": json.dumps(case).encode()})
    return made


def named(of: Skill, split: str, *taken: str) -> str:
    """A name that the stable hash puts into this split."""
    names = (f"case {number}" for number in range(1000))
    return next(name for name in names if split_of(f"{of.pk}:{name}") == split and name not in taken)


def tokens(text: str) -> int:
    return max(1, len(text) // 4)


def recorded(of: Skill, text: str, *, counted: bool = True, **fields: Any) -> SkillRun:
    """An answer of the reference model, with its tokens unless told otherwise."""
    run = builders.run(of, path=RunPath.NATIVE, inputs={"text": text}, output=GOOD, **fields)
    if counted:
        StepResult.objects.create(
            run=run, name="native", index=0, kind="llm", status="succeeded", input_tokens=200, output_tokens=8
        )
    return run
