"""After release: what the newest checks say about a version, and how far it is to be trusted.

A check is a run that was judged, a fixture that was run again, or a replay. That nobody called the skill is no check.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from lifecycle.decisions.statistics import Number, exact, measured, share, shown
from lifecycle.decisions.verdict import Reason

WINDOW = 20
MIN_CHECKS_TO_ALERT = 3
MIN_CHECKS_TO_ROLL_BACK = 10
MAX_RATE_DROP = "0.10"
MAX_GRADE_DROP = "0.15"
MAX_EFFORT_RISE = "0.25"
UNKNOWN_SCORE = 0.5

RATE_ALERT, GRADE_ALERT, EFFORT_ALERT = "pass_rate_dropped", "grade_dropped", "efficiency_worse"


@dataclass(frozen=True)
class Check:
    """One check: whether it passed, its grade in [0, 1] and its effort (tokens, or dollars: more is worse), each None
    where it was not measured."""

    passed: bool
    grade: Number | None = None
    effort: Number | None = None


@dataclass(frozen=True)
class Expected:
    """What the version showed when it was released; None where it is not known, and then nothing drops."""

    pass_rate: Number | None
    grade: Number | None = None
    effort: Number | None = None


@dataclass(frozen=True)
class Watch:
    """What the newest checks show. Drops are positive where it got worse, None where they are not known."""

    n: int
    alerts: tuple[Reason, ...]
    roll_back: bool
    rate_drop: float | None
    grade_drop: float | None
    effort_rise: float | None


@dataclass(frozen=True)
class Part:
    """One step from 1 down to the score."""

    name: Literal["rate_alert", "grade_drop", "other_alert", "rolled_back"]
    amount: float


@dataclass(frozen=True)
class Trust:
    """The score in [0, 1] and what was taken off; with fewer than 3 checks it is 0.5 and nothing was taken off."""

    score: float
    parts: tuple[Part, ...]
    n: int


def watch(checks: Sequence[Check], expected: Expected) -> Watch:
    """Alerts over the newest WINDOW checks, newest first, with at least MIN_CHECKS_TO_ALERT; all limits exclusive.

    Pass rate: expected − seen > 0.10, and with at least MIN_CHECKS_TO_ROLL_BACK checks the version rolls back.
    Grade: expected − mean seen > 0.15. Effort: (mean seen − expected) / expected > 0.25.
    """
    newest = checks[:WINDOW]
    passes = [Fraction(check.passed is True) for check in newest]
    grades = [grade for grade in (share(check.grade) for check in newest) if grade is not None]
    efforts = [effort for effort in (measured(check.effort) for check in newest) if effort is not None and effort >= 0]
    rate_drop = _drop(share(expected.pass_rate), passes)
    grade_drop = _drop(share(expected.grade), grades)
    effort_rise = _rise(measured(expected.effort), efforts)
    alerts = []
    for code, worse, limit, values, what in (
        (RATE_ALERT, rate_drop, MAX_RATE_DROP, passes, "The pass rate fell by"),
        (GRADE_ALERT, grade_drop, MAX_GRADE_DROP, grades, "The grade fell by"),
        (EFFORT_ALERT, effort_rise, MAX_EFFORT_RISE, efforts, "The effort rose by a share of"),
    ):
        if worse is not None and len(values) >= MIN_CHECKS_TO_ALERT and worse > exact(limit):
            alerts.append(Reason(code, f"{what} {shown(worse)} over {len(values)} checks; {limit} is allowed."))
    slipped = any(alert.code == RATE_ALERT for alert in alerts)
    return Watch(
        n=len(newest),
        alerts=tuple(alerts),
        roll_back=slipped and len(newest) >= MIN_CHECKS_TO_ROLL_BACK,
        rate_drop=_float(rate_drop),
        grade_drop=_float(grade_drop),
        effort_rise=_float(effort_rise),
    )


def trust_score(
    checks: int,
    *,
    rate_alert: bool = False,
    grade_drop: Number | None = None,
    other_alert: bool = False,
    rolled_back: bool = False,
) -> Trust:
    """1 − 0.5 (rate alert) − min(2 × grade drop, 0.3) − 0.2 (another alert) − 0.2 (rolled back), at least 0; 0.5 under
    3 checks. A grade drop that is not known, or a grade that rose, takes nothing off."""
    if checks < MIN_CHECKS_TO_ALERT:
        return Trust(UNKNOWN_SCORE, (), checks)
    drop = max(Fraction(0), measured(grade_drop) or Fraction(0))
    steps: tuple[tuple[Literal["rate_alert", "grade_drop", "other_alert", "rolled_back"], Fraction], ...] = (
        ("rate_alert", Fraction(5, 10) if rate_alert else Fraction(0)),
        ("grade_drop", min(2 * drop, Fraction(3, 10))),
        ("other_alert", Fraction(2, 10) if other_alert else Fraction(0)),
        ("rolled_back", Fraction(2, 10) if rolled_back else Fraction(0)),
    )
    score = max(Fraction(0), 1 - sum(amount for _, amount in steps))
    return Trust(float(score), tuple(Part(name, float(amount)) for name, amount in steps if amount), checks)


def trust(seen: Watch, *, rolled_back: bool = False) -> Trust:
    """The score of a watched version. Another alert is any but the pass rate's."""
    codes = {alert.code for alert in seen.alerts}
    return trust_score(
        seen.n,
        rate_alert=RATE_ALERT in codes,
        grade_drop=seen.grade_drop,
        other_alert=bool(codes - {RATE_ALERT}),
        rolled_back=rolled_back,
    )


def _drop(expected: Fraction | None, seen: Sequence[Fraction]) -> Fraction | None:
    return None if expected is None or not seen else expected - sum(seen, Fraction(0)) / len(seen)


def _rise(expected: Fraction | None, seen: Sequence[Fraction]) -> Fraction | None:
    drop = _drop(expected, seen)
    return None if drop is None or not expected or expected < 0 else -drop / expected


def _float(value: Fraction | None) -> float | None:
    return None if value is None else float(value)
