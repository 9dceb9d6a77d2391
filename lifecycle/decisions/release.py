"""Shadow, canary, active: what the guardrails say about a version's stage, beside the gates of trust.

Stages are Donna's states: sandbox is shadow (never served), shadow_primary is canary, trusted is active. Every limit
here is compared exactly: "failure ≤ 0.10" admits 2 of 20, and "any rate > 0.20" does not catch 1 of 5.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, get_args

from lifecycle.decisions.statistics import Number, count, exact, measured
from lifecycle.decisions.verdict import Reason, Verdict

Stage = Literal["shadow", "canary", "active"]
GateVerdict = Literal["PASS", "HOLD", "BLOCK"]
Action = Literal["stay", "promote", "rollback"]

AUTO_PROMOTE_CANARY = "AUTO_PROMOTE_CANARY"
AUTO_PROMOTE_ACTIVE = "AUTO_PROMOTE_ACTIVE"
AUTO_ROLLBACK_GUARDRAIL_BREACH = "AUTO_ROLLBACK_GUARDRAIL_BREACH"
AUTO_ROLLBACK_VALIDATION_FAIL = "AUTO_ROLLBACK_VALIDATION_FAIL"

GUARDRAIL_WINDOW_HOURS = 168
"""A version's typed outcomes of this long are what `attempts` and the other numbers count."""
COOLDOWN_HOURS = 72
"""After a rollback, no automatic promotion for this long."""
STALE_AFTER_HOURS = 168

MIN_EVIDENCE_RUNS = 3
MIN_CANARY_RUNS = 20
MIN_CANARY_HOURS = 24
MIN_ROLLBACK_RUNS = 5
MAX_CANARY_FAILURE_RATE = "0.10"
MAX_CANARY_TIMEOUT_RATE = "0.20"
MAX_CANARY_BLOCKED_RATE = "0.20"
ROLLBACK_ABOVE_RATE = "0.20"


@dataclass(frozen=True)
class Outcomes:
    """Typed outcomes of one version: of `attempts` finished runs, how many ended in each way."""

    attempts: object
    failures: object
    timeouts: object
    permission_blocks: object

    def kinds(self) -> Iterator[tuple[str, int | None]]:
        yield "failures", count(self.failures)
        yield "timeouts", count(self.timeouts)
        yield "permission_blocks", count(self.permission_blocks)


def release_verdict(
    stage: Stage,
    *,
    verdict: GateVerdict,
    approved: bool,
    attempts: int,
    failures: int,
    timeouts: int,
    permission_blocks: int,
    hours_in_stage: Number,
    paused: bool = False,
    human_hold: bool = False,
    cooldown_hours_left: Number = 0,
    evidence_runs: int = 0,
) -> tuple[Action, str | None]:
    """(action, reason code) for one evaluation; `stay` has no code.

    1. A released version (canary, active) with a guardrail breached (`guardrail_verdict`) is rolled back, paused or
       not; a breach is named before a lost PASS. One whose verdict is no longer PASS is rolled back too.
    2. From shadow to canary: `canary_verdict`. From canary to active: `active_verdict`. Each evaluation moves one
       stage, so that going live takes two.
    3. Otherwise it stays. A figure that is missing or no number keeps it where it is.

    `attempts`, `failures`, `timeouts` and `permission_blocks` count this version's finished runs of the last
    GUARDRAIL_WINDOW_HOURS; `evidence_runs` counts only for entering the canary. Raises ValueError for another stage
    or verdict.
    """
    if stage not in get_args(Stage) or verdict not in get_args(GateVerdict):
        raise ValueError(f"{stage!r} with {verdict!r} is no stage with a verdict.")
    outcomes = Outcomes(attempts, failures, timeouts, permission_blocks)
    if stage != "shadow":
        if not guardrail_verdict(outcomes).passed:
            return "rollback", AUTO_ROLLBACK_GUARDRAIL_BREACH
        if verdict != "PASS":
            return "rollback", AUTO_ROLLBACK_VALIDATION_FAIL
    stopped = standing_verdict(
        verdict=verdict,
        approved=approved,
        paused=paused,
        human_hold=human_hold,
        cooldown_hours_left=cooldown_hours_left,
    )
    if not stopped.passed:
        return "stay", None
    if stage == "shadow" and canary_verdict(outcomes, evidence_runs=evidence_runs).passed:
        return "promote", AUTO_PROMOTE_CANARY
    if stage == "canary" and active_verdict(outcomes, hours_in_stage=hours_in_stage).passed:
        return "promote", AUTO_PROMOTE_ACTIVE
    return "stay", None


