"""Ask the judge how far two answers agree. Whatever goes wrong is an abstention, which no statistic sees."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from donna_skills.errors import BudgetPaused, DonnaError
from donna_skills.llm import gateway
from donna_skills.llm.port import ModelRequest, Purpose
from lifecycle.configuration import knobs
from lifecycle.decisions import sampling
from lifecycle.decisions.judge import parse_agreement
from lifecycle.execution import replies, templates
from lifecycle.models import SkillRun
from lifecycle.services import prompts

_LONGEST = 4_000
_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "agreement": {"type": "number", "minimum": 0, "maximum": 1},
        "rationale": {"type": "string"},
    },
    "required": ["agreement", "rationale"],
}


@dataclass(frozen=True)
class Judgement:
    """`agreement` is None for an abstention, and `because` says why; `paused` where the budget kept the judge away."""

    agreement: float | None = None
    rationale: str = ""
    because: str = ""
    cost_usd: Decimal = Decimal(0)
    paused: bool = False


def judge(run: SkillRun, *, reference_output: Any) -> Judgement:
    """The judge's word on `run.output` beside the reference's output; never raises for what a model does."""
    return compare(run, output=run.output, reference_output=reference_output)


def compare(run: SkillRun, *, output: Any, reference_output: Any) -> Judgement:
    """The same for any other answer to the inputs of a run, such as another version's.

    Which of the two it reads first is a coin tossed by the run's id, so that a liking for one place cancels out.
    """
    sides = (reference_output, output)
    first, second = sides if sampling.reference_comes_first(run.pk) else reversed(sides)
    try:
        reply = gateway.complete(_request(run, first, second))
    except DonnaError as error:
        because = f"The judge could not be asked: {error.message}"[:_LONGEST]
        return Judgement(because=because, paused=isinstance(error, BudgetPaused))
    return dataclasses.replace(_read(reply.text), cost_usd=reply.cost_usd)


def _read(text: str) -> Judgement:
    try:
        said = replies.parse(text)
    except replies.ReplyInvalid as error:
        return Judgement(because=f"The judge's answer cannot be read: {error}"[:_LONGEST])
    agreement = parse_agreement(said)
    rationale = said.get("rationale") if isinstance(said, dict) else None
    if agreement is None:
        return Judgement(because="The judge's answer names no agreement between 0 and 1.")
    return Judgement(agreement=agreement, rationale=rationale[:_LONGEST] if isinstance(rationale, str) else "")


def _request(run: SkillRun, first: Any, second: Any) -> ModelRequest:
    capability = run.capability
    names = {
        "capability_name": capability.name,
        "description": capability.description,
        "output_schema": templates.plain(capability.output_schema),
        "first": templates.plain(first),
        "second": templates.plain(second),
    }
    return ModelRequest(
        purpose=Purpose.JUDGE,
        task_type="judge",
        prompt=templates.render(prompts.read("judge"), inputs=run.inputs, state={}, extra=names),
        system=prompts.read("judge_system"),
        schema=_SCHEMA,
        facts={"first": first, "second": second},
        run_id=run.pk,
        deadline_s=knobs().run_per_step_timeout_s,
    )
