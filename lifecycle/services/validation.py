"""The validation executor: a version on examples and on recorded runs, with the real model and without real tools.

Nothing here leaves a run: what is written is the ledger's rows, because money was spent. Each example has its own id
there, so that failed attempts count too. Never call it inside of a transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

from django.db.models import Sum

from donna_skills.entities import new_id
from donna_skills.errors import DonnaError
from donna_skills.llm import ledger, prices, routing
from donna_skills.llm.port import Purpose
from lifecycle.configuration import knobs
from lifecycle.decisions.splits import split_of
from lifecycle.execution import canonical, engine, fixtures, native
from lifecycle.execution.outcome import RunOutcome
from lifecycle.execution.ports import Answer, Models, Tools
from lifecycle.execution.replay import MockedTools, RecordedTools
from lifecycle.models import Skill, SkillRun, StepResult
from lifecycle.packages.model import FixtureCase, Package
from lifecycle.services import prompts
from lifecycle.services.ports import GatewayModels

logger = logging.getLogger(__name__)

Progress = Callable[[int, int, str], None]
PAUSED = "budget_paused"
_NOT_RECORDED = "not_recorded"
_MOST_KEPT = 20_000


@dataclass(frozen=True)
class Tokens:
    """What a run's model calls read and wrote; `estimated` is what was expected of the prompts beforehand."""

    read: int = 0
    written: int = 0
    estimated: int = 0


@dataclass(frozen=True)
class CaseRun:
    """One example, tried. `passed` is None where it gave no answer: the model failed, or time or budget ran out."""

    name: str
    split: str
    passed: bool | None
    problems: tuple[str, ...]
    input: Mapping[str, Any]
    output: Any
    status: str
    cost_usd: Decimal
    tokens: Tokens
    paused: bool = False

    def as_dict(self) -> dict[str, Any]:
        """JSON values, as the evidence of a decision stores them."""
        return {
            "name": self.name,
            "split": self.split,
            "passed": self.passed,
            "problems": list(self.problems),
            "input": _kept(self.input),
            "output": _kept(self.output),
            "status": self.status,
            "cost_usd": str(self.cost_usd),
        }


@dataclass(frozen=True)
class RunReplay:
    """One recorded run, done again. `answered` is False where the model gave no answer; `recorded` is False where it
    asked for a tool's result that the run does not hold, so that nothing can be said of it."""

    run_id: UUID
    path: str
    status: str
    degraded: bool
    answered: bool
    recorded: bool
    output: Any
    output_then: Any
    error: str
    cost_usd: Decimal
    tokens: Tokens
    tokens_then: Tokens | None
    paused: bool = False

    def as_dict(self) -> dict[str, Any]:
        return {
            "run_id": str(self.run_id),
            "path": self.path,
            "status": self.status,
            "degraded": self.degraded,
            "answered": self.answered,
            "recorded": self.recorded,
            "output": _kept(self.output),
            "output_then": _kept(self.output_then),
            "error": self.error,
            "cost_usd": str(self.cost_usd),
            "tokens": self.tokens.read + self.tokens.written,
            "tokens_then": self.tokens_then and self.tokens_then.read + self.tokens_then.written,
        }


def run_fixtures(
    skill: Skill,
    package: Package,
    cases: Iterable[FixtureCase],
    *,
    progress: Progress | None = None,
    models: Models | None = None,
) -> list[CaseRun]:
    """Run the package on each example's input, its tools answered by the example's mocks; a result for each, in order.

    Once the budget is used up the rest are not tried, and say so. `models` stands in for the gateway.
    """

    def carry_out(case: FixtureCase, asked: _Asked) -> RunOutcome:
        return _execute(skill, package, case.input, models=asked, tools=MockedTools(case.tool_mocks))

    return _try_all(skill, cases, carry_out, progress=progress, models=models, what="Fixture")


def run_without(
    skill: Skill, cases: Iterable[FixtureCase], *, progress: Progress | None = None, models: Models | None = None
) -> list[CaseRun]:
    """The same examples answered by the model that would serve the skill, from the capability's contract alone."""
    capability = skill.capability

    def carry_out(case: FixtureCase, asked: _Asked) -> RunOutcome:
        return native.answer(
            case.input,
            capability_name=capability.name,
            description=capability.description,
            input_schema=capability.input_schema,
            output_schema=capability.output_schema,
            models=asked,
            system=prompts.read("native_system"),
            prompt=prompts.read("native"),
            deadline_s=knobs().validation_per_step_timeout_s,
        )

    return _try_all(skill, cases, carry_out, progress=progress, models=models, what="Without the skill, fixture")


def replay_runs(
    skill: Skill,
    package: Package,
    runs: Iterable[SkillRun],
    *,
    progress: Progress | None = None,
    models: Models | None = None,
) -> list[RunReplay]:
    """Run the package on the inputs of recorded runs, its tools answered as they were then; one line for each run."""
    recorded = list(runs)
    then = _tokens_then([run.pk for run in recorded])
    found: list[RunReplay] = []
    for number, run in enumerate(recorded, start=1):
        _tell(progress, number, len(recorded), "Replay")
        asked = _Asked(skill, models, silent=bool(found and found[-1].paused))
        tools = RecordedTools(run.tool_calls)
        outcome = asked.watch(partial(_execute, skill, package, run.inputs, models=asked, tools=tools))
        found.append(
            RunReplay(
                run_id=run.pk,
                path=run.path,
                status=outcome.status,
                degraded=outcome.degraded,
                answered=asked.answered(outcome),
                recorded=not any(call.get("code") == _NOT_RECORDED for call in outcome.tool_calls),
                output=outcome.output,
                output_then=run.output,
                error=outcome.error or outcome.escalation_reason,
                cost_usd=asked.cost(outcome),
                tokens=asked.tokens(outcome),
                tokens_then=then.get(run.pk),
                paused=asked.paused,
            )
        )
    return found


