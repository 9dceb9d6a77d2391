"""The paired bootstrap: how sure a mean difference is, from the differences themselves.

Resampling pairs with replacement, percentile interval (B. Efron, 1979). The draws come from SHAKE-256 of the seed and
not from a library's generator, so that the same figures give the same interval on every machine and in every release:
draw k of resample r is the 32-bit big-endian word k of SHAKE-256("seed:r"), scaled to an index by (word · n) >> 32.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from lifecycle.decisions.statistics import Number, exact

RESAMPLES = 2_000
CONFIDENCE = "0.90"
SEED = 42


@dataclass(frozen=True)
class Bootstrap:
    """The mean of the paired differences and its interval, with what it takes to compute it again."""

    mean: float
    lower: float
    upper: float
    n: int
    resamples: int
    confidence: float
    seed: int


def paired_bootstrap(
    baseline: Sequence[Number],
    evolved: Sequence[Number],
    *,
    resamples: int = RESAMPLES,
    confidence: Number = CONFIDENCE,
    seed: int = SEED,
) -> Bootstrap:
    """The mean of evolved − baseline over the pairs, and its two-sided percentile interval.

    Both sequences hold the same examples in the same order. The sums are exact, so that where every difference is 0
    both ends are exactly 0; the percentile at share q of the sorted means lies at place q · (resamples − 1), between
    two of them by linear interpolation.
    Raises ValueError for no pairs, sequences of different length, figures that are no finite numbers, fewer than one
    resample, or a confidence that is not between 0 and 1.
    """
    if len(baseline) != len(evolved) or not baseline:
        raise ValueError("A paired comparison needs at least one pair, and as many figures on either side.")
    level = exact(confidence)
    if resamples < 1 or not 0 < level < 1:
        raise ValueError("At least one resample is drawn, and the confidence lies between 0 and 1.")
    differences = [exact(after) - exact(before) for before, after in zip(baseline, evolved, strict=True)]
    # Whole numbers over one common denominator: as exact as fractions, and many times faster to add.
    scale = math.lcm(*(difference.denominator for difference in differences))
    whole = [int(difference * scale) for difference in differences]
    n, tail = len(whole), (1 - level) / 2
    sums = sorted(sum(whole[place] for place in _draw(n, seed, number)) for number in range(resamples))
    return Bootstrap(
        mean=float(Fraction(sum(whole), n * scale)),
        lower=float(_percentile(sums, tail) / (n * scale)),
        upper=float(_percentile(sums, 1 - tail) / (n * scale)),
        n=n,
        resamples=resamples,
        confidence=float(level),
        seed=seed,
    )


def _draw(n: int, seed: int, number: int) -> list[int]:
    words = hashlib.shake_256(f"{seed}:{number}".encode()).digest(4 * n)
    return [(word * n) >> 32 for (word,) in struct.iter_unpack(">I", words)]


def _percentile(ordered: Sequence[int], share: Fraction) -> Fraction:
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])
