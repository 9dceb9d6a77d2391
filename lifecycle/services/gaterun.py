"""One pass of the gates over one set of files: what each looks at, and what is kept of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from donna_skills.llm import routing
from lifecycle.decisions import filegates, gates, replays
from lifecycle.decisions.gates import GateReason, GateResult
from lifecycle.execution.ports import Models
from lifecycle.models import RunPath
from lifecycle.services import gateinputs, validation
from lifecycle.services.gateinputs import Inputs
from lifecycle.services.validation import CaseRun, Progress, RunReplay, Tokens

_FILE_GATES = 3
PAUSED = "The budget for model calls is used up; what is missing has to be looked at when it is open again."


@dataclass
class GateRun:
    """`evidence` holds JSON values for pages; `incomplete` says that a model gave no answer somewhere."""

    given: Inputs
    progress: Progress | None = None
    models: Models | None = None
    evidence: dict[str, Any] = field(default_factory=dict)
    incomplete: bool = False
    _paused: bool = False
    _done: int = 0
    _tried: list[CaseRun] = field(default_factory=list)

    def carry_out(self) -> list[GateResult]:
        """The gates' results in their order, up to the first BLOCK, or to the one at which the budget was used up."""
        results: list[GateResult] = []
        self.evidence = self._about()
        steps: Sequence[Callable[[], GateResult]] = (
            *(self._static, self._safety, self._leak),
            *(self._dry_run, self._fixtures, self._replay, self._baseline),
        )
        for step in steps:
            result = step()
            if self._paused:
                result = dataclasses.replace(result, reasons=(*result.reasons, GateReason("BUDGET_PAUSED", PAUSED)))
            results.append(result)
            if result.status == "BLOCK" or self._paused:
                break
        return results

    def _static(self) -> GateResult:
        self._tell(0, "Reading the files")
        return filegates.static_gate(self.given.reasons(), self.given.facts())

    def _safety(self) -> GateResult:
        self._tell(1, "Looking for what harms")
        steps = self.given.package.steps if self.given.package else ()
        models = {step.name: step.model for step in steps}
        return filegates.safety_gate(self.given.files, models=models, aliases=tuple(routing.routes().aliases))

    def _leak(self) -> GateResult:
        self._tell(2, "Looking for what is held out")
        return filegates.leak_gate(self.given.files, self.given.holdout)

    def _dry_run(self) -> GateResult:
        """One example counts here, if possible none that is held out, whose failure would be told; its answer is looked
        at with the others' in the next gate."""
        self._done = _FILE_GATES
        first = self._try(sorted(self.given.cases, key=lambda case: case.name in self.given.held_out)[:1])
        succeeded = None if not first or first[0].passed is None else first[0].status == "succeeded"
        detail = " ".join(first[0].problems) if first else ""
        return gates.dry_run_gate(self.given.body(), succeeded=succeeded, detail=detail, cost=_cost(first))

    def _fixtures(self) -> GateResult:
        tried = {one.name for one in self._tried}
        rest = self._try([case for case in self.given.cases if case.name not in tried])
        results = {tried.name: tried.passed for tried in self._tried}
        return gates.fixtures_gate(results, required=self.given.fixture_rate, cost=_cost(rest))

    def _replay(self) -> GateResult:
        given = self.given
        assert given.package is not None
        found = validation.replay_runs(
            given.skill, given.package, given.runs, progress=self._part(len(given.runs)), models=self.models
        )
        self.evidence["replays"] = [replay.as_dict() for replay in found]
        self._note(found, [replay.answered for replay in found])
        known = [replay for replay in found if replay.recorded]
        result = gates.replay_gate(replays.report([_measured(replay) for replay in known]), cost=_cost(found))
        kept = {
            "not_recorded": len(found) - len(known),
            "unanswered": sum(not replay.answered for replay in known),
        }
        return dataclasses.replace(result, figures={**result.figures, **kept}, cost=_cost(found))

    def _baseline(self) -> GateResult:
        given = self.given
        without = validation.run_without(
            given.skill, given.cases, progress=self._part(len(given.cases)), models=self.models
        )
        self.evidence["without"] = [
            {"name": one.name, "passed": one.passed, "output": one.output, "cost_usd": str(one.cost_usd)}
            for one in without
        ]
        self._note(without, [one.passed is not None for one in without])
        total = len(given.cases) or None
        return gates.baseline_gate(_passes(self._tried), _passes(without), total, cost=_cost(without))

    def _try(self, cases: Sequence[Any]) -> list[CaseRun]:
        given = self.given
        assert given.package is not None
        tried = validation.run_fixtures(
            given.skill, given.package, cases, progress=self._part(len(cases)), models=self.models
        )
        self._tried += tried
        self.evidence["cases"] = [one.as_dict() for one in sorted(self._tried, key=lambda one: one.name)]
        self._note(tried, [one.passed is not None for one in tried])
        return tried

    def _note(self, found: Sequence[CaseRun | RunReplay], answered: Sequence[bool]) -> None:
        self.incomplete = self.incomplete or not all(answered)
        self._paused = self._paused or any(one.paused for one in found)

    def _about(self) -> dict[str, Any]:
        given = self.given
        version = given.skill.current_version
        current = version if version is not None and version.digest != given.digest else None
        if current is None and version is not None:
            current = version.parent
        before = gateinputs.characters_of(current) if current is not None else None
        route = routing.route_of(gateinputs.alias_of(given.skill))
        return {
            "inputs_digest": given.inputs_digest,
            "size": {"before": before, "after": given.characters},
            "model": {"alias": route.alias, "provider": route.provider, "model": route.model},
            "required": {"fixture_rate": str(given.fixture_rate)},
            "cases": [],
            "replays": [],
            "without": [],
        }

    def _part(self, length: int) -> Progress:
        """Where a part of this length stands in the whole."""
        before, self._done = self._done, self._done + length
        return lambda number, total, message: self._tell(before + number - 1, message)

    def _tell(self, done: int, message: str) -> None:
        if self.progress is not None:
            total = _FILE_GATES + 2 * len(self.given.cases) + len(self.given.runs)
            self.progress(done, total, message)


def _measured(replay: RunReplay) -> replays.Replay:
    """In the units of docs/statistics.md: beside a skill's run all tokens count, beside the reference's those that were
    written, because the instructions that a skill adds are read by the cheaper model."""
    now = "degraded" if replay.status == "succeeded" and replay.degraded else replay.status

    def unit(tokens: Tokens) -> int:
        return tokens.written if replay.path == RunPath.NATIVE else tokens.read + tokens.written

    return replays.Replay(
        then=replays.SUCCESS,
        now=now if replay.answered else None,
        tokens_then=None if replay.tokens_then is None else unit(replay.tokens_then),
        tokens_now=unit(replay.tokens) if replay.answered else None,
        estimated=replay.tokens.estimated if replay.answered else None,
        counted=replay.tokens.read if replay.answered else None,
    )


def _passes(tried: Sequence[CaseRun]) -> int | None:
    """How many pass; None where one gave no answer, because then nobody knows."""
    if any(one.passed is None for one in tried):
        return None
    return sum(one.passed is True for one in tried)


def _cost(found: Sequence[CaseRun | RunReplay]) -> Decimal:
    return sum((one.cost_usd for one in found), Decimal(0))