def guardrail_verdict(outcomes: Outcomes) -> Verdict:
    """passed is False when any rate is above ROLLBACK_ABOVE_RATE, over at least MIN_ROLLBACK_RUNS runs.

    Fewer runs, or numbers that are not known, break no guardrail: that nobody called a skill is no regression.
    """
    attempts = count(outcomes.attempts)
    if attempts is None or attempts < MIN_ROLLBACK_RUNS:
        return Verdict(True, (), {"attempts": attempts})
    reasons = [
        Reason(f"{kind}_too_many", f"{number} of {attempts} runs; above {ROLLBACK_ABOVE_RATE} a version goes back.")
        for kind, number in outcomes.kinds()
        if number is not None and Fraction(number, attempts) > exact(ROLLBACK_ABOVE_RATE)
    ]
    return Verdict(not reasons, tuple(reasons), {"attempts": attempts})


def standing_verdict(
    *, verdict: str, approved: bool, paused: bool, human_hold: bool, cooldown_hours_left: Number
) -> Verdict:
    """Whether anything stands in the way of every automatic promotion, whatever the evidence."""
    cooldown = measured(cooldown_hours_left)
    reasons = []
    if verdict != "PASS":
        reasons.append(Reason("verdict_not_pass", f"The evidence says {verdict}."))
    if approved is not True:
        reasons.append(Reason("not_approved", "No person has approved these files."))
    if paused:
        reasons.append(Reason("paused", "The skill is paused."))
    if human_hold:
        reasons.append(Reason("human_hold", "A person rolled it back and has not lifted that."))
    if cooldown is None or cooldown > 0:
        left = "an unknown number of" if cooldown is None else float(cooldown)
        reasons.append(Reason("cooling_down", f"It was rolled back; {left} hours of the cool-down are left."))
    return Verdict(not reasons, tuple(reasons))


def canary_verdict(outcomes: Outcomes, *, evidence_runs: int) -> Verdict:
    """From shadow to canary: enough evidence, and no guardrail broken already."""
    runs = count(evidence_runs)
    reasons = list(guardrail_verdict(outcomes).reasons)
    if runs is None or runs < MIN_EVIDENCE_RUNS:
        reasons.append(Reason("too_little_evidence", f"{runs or 0} of {MIN_EVIDENCE_RUNS} runs of evidence."))
    return Verdict(not reasons, tuple(reasons), {"evidence_runs": runs})


def active_verdict(outcomes: Outcomes, *, hours_in_stage: Number) -> Verdict:
    """From canary to active: enough runs, few enough of each bad outcome, and long enough in the stage; inclusive."""
    attempts, hours = count(outcomes.attempts), measured(hours_in_stage)
    reasons = []
    if attempts is None or attempts < MIN_CANARY_RUNS:
        reasons.append(Reason("too_few_runs", f"{attempts or 0} of {MIN_CANARY_RUNS} finished canary runs."))
    if hours is None or hours < MIN_CANARY_HOURS:
        passed = "an unknown number" if hours is None else f"{float(hours):.1f}"
        reasons.append(Reason("too_early", f"It has been a canary for {passed} of {MIN_CANARY_HOURS} hours."))
    limits = (MAX_CANARY_FAILURE_RATE, MAX_CANARY_TIMEOUT_RATE, MAX_CANARY_BLOCKED_RATE)
    for (kind, number), limit in zip(outcomes.kinds(), limits, strict=True):
        if number is None:
            reasons.append(Reason(f"{kind}_unknown", f"The number of {kind.replace('_', ' ')} is not known."))
        elif attempts and Fraction(number, attempts) > exact(limit):
            reasons.append(Reason(f"{kind}_too_many", f"{number} of {attempts} runs; a share of {limit} may."))
    return Verdict(not reasons, tuple(reasons), {"attempts": attempts})


def is_stale(hours_since_last_evidence: Number | None) -> bool:
    """Whether a released version has had no evidence for so long that `stale_evidence` is raised; never a rollback.

    None: there never was any.
    """
    hours = measured(hours_since_last_evidence)
    return hours is None or hours >= STALE_AFTER_HOURS
