"""The word for the newest comparisons: down, steady, or too few to tell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.decisions.statistics import wilson_interval
from lifecycle.decisions.trend import trend

AGREEMENTS = st.lists(st.floats(0, 1), max_size=40)


def test_a_clear_drop_is_down_and_keeps_its_figures() -> None:
    found = trend([0.8] * 10 + [1.0] * 10, window=10)
    assert (found.direction, found.mean, found.n) == ("down", 0.8, 10)
    assert (found.lower, found.upper) == wilson_interval(8, 10)


@pytest.mark.parametrize(("missed", "before", "word"), [(1, 0, "steady"), (4, 3, "steady"), (3, 0, "down")])
def test_what_one_case_more_or_less_does_is_steady(missed: int, before: int, word: str) -> None:
    """Of 30 comparisons each."""
    newest, older = ([0.0] * number + [1.0] * (30 - number) for number in (missed, before))
    assert trend(newest + older, window=30).direction == word


def test_a_rise_is_no_concern() -> None:
    assert trend([1.0] * 10 + [0.2] * 10, window=10).direction == "steady"


@pytest.mark.parametrize("number", [0, 1, 10, 19])
def test_two_whole_windows_are_needed_for_a_word(number: int) -> None:
    assert trend([0.1] * number, window=10).direction == "unknown"


def test_nothing_compared_has_no_mean() -> None:
    found = trend([], window=10)
    assert (found.mean, found.n, found.direction) == (None, 0, "unknown")


@given(AGREEMENTS, st.integers(1, 20))
def test_the_same_twice_is_never_down_and_the_mean_lies_in_its_interval(agreements: list[float], window: int) -> None:
    newest = agreements[:window]
    found = trend(newest + newest, window=window)
    assert found.direction != "down" or len(newest) < window
    if found.mean is not None:
        assert found.lower - 1e-9 <= found.mean <= found.upper + 1e-9
