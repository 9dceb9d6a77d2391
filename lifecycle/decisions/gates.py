"""Gates: each looks at one kind of evidence for a version and says PASS, HOLD or BLOCK; the worst is the verdict.

No evidence never passes. A gate that had nothing to look at is HOLD with its reason, and so is one whose figures are
missing, null or not finite. HOLD waits for evidence or a person; BLOCK needs other files. With `strict`, what the
specification marks so is BLOCK instead of HOLD.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

from lifecycle.decisions.statistics import Number, count, exact, measured, shown
from lifecycle.decisions.verdict import Reason, Verdict

Status = Literal["PASS", "HOLD", "BLOCK"]
WORSE: Mapping[Status, int] = {"PASS": 0, "HOLD": 1, "BLOCK": 2}

ORDER = ("static", "safety", "leak", "dry_run", "fixtures", "replay", "baseline", "closed_loop")
"""Cheap to dear: the first three read files, the others run the version. A pipeline stops at a BLOCK."""

DRAFT_FIXTURE_RATE = "0.80"
EVOLUTION_FIXTURE_RATE = "0.95"
MIN_BASELINE_LIFT = "0.05"


@dataclass(frozen=True)
class GateReason(Reason):
    """Why a gate does not pass, and how bad that is."""

    status: Status = "HOLD"


@dataclass(frozen=True)
class GateResult:
    """What one gate says. `figures` holds JSON values, `cost` US dollars spent on the evidence."""

    gate: str
    reasons: tuple[GateReason, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    cost: Decimal = Decimal(0)

    @property
    def status(self) -> Status:
        return worst(reason.status for reason in self.reasons)

    def as_dict(self) -> dict[str, Any]:
        """JSON values, as a GateDecision stores them."""
        return {
            "gate": self.gate,
            "status": self.status,
            "reasons": [{"code": r.code, "message": r.message, "status": r.status} for r in self.reasons],
            "figures": dict(self.figures),
            "cost_usd": str(self.cost),
        }


@dataclass(frozen=True)
class Decision:
    """The verdict over all gates that ran: the worst status, every reason, and what the evidence cost."""

    verdict: Status
    reasons: tuple[GateReason, ...]
    gates: tuple[GateResult, ...]
    cost: Decimal


def combine(results: Sequence[GateResult]) -> Decision:
    """The worst status wins, and all HOLD and BLOCK reasons are kept, in the gates' order. No gates: HOLD."""
    gates = tuple(results)
    reasons = tuple(reason for gate in gates for reason in gate.reasons)
    if not gates:
        reasons = (GateReason("NO_EVIDENCE", "No gate has looked at this version yet."),)
    cost = sum((gate.cost for gate in gates), Decimal(0))
    return Decision(worst(reason.status for reason in reasons), reasons, gates, cost)


def worst(statuses: Iterable[Status]) -> Status:
    """The worst of some statuses; of none, PASS. (That no gates are HOLD is for `combine` to say.)"""
    return max(statuses, key=WORSE.__getitem__, default="PASS")


def dry_run_gate(
    body: str | None, *, succeeded: bool | None, detail: str = "", cost: Decimal = Decimal(0)
) -> GateResult:
    """One real run on a fixture's input with mocked tools. `body` is the text that instructs the model (None for a
    package of tool steps alone); `succeeded` is None where no run was made."""
    reasons = []
    if body is not None and not body.strip():
        reasons.append(GateReason("DRY_RUN_EMPTY_BODY", "The skill instructs nobody: its body is empty."))
    elif succeeded is None:
        reasons.append(GateReason("DRY_RUN_MISSING", "It has not been run yet; a fixture's input is needed."))
    elif succeeded is not True:
        reasons.append(GateReason("DRY_RUN_FAILED", f"A run on a fixture's input failed. {detail}".strip()))
    return GateResult("dry_run", tuple(reasons), {"succeeded": succeeded}, cost)


