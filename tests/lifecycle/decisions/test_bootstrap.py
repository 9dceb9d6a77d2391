"""The paired bootstrap: the same everywhere, exact at zero, and as wide as theory says."""

from __future__ import annotations

import hashlib
import statistics
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.decisions.bootstrap import paired_bootstrap

scores = st.lists(st.tuples(st.decimals(0, 1, places=2), st.decimals(0, 1, places=2)), min_size=1, max_size=12)


def recomputed(differences: list[float], resamples: int, seed: int) -> tuple[float, float]:
    """The interval again from the documented draws, in plain floats, with the library's own percentiles."""
    n, means = len(differences), []
    for number in range(resamples):
        stream = hashlib.shake_256(f"{seed}:{number}".encode()).digest(4 * n)
        words = [int.from_bytes(stream[4 * k : 4 * k + 4], "big") for k in range(n)]
        means.append(sum(differences[word * n // 2**32] for word in words) / n)
    cuts = statistics.quantiles(means, n=20, method="inclusive")
    return cuts[0], cuts[-1]


def test_anyone_can_compute_it_again() -> None:
    before, after = [0.5, 0.6, 0.9, 0.4, 0.7], [0.7, 0.6, 1.0, 0.3, 0.9]
    found = paired_bootstrap(before, after)
    want = recomputed([b - a for a, b in zip(before, after, strict=True)], 2000, 42)
    assert (found.lower, found.upper) == pytest.approx(want, abs=1e-12)
    assert found.mean == 0.08
    assert (found.n, found.resamples, found.confidence, found.seed) == (5, 2000, 0.9, 42)


def test_the_same_scores_give_exactly_nothing() -> None:
    found = paired_bootstrap([0.1, 0.2, 0.7] * 10, [0.1, 0.2, 0.7] * 10)
    assert (found.mean, found.lower, found.upper) == (0.0, 0.0, 0.0)


def test_a_constant_difference_has_no_width() -> None:
    found = paired_bootstrap(["0.8", Decimal("0.1"), 0.3], [0.9, 0.2, "0.4"])
    assert (found.mean, found.lower, found.upper) == (0.1, 0.1, 0.1)


def test_the_width_is_that_of_the_normal_interval_for_many_pairs() -> None:
    after = [(number * 37 % 101) / 100 for number in range(400)]
    found = paired_bootstrap([0] * 400, after)
    half = 1.645 * statistics.pstdev(after) / 20
    assert found.upper - found.lower == pytest.approx(2 * half, rel=0.1)


@settings(max_examples=25, deadline=None)
@given(scores, st.integers(0, 3))
def test_the_ends_lie_within_the_differences_and_in_order(pairs: list[tuple[Decimal, Decimal]], seed: int) -> None:
    before, after = [a for a, _ in pairs], [b for _, b in pairs]
    found = paired_bootstrap(before, after, resamples=200, seed=seed)
    differences = [float(b - a) for a, b in pairs]
    assert min(differences) <= found.lower <= found.upper <= max(differences)
    assert found == paired_bootstrap(before, after, resamples=200, seed=seed)
    mirrored = paired_bootstrap(after, before, resamples=200, seed=seed)
    assert (mirrored.lower, mirrored.upper) == pytest.approx((-found.upper, -found.lower), abs=1e-12)


@pytest.mark.parametrize(
    ("before", "after", "options"),
    [
        ([], [], {}),
        ([1], [1, 2], {}),
        ([1], [float("nan")], {}),
        ([None], [1], {}),
        ([1], [1], {"resamples": 0}),
        ([1], [1], {"confidence": 1}),
    ],
)
def test_what_cannot_be_compared_is_refused(before: Any, after: Any, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        paired_bootstrap(before, after, **options)
