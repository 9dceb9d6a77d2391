"""Is a skill's agreement holding, or going down? A word for the eye, long before a flag; it moves nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from lifecycle.decisions.statistics import Number, shares, wilson_interval

Direction = Literal["down", "steady", "unknown"]


@dataclass(frozen=True)
class Trend:
    """The newest window's mean with its interval; `mean` is None without a comparison."""

    direction: Direction
    mean: float | None
    lower: float
    upper: float
    n: int


def trend(agreements: Sequence[Number], *, window: int, confidence: Number = 0.95) -> Trend:
    """The newest `window` agreements (newest first, each in [0, 1]) against the `window` before them.

    Down: lower by more than one standard error of the difference, after one success and one failure were added to each
    window (A. Agresti and B. Caffo, 2000), so that a single miss after a perfect record is none, and chance alone draws
    the arrow for one skill in six. Unknown until both windows are full.
    """
    known, size = shares(agreements), max(1, window)
    newest, before = known[:size], known[size : 2 * size]
    if not newest:
        return Trend("unknown", None, 0.0, 1.0, 0)
    lower, upper = wilson_interval(sum(newest, Fraction(0)), len(newest), confidence)
    mean = _mean(newest)
    direction: Direction = "unknown"
    if len(before) == size:
        direction = "down" if _is_lower(newest, before) else "steady"
    return Trend(direction, float(mean), lower, upper, len(newest))


def _is_lower(newest: Sequence[Fraction], before: Sequence[Fraction]) -> bool:
    """Both are of the same length. Squared, so that the comparison is exact."""
    n = len(newest) + 2
    new, old = ((sum(values, Fraction(0)) + 1) / n for values in (newest, before))
    drop = old - new
    return drop > 0 and drop * drop * n > new * (1 - new) + old * (1 - old)


def _mean(values: Sequence[Fraction]) -> Fraction:
    return sum(values, Fraction(0)) / len(values)
