"""Choices and gates of one attempt to evolve a degraded skill: which cases it sees, which it never sees, what it has to
pass, and when to stop trying."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

from lifecycle.decisions.gates import EVOLUTION_FIXTURE_RATE, GateReason, GateResult, fixtures_gate
from lifecycle.decisions.splits import TRAIN_PERCENT, VALIDATION_PERCENT, bucket
from lifecycle.decisions.statistics import Number, exact, measured, share, shown
from lifecycle.decisions.verdict import Reason, Verdict

Outcome = Literal["accepted", "rejected", "budget_stopped", "model_error"]

TARGETED_RATE = "0.80"
_HOLDOUT_FROM = TRAIN_PERCENT + VALIDATION_PERCENT


@dataclass(frozen=True)
class Case:
    """A judged divergence: its id, the agreement in [0, 1], in which way it failed, and what its split hashes.

    `inputs_key` is the same for equal inputs (their digest), so that a case cannot be learned from in one run and be
    held out in another.
    """

    id: str
    agreement: float
    kind: str
    inputs_key: str


@dataclass(frozen=True)
class Split:
    """Cases that the prompt may show, and cases that only judge the answer."""

    train: tuple[Case, ...]
    holdout: tuple[Case, ...]


def spread(cases: Sequence[Case], *, most: int = 30) -> tuple[Case, ...]:
    """Up to `most` cases, worst agreement first and spread over kinds of failure: the worst of each kind in turn, the
    kind with the worst case first. Ties by id, so that the order in which they come does not matter."""
    by_kind: dict[str, list[Case]] = defaultdict(list)
    for case in sorted(cases, key=lambda case: (case.agreement, case.id)):
        by_kind[case.kind].append(case)
    rounds = max(map(len, by_kind.values()), default=0)
    # A dictionary keeps its keys in the order of their first, and so worst, case.
    in_turn = [kind[turn] for turn in range(rounds) for kind in by_kind.values() if turn < len(kind)]
    return tuple(in_turn[:most])


def split(cases: Sequence[Case]) -> Split:
    """Train and holdout by the stable hash of `splits`: about a fifth is held out, by the inputs and not by anybody's
    choice. Where chance leaves one side empty, the inputs whose hash is nearest to it go there, so that with two
    different inputs neither side is empty."""
    places = {case.inputs_key: bucket(case.inputs_key) for case in cases}
    held = {key for key, place in places.items() if place >= _HOLDOUT_FROM}
    if len(places) > 1 and not held:
        held = {max(places, key=lambda key: (places[key], key))}
    if len(places) > 1 and len(held) == len(places):
        held.remove(min(places, key=lambda key: (places[key], key)))
    return Split(
        train=tuple(case for case in cases if case.inputs_key not in held),
        holdout=tuple(case for case in cases if case.inputs_key in held),
    )


def attempt_verdict(
    judged_cases: int,
    budget_left: Number | None,
    *,
    min_cases: int = 15,
    estimated_cost: Number = 0.75,
    nights_short: int = 0,
    patience: int = 3,
) -> Verdict:
    """Whether an attempt starts tonight: enough judged divergences of this version, and its estimated cost (US dollars)
    still in the budget. A budget that is not known is 0. Reasons: too_few_cases, budget_short.

    `nights_short` counts the nights, tonight included, that had too few cases; evidence `tell_person` is True once
    that was so for `patience` nights.
    """
    left, cost = measured(budget_left) or Fraction(0), exact(estimated_cost)
    reasons = []
    if judged_cases < min_cases:
        reasons.append(Reason("too_few_cases", f"{judged_cases} of {min_cases} judged comparisons of this version."))
    if left < cost:
        reasons.append(Reason("budget_short", f"{shown(left)} USD are left; an attempt takes {shown(cost)} USD."))
    evidence = {"cases": judged_cases, "tell_person": judged_cases < min_cases and nights_short >= patience}
    return Verdict(not reasons, tuple(reasons), evidence)


def consecutive_rejections(outcomes_newest_first: Sequence[Outcome]) -> int:
    """How many of the newest attempts the gates rejected in a row, since the skill was last degraded. Budget stops and
    errors of a model do not count and do not interrupt; an accepted attempt does."""
    rejections = 0
    for outcome in outcomes_newest_first:
        if outcome == "accepted":
            break
        rejections += outcome == "rejected"
    return rejections


def gives_up(outcomes_newest_first: Sequence[Outcome], *, after: int = 2) -> bool:
    """Whether it is time to stop evolving: the last healthy version, or the reference, serves from now on."""
    return consecutive_rejections(outcomes_newest_first) >= max(1, after)


def targeted_gate(
    targeted: Collection[str],
    passed: Mapping[str, bool | None],
    *,
    required: Number = TARGETED_RATE,
    cost: Decimal = Decimal(0),
) -> GateResult:
    """The share of the targeted cases that pass now, inclusive. `passed` maps a case's id to whether it does, None for
    an abstention of the judge; an id that is not among them was made up, and counts against the attempt."""
    ids = sorted(set(targeted))
    unknown = [one for one in ids if one not in passed]
    abstained = [one for one in ids if one in passed and passed[one] is None]
    passing = sum(1 for one in ids if passed.get(one) is True)
    figures = {"passed": passing, "total": len(ids), "unknown": unknown, "abstained": abstained}
    if not ids:
        reason = GateReason("TARGETED_CASES_MISSING", "The attempt names no case that it mends.")
        return GateResult("targeted", (reason,), figures, cost)
    if Fraction(passing + len(abstained), len(ids)) < exact(required):
        message = f"{passing} of {len(ids)} targeted cases pass; a share of {required} is needed."
        return GateResult("targeted", (GateReason("TARGETED_CASES_FAILED", message, "BLOCK"),), figures, cost)
    if Fraction(passing, len(ids)) < exact(required):
        message = f"The judge abstained on {len(abstained)} of {len(ids)} targeted cases."
        return GateResult("targeted", (GateReason("TARGETED_CASES_MISSING", message),), figures, cost)
    return GateResult("targeted", (), figures, cost)


def holdout_gate(
    before: Mapping[str, bool], after: Mapping[str, bool | None], *, cost: Decimal = Decimal(0)
) -> GateResult:
    """Cases that the attempt never saw: more of them pass than did, or all do. What is only better on the cases that it
    was shown was learned by heart, and is for a person to decide: HOLD, never BLOCK. Both map a case's id."""
    known = {one: passed for one, passed in after.items() if passed is not None}
    passed_now, passed_then = sum(known.values()), sum(before.get(one, False) for one in known)
    figures = {"passed": passed_now, "before": passed_then, "total": len(after), "abstained": len(after) - len(known)}
    if not known:
        reason = GateReason("HOLDOUT_MISSING", "No case that the attempt did not see could be judged.")
        return GateResult("holdout", (reason,), figures, cost)
    if passed_now > passed_then or passed_now == len(known):
        return GateResult("holdout", (), figures, cost)
    message = f"Of {len(known)} cases that the attempt did not see {passed_now} pass; {passed_then} did before."
    return GateResult("holdout", (GateReason("HOLDOUT_NOT_BETTER", message),), figures, cost)


