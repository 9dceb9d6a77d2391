"""Figures are read as they are written, and the Wilson interval is what its equation says."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.decisions.statistics import (
    as_decimal,
    count,
    exact,
    exact_mean,
    measured,
    share,
    shares,
    shown,
    wilson_interval,
)

Z_95 = 1.959963984540054
NO_FIGURES: list[Any] = [
    *(
        None,
        True,
        False,
        float("nan"),
        float("inf"),
        -float("inf"),
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("Infinity"),
    ),
    *("", "NaN", "inf", "much", "1/0", "1e999999999", Decimal("1e999999"), [], {}, 1j, b"1"),
]


def solved_wilson(successes: Fraction, trials: int, z: float) -> tuple[float, float]:
    """The bounds from their definition, n(p − x)² = z²·x(1 − x), by the quadratic's stable solution."""
    p = float(successes / trials)
    a, half_b, c = trials + z * z, trials * p + z * z / 2, trials * p * p
    root = math.sqrt(max(0.0, half_b * half_b - a * c))
    upper = (half_b + root) / a
    return c / (half_b + root), upper


@pytest.mark.parametrize("value", [0.85, "0.85", Decimal("0.85"), Fraction(17, 20), "17/20", " 0.850 "])
def test_a_figure_is_the_number_that_is_written(value: Any) -> None:
    assert exact(value) == Fraction(17, 20)


@pytest.mark.parametrize("value", NO_FIGURES, ids=repr)
def test_what_is_no_finite_number_is_no_figure(value: Any) -> None:
    assert measured(value) is None
    with pytest.raises(ValueError, match="finite number"):
        exact(value)


def test_a_float_of_another_library_is_read_like_a_float() -> None:
    class TheirFloat(float):
        def __repr__(self) -> str:
            return "their.float64(0.85)"

    assert exact(TheirFloat(0.85)) == Fraction(17, 20)


@given(st.decimals(min_value=-1000, max_value=1000, places=6))
def test_a_decimal_a_text_and_a_float_of_few_digits_are_the_same_figure(value: Decimal) -> None:
    assert exact(value) == exact(str(value)) == exact(float(value)) == Fraction(value)


def test_whole_numbers_and_shares_are_told_from_the_rest() -> None:
    assert [count(one) for one in (3, "3", 3.0, 0)] == [3, 3, 3, 0]
    assert [count(one) for one in (-1, 2.5, True, None, "x")] == [None] * 5
    assert [share(one) for one in (0, 1, "0.5", 1.0001, -0.1, True)] == [0, 1, Fraction(1, 2), None, None, None]
    assert shares([1, None, 0.5, float("nan"), 2]) == [1, Fraction(1, 2)]


def test_a_hundred_times_085_has_a_mean_of_exactly_085() -> None:
    assert exact_mean([0.85] * 100) == Fraction(85, 100)
    assert sum([0.85] * 100) / 100 != 0.85


def test_the_mean_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="no values"):
        exact_mean([])


def test_fractions_come_out_as_decimals_and_as_words() -> None:
    assert as_decimal(Fraction(17, 4)) == Decimal("4.25")
    assert [shown(Fraction(*one)) for one in ((1, 3), (5, 1), (-1, 100_000), (17, 20))] == ["0.3333", "5", "0", "0.85"]


@given(st.integers(1, 5_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_solves_its_equation(pair: tuple[int, int]) -> None:
    successes, trials = pair
    lower, upper = wilson_interval(successes, trials)
    want_lower, want_upper = solved_wilson(Fraction(successes), trials, Z_95)
    assert lower == pytest.approx(want_lower, abs=1e-9)
    assert upper == pytest.approx(want_upper, abs=1e-9)


@given(st.lists(st.decimals(0, 1, places=3), min_size=1, max_size=200))
def test_graded_scores_are_summed_without_rounding(scores: list[Decimal]) -> None:
    total = sum(map(Fraction, scores), Fraction(0))
    lower, upper = wilson_interval(total, len(scores))
    assert (lower, upper) == pytest.approx(solved_wilson(total, len(scores), Z_95), abs=1e-9)
    assert 0 <= lower <= float(total / len(scores)) <= upper <= 1


@given(st.integers(1, 300), st.floats(0.01, 0.999), st.data())
def test_the_interval_is_symmetric_and_widens_with_the_confidence(
    n: int, confidence: float, data: st.DataObject
) -> None:
    s = data.draw(st.integers(0, n))
    lower, upper = wilson_interval(s, n, confidence)
    mirrored = wilson_interval(n - s, n, confidence)
    assert (1 - mirrored[1], 1 - mirrored[0]) == pytest.approx((lower, upper), abs=1e-12)
    wider = wilson_interval(s, n, (1 + confidence) / 2)
    assert wider[0] <= lower + 1e-12
    assert wider[1] >= upper - 1e-12


def test_nothing_tried_says_nothing() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)


@given(st.integers(1, 100_000))
def test_none_and_all_reach_the_ends_exactly(n: int) -> None:
    assert wilson_interval(0, n)[0] == 0.0
    assert wilson_interval(n, n)[1] == 1.0


def test_known_values() -> None:
    assert wilson_interval(8, 10) == pytest.approx((0.4901625, 0.9433178), abs=1e-7)
    assert wilson_interval(5, 10, 0.99) == pytest.approx((0.1842255, 0.8157745), abs=1e-7)
    assert wilson_interval(8, 10, "0.95") == wilson_interval(8, 10)


def test_a_confidence_close_to_one_has_an_interval() -> None:
    lower, upper = wilson_interval(50, 100, Decimal("0.99999999999999999"))
    assert 0 < lower < 0.2 < 0.8 < upper < 1


@pytest.mark.parametrize(
    ("successes", "trials", "confidence"),
    [
        (1, 0, 0.95),
        (-1, 5, 0.95),
        (6, 5, 0.95),
        (1, -1, 0.95),
        (1, 2.5, 0.95),
        (1, 5, 0),
        (1, 5, 1),
        (1, 5, "NaN"),
        (float("nan"), 5, 0.95),
        (None, 5, 0.95),
        (True, 5, 0.95),
        (1, True, 0.95),
        (1, None, 0.95),
    ],
)
def test_impossible_figures_are_refused(successes: Any, trials: Any, confidence: Any) -> None:
    with pytest.raises(ValueError):
        wilson_interval(successes, trials, confidence)
