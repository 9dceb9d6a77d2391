"""What replaying recorded runs with another version measures: figures for the replay gate.

Then is what was recorded, now is what the version does on the same inputs with the recorded tools. The four figures
are those of docs/statistics.md; one that could not be measured on every run is None, which the gate holds on.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from lifecycle.decisions.gates import ReplayReport

KINDS = ("succeeded", "degraded", "failed", "escalated", "timed_out", "permission_blocked", "cancelled")
SUCCESS = "succeeded"
_SMOOTHING = 0.5
_P95 = Fraction(95, 100)


@dataclass(frozen=True)
class Replay:
    """One recorded run, then and now. Kinds are of KINDS; `now` is None where the replay gave no answer.

    Tokens are in the unit that the two have in common (see docs/statistics.md); None where nobody counted them.
    `estimated` and `counted` are the tokens of the prompts that were sent now, before and after.
    """

    then: str
    now: str | None
    tokens_then: int | None = None
    tokens_now: int | None = None
    estimated: int | None = None
    counted: int | None = None


def report(replays: Sequence[Replay]) -> ReplayReport | None:
    """The figures over all replays, None where there are none."""
    if not replays:
        return None
    then = [replay.then for replay in replays]
    now = [replay.now for replay in replays if replay.now is not None]
    answered = len(now) == len(replays)
    return ReplayReport(
        runs=len(replays),
        success_delta=Fraction(now.count(SUCCESS) - then.count(SUCCESS), len(replays)) if answered else None,
        failure_distance=failure_distance(then, now) if answered else None,
        token_delta=token_delta(replays),
        token_error_p95=token_error_p95(replays),
    )


def failure_distance(then: Sequence[str], now: Sequence[str]) -> float:
    """How far the two distributions over kinds of outcome lie apart: Jeffreys' divergence, 0 for equal ones.

    With half a run added to each kind, so that a kind seen on one side only is far and not infinitely far:
    p = (count + 0.5) / (n + 0.5 · kinds), and the sum over the kinds of (p − q) · ln(p / q).
    """
    p, q = _distribution(then), _distribution(now)
    return math.fsum((a - b) * math.log(a / b) for a, b in zip(p, q, strict=True))


def token_delta(replays: Sequence[Replay]) -> Fraction | None:
    """(tokens now − then) / then over all runs together. None where a run has none, or there were none to grow from."""
    pairs = [(r.tokens_then, r.tokens_now) for r in replays]
    known = [(old, new) for old, new in pairs if old is not None and new is not None]
    if not known or len(known) < len(pairs):
        return None
    old, new = sum(old for old, _ in known), sum(new for _, new in known)
    if not old:
        return None if new else Fraction(0)
    return Fraction(new - old, old)


def token_error_p95(replays: Sequence[Replay]) -> Fraction | None:
    """The 95th percentile, by nearest rank, of |estimated − counted| / counted; nothing estimated and nothing counted
    is no error. None where a run's tokens were not counted."""
    errors = []
    for replay in replays:
        if replay.estimated is None or replay.counted is None or (replay.estimated and not replay.counted):
            return None
        error = abs(replay.estimated - replay.counted)
        errors.append(Fraction(error, replay.counted) if replay.counted else Fraction(0))
    return sorted(errors)[math.ceil(_P95 * len(errors)) - 1] if errors else None


def _distribution(kinds: Sequence[str]) -> list[float]:
    counts = Counter(kinds)
    total = len(kinds) + _SMOOTHING * len(KINDS)
    return [(counts[kind] + _SMOOTHING) / total for kind in KINDS]