def regression_gate(
    before: Mapping[str, bool | None],
    after: Mapping[str, bool | None],
    *,
    required: Number = EVOLUTION_FIXTURE_RATE,
    waived: Collection[str] = (),
    cost: Decimal = Decimal(0),
) -> GateResult:
    """The fixtures' gate for an evolution: a higher share, and none that passed with the current version fails now
    unless a reviewer waives it by name. Both map a fixture's name to whether it passed, None without an answer."""
    passed_before = [name for name, passed in before.items() if passed is True]
    return fixtures_gate(after, required=required, passed_before=passed_before, waived=waived, cost=cost)


def recent_success_gate(
    current: Sequence[Number | None], evolved: Sequence[Number | None], *, cost: Decimal = Decimal(0)
) -> GateResult:
    """Recent successes replayed with both versions: the mean agreement with the recorded output is not worse, exactly.

    The sequences are paired. A pair in which either side abstained decides nothing and is left out; no pair: HOLD.
    Raises ValueError for sequences of different length.
    """
    pairs = [(share(old), share(new)) for old, new in zip(current, evolved, strict=True)]
    known = [(old, new) for old, new in pairs if old is not None and new is not None]
    figures: dict[str, Any] = {"n": len(known), "abstained": len(pairs) - len(known)}
    if not known:
        reason = GateReason("RECENT_SUCCESS_MISSING", "No recent success could be replayed with both versions.")
        return GateResult("recent_success", (reason,), figures, cost)
    old_mean = sum((old for old, _ in known), Fraction(0)) / len(known)
    new_mean = sum((new for _, new in known), Fraction(0)) / len(known)
    figures |= {"current": float(old_mean), "evolved": float(new_mean)}
    if new_mean >= old_mean:
        return GateResult("recent_success", (), figures, cost)
    message = f"Agreement with recent successes falls from {shown(old_mean)} to {shown(new_mean)}."
    return GateResult("recent_success", (GateReason("RECENT_SUCCESS_WORSE", message, "BLOCK"),), figures, cost)
