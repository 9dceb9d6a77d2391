"""Sampling: anyone can recompute which runs were compared, and the rate is what it says."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.decisions.sampling import is_sampled, reference_comes_first

RUNS = [f"run-{number}" for number in range(20_000)]


@given(st.uuids(), st.integers(0, 1000))
def test_the_formula_is_the_documented_one(run_id: uuid.UUID, permille: int) -> None:
    number = int(hashlib.sha256(str(run_id).encode()).hexdigest()[:16], 16)
    assert is_sampled(run_id, permille / 1000) == (number * 1000 < permille * 2**64)
    assert is_sampled(run_id, permille / 1000) == is_sampled(str(run_id), permille / 1000)


@given(st.text())
def test_nothing_is_sampled_at_0_and_everything_at_1(run_id: str) -> None:
    assert not is_sampled(run_id, 0)
    assert is_sampled(run_id, 1)
    assert is_sampled(run_id, 1.0)


@given(st.uuids(), st.floats(0, 1), st.floats(0, 1))
def test_a_higher_rate_keeps_what_a_lower_one_chose(run_id: uuid.UUID, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert is_sampled(run_id, high) or not is_sampled(run_id, low)


@pytest.mark.parametrize("rate", [0.05, 0.5])
def test_the_share_is_close_to_the_rate(rate: float) -> None:
    seen = sum(is_sampled(run, rate) for run in RUNS)
    assert abs(seen - rate * len(RUNS)) < 5 * (rate * (1 - rate) * len(RUNS)) ** 0.5


@pytest.mark.parametrize("rate", [None, float("nan"), True, "often"])
def test_a_rate_that_is_none_is_refused(rate: Any) -> None:
    with pytest.raises(ValueError, match="finite number"):
        is_sampled("run", rate)


def test_the_judges_sides_are_a_fair_coin_among_sampled_runs_too() -> None:
    sampled = [run for run in RUNS if is_sampled(run, 0.2)]
    first = sum(reference_comes_first(run) for run in sampled)
    assert abs(first - len(sampled) / 2) < 5 * (len(sampled) / 4) ** 0.5