def fixtures_gate(
    results: Mapping[str, bool | None],
    *,
    required: Number = DRAFT_FIXTURE_RATE,
    passed_before: Collection[str] = (),
    waived: Collection[str] = (),
    cost: Decimal = Decimal(0),
) -> GateResult:
    """The share of fixtures that pass, and none that passed before failing now.

    `results` maps a fixture's name to whether it passed, None where it gave no answer (an error of the runner, a
    time-out). A fixture without an answer, or one of `passed_before` that is not among them, is missing evidence:
    HOLD. The share is below `required` (inclusive) whatever the missing ones would say: BLOCK. One that passed before
    fails now, and no reviewer waived it by name: BLOCK.
    """
    unknown = sorted({name for name, passed in results.items() if passed is None} | {*passed_before} - {*results})
    passing = sum(1 for passed in results.values() if passed is True)
    failing = {name for name, passed in results.items() if passed is False}
    broken = sorted(failing & {*passed_before} - {*waived})
    total = len(results)
    figures = {"passed": passing, "total": total, "unanswered": unknown, "newly_failing": broken}
    if not results:
        missing = GateReason("FIXTURES_MISSING", "There are no fixtures to hold it against.")
        return GateResult("fixtures", (missing,), figures, cost)
    reasons = []
    if Fraction(total - len(failing), total) < exact(required):
        message = f"{passing} of {total} fixtures pass; a share of {required} is needed."
        reasons.append(GateReason("FIXTURES_FAILED", message, "BLOCK"))
    if broken:
        message = f"These passed before and fail now: {_listed(broken)}."
        reasons.append(GateReason("FIXTURES_FAILED", message, "BLOCK"))
    if unknown:
        message = f"These gave no answer: {_listed(unknown)}."
        reasons.append(GateReason("FIXTURES_MISSING", message))
    return GateResult("fixtures", tuple(reasons), figures, cost)


@dataclass(frozen=True)
class ReplayReport:
    """Recorded runs replayed with the version. Each figure is a number as it was measured, or None.

    `success_delta`: share of successes now − then. `failure_distance`: distance of the distributions over kinds of
    failure. `token_delta`: (tokens now − then) / then. `token_error_p95`: 95th percentile of the relative error of the
    token estimates.
    """

    runs: object
    success_delta: object
    failure_distance: object
    token_delta: object
    token_error_p95: object


_REPLAY_LIMITS = (
    ("success_delta", "at least", "-0.10"),
    ("failure_distance", "at most", "2.50"),
    ("token_delta", "at most", "0.10"),
    ("token_error_p95", "at most", "0.65"),
)


def replay_gate(report: ReplayReport | None, *, strict: bool = False, cost: Decimal = Decimal(0)) -> GateResult:
    """Every metric is measured and within its limit, inclusive; one reason for each that is not."""
    bad: Status = "BLOCK" if strict else "HOLD"
    if report is None or not count(report.runs):
        reason = GateReason("REPLAY_REPORT_MISSING", "No recorded run has been replayed with this version.", bad)
        return GateResult("replay", (reason,), {"runs": 0}, cost)
    reasons = []
    figures: dict[str, Any] = {"runs": count(report.runs)}
    for name, sense, limit in _REPLAY_LIMITS:
        figure = measured(getattr(report, name))
        figures[name] = None if figure is None else float(figure)
        if figure is None:
            reasons.append(GateReason("REPLAY_GATE_FAILED", f"{name} was not measured.", bad))
        elif figure < exact(limit) if sense == "at least" else figure > exact(limit):
            message = f"{name} is {shown(figure)}; {sense} {limit} is needed."
            reasons.append(GateReason("REPLAY_GATE_FAILED", message, bad))
    return GateResult("replay", tuple(reasons), figures, cost)


def baseline_gate(
    with_skill: object, without_skill: object, cases: object, *, cost: Decimal = Decimal(0)
) -> GateResult:
    """The lift: pass rate with the skill minus without it, over the same cases; at least 0.05, inclusive and exact.

    Both sides as numbers of cases passed. Counts that are missing or contradict each other are HOLD."""
    better, worse, total = count(with_skill), count(without_skill), count(cases)
    if better is None or worse is None or not total or max(better, worse) > total:
        reason = GateReason("BASELINE_MISSING", "The same cases have not been run with and without the skill.")
        return GateResult("baseline", (reason,), {"with": better, "without": worse, "cases": total}, cost)
    lift = Fraction(better - worse, total)
    figures = {"with": better, "without": worse, "cases": total, "lift": float(lift)}
    if lift >= exact(MIN_BASELINE_LIFT):
        return GateResult("baseline", (), figures, cost)
    message = (
        f"{better} of {total} cases pass with the skill, {worse} without; a lift of {MIN_BASELINE_LIFT} is needed."
    )
    return GateResult("baseline", (GateReason("BASELINE_LIFT_LOW", message),), figures, cost)


def closed_loop_gate(verdict: Verdict | None, *, aborted: str = "", cost: Decimal = Decimal(0)) -> GateResult:
    """A closed-loop suite's verdict: BLOCK where it refuses, HOLD where it was aborted (`aborted` is the code, such as
    cl_eval_incomplete) or gave none."""
    if aborted or verdict is None:
        code = aborted.upper() or "CL_EVAL_MISSING"
        reason = GateReason(code, "The closed-loop suite came to no verdict; it has to be run again.")
        return GateResult("closed_loop", (reason,), {}, cost)
    reasons = tuple(GateReason(reason.code.upper(), reason.message, "BLOCK") for reason in verdict.reasons)
    return GateResult("closed_loop", reasons, verdict.evidence, cost)


def _listed(names: Sequence[str], most: int = 8) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