def _try_all(
    skill: Skill,
    cases: Iterable[FixtureCase],
    carry_out: Callable[[FixtureCase, _Asked], RunOutcome],
    *,
    progress: Progress | None,
    models: Models | None,
    what: str,
) -> list[CaseRun]:
    every = list(cases)
    found: list[CaseRun] = []
    for number, case in enumerate(every, start=1):
        _tell(progress, number, len(every), what)
        asked = _Asked(skill, models, silent=bool(found and found[-1].paused))
        outcome = asked.watch(partial(carry_out, case, asked))
        found.append(_case_run(skill, case, asked, outcome))
    return found


def _case_run(skill: Skill, case: FixtureCase, asked: _Asked, outcome: RunOutcome) -> CaseRun:
    said = outcome.error or outcome.escalation_reason
    if outcome.status == "succeeded":
        problems = tuple(fixtures.check(outcome.output, case))
    else:
        problems = (f"The run ended as {outcome.status}: {said}",)
    answered = asked.answered(outcome)
    return CaseRun(
        name=case.name,
        split=split_of(f"{skill.pk}:{case.name}"),
        passed=not problems if answered else None,
        problems=problems if answered else (asked.trouble or said or "It gave no answer.",),
        input=case.input,
        output=outcome.output,
        status=outcome.status,
        cost_usd=asked.cost(outcome),
        tokens=asked.tokens(outcome),
        paused=asked.paused,
    )


def _execute(skill: Skill, package: Package, inputs: Mapping[str, Any], *, models: Models, tools: Tools) -> RunOutcome:
    limits = knobs()
    granted: Collection[str] = tuple(skill.capability.granted_tools)
    return engine.execute(
        package,
        inputs,
        models=models,
        tools=tools,
        granted_tools=granted,
        output_schema=skill.capability.output_schema,
        system=prompts.read("skill_system"),
        step_deadline_s=limits.validation_per_step_timeout_s,
        run_deadline_s=limits.validation_per_run_timeout_s,
        sleep=_no_pause,
    )


@dataclass
class _Asked:
    """The models of one example. It asks the alias that serves the skill, and keeps what an outcome does not say:
    whether a model failed, whether the budget paused, what the prompts were expected to take."""

    skill: Skill
    models: Models | None
    silent: bool = False
    """The budget paused before: nothing is asked any more."""
    trouble: str = ""
    paused: bool = False
    estimated: int = 0
    id: UUID = field(default_factory=new_id)

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
        name = self.skill.capability.name
        port = self.models or GatewayModels(purpose=Purpose.VALIDATION, task_type=name, run_id=self.id)
        try:
            answer = port.complete(
                step=step,
                prompt=prompt,
                system=system,
                schema=schema,
                alias=alias or routing.alias_of(Purpose.SKILL_STEP, name),
                facts=facts,
                deadline_s=deadline_s,
            )
        except DonnaError as error:
            self.trouble, self.paused = error.message, error.code == PAUSED
            raise
        self.estimated += prices.estimated_tokens(system) + prices.estimated_tokens(prompt)
        return answer

    def watch(self, carry_out: Callable[[], RunOutcome]) -> RunOutcome:
        """The outcome, whatever happens: a fault of our own in one example leaves the others their turn."""
        if self.silent:
            self.trouble, self.paused = "The budget was used up before its turn came.", True
            return RunOutcome(status="cancelled", error=self.trouble)
        try:
            return carry_out()
        except Exception as error:
            logger.exception("An example could not be tried.", extra={"skill_id": str(self.skill.pk)})
            self.trouble = f"An unexpected error ended it ({type(error).__name__})."
            return RunOutcome(status="failed", error=self.trouble)

    def answered(self, outcome: RunOutcome) -> bool:
        return not self.trouble and outcome.status not in {"timed_out", "cancelled"}

    def cost(self, outcome: RunOutcome) -> Decimal:
        """With failed attempts, as the ledger has them."""
        return outcome.cost_usd if self.models is not None or self.silent else ledger.cost_of(self.id)

    def tokens(self, outcome: RunOutcome) -> Tokens:
        return Tokens(read=outcome.input_tokens, written=outcome.output_tokens, estimated=self.estimated)


def _tokens_then(run_ids: Sequence[UUID]) -> dict[UUID, Tokens]:
    """Of the runs whose steps were recorded; a run that a bot reported has none."""
    rows = (
        StepResult.objects.filter(run_id__in=run_ids)
        .order_by()
        .values_list("run_id")
        .annotate(read=Sum("input_tokens"), written=Sum("output_tokens"))
    )
    return {run_id: Tokens(read=read, written=written) for run_id, read, written in rows}


def _tell(progress: Progress | None, number: int, total: int, what: str) -> None:
    if progress is not None:
        progress(number, total, f"{what} {number} of {total}")


def _kept(value: Any) -> Any:
    """The value, or its beginning as text where it would make the evidence too large to read."""
    text = canonical.dumps(value)
    return value if len(text) <= _MOST_KEPT else f"{text[:_MOST_KEPT]} … ({len(text)} characters)"


def _no_pause(seconds: float) -> None:
    """Mocked and recorded tools gain nothing from waiting."""
