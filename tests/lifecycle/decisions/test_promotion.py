"""Promotion: thresholds inclusive and exact, no evidence never passes, and each reason is one condition of its own."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.decisions.promotion import sandbox_verdict, trust_verdict
from lifecycle.decisions.verdict import Verdict


def codes(verdict: Verdict) -> list[str]:
    return [reason.code for reason in verdict.reasons]


def test_ninety_percent_of_twenty_runs_is_enough() -> None:
    assert sandbox_verdict([True] * 18 + [False] * 2).passed
    assert codes(sandbox_verdict([True] * 17 + [False] * 3)) == ["validity_too_low"]


def test_only_the_newest_runs_are_looked_at() -> None:
    assert sandbox_verdict([True] * 20 + [False] * 100).passed
    assert not sandbox_verdict([False] * 20 + [True] * 100).passed


def test_nineteen_runs_are_too_few() -> None:
    verdict = sandbox_verdict([True] * 19)
    assert codes(verdict) == ["too_few_runs"]
    assert verdict.evidence == {"valid": 19, "n": 19, "needed": 20}


@pytest.mark.parametrize("min_runs", [0, -5, 20])
def test_no_runs_never_pass(min_runs: int) -> None:
    assert codes(sandbox_verdict([], min_runs=min_runs)) == ["too_few_runs"]


@pytest.mark.parametrize("value", [1, "yes", None, float("nan")])
def test_what_is_not_true_is_not_valid(value: Any) -> None:
    assert not sandbox_verdict([value] * 20).passed


@given(st.lists(st.booleans(), max_size=20))
def test_the_reasons_say_exactly_what_perfect_runs_cannot_mend(runs: list[bool]) -> None:
    verdict = sandbox_verdict(runs)
    completed = [True] * (20 - len(runs)) + runs
    assert ("validity_too_low" in codes(verdict)) == (not sandbox_verdict(completed).passed)
    assert ("too_few_runs" in codes(verdict)) == (len(runs) < 20)


@pytest.mark.parametrize("agreement", [0.85, "0.85", Decimal("0.85")])
def test_a_mean_of_exactly_085_is_enough(agreement: Any) -> None:
    verdict = trust_verdict([agreement] * 100, 10, 100)
    assert verdict.passed
    assert verdict.evidence["mean"] == 0.85
    assert verdict.evidence["n"] == 100


def test_a_hair_below_is_not() -> None:
    assert codes(trust_verdict([0.85] * 99 + [0.8499], 0, 100)) == ["agreement_too_low"]


def test_failures_are_counted_over_all_runs() -> None:
    assert trust_verdict([1.0] * 100, 100, 1000).passed
    assert codes(trust_verdict([1.0] * 100, 101, 1000)) == ["failures_too_many"]


@pytest.mark.parametrize(
    ("failed", "total", "code"),
    [
        (0, 0, "no_runs"),
        (0, None, "no_runs"),
        (None, 100, "failures_unknown"),
        (-1, 100, "failures_unknown"),
        (101, 100, "failures_unknown"),
        (float("nan"), 100, "failures_unknown"),
        (True, 100, "failures_unknown"),
    ],
)
def test_a_failure_rate_that_is_not_known_never_passes(failed: Any, total: Any, code: str) -> None:
    assert codes(trust_verdict([1.0] * 100, failed, total)) == [code]


@pytest.mark.parametrize("agreement", [None, True, float("nan"), "much", 1.5, -0.1])
def test_an_agreement_that_is_none_never_passes(agreement: Any) -> None:
    verdict = trust_verdict([agreement, *[1.0] * 100], 0, 100)
    assert codes(verdict) == ["agreement_invalid"]
    assert verdict.evidence["mean"] is None


def test_no_comparisons_never_pass() -> None:
    verdict = trust_verdict([], 0, 0)
    assert codes(verdict) == ["too_few_divergences", "no_runs"]
    assert verdict.evidence["mean"] is None
    assert not trust_verdict([], 0, 10, min_runs=0).passed


def test_only_the_newest_comparisons_are_looked_at() -> None:
    assert trust_verdict([1.0] * 100 + [0.0] * 500, 0, 100).passed
    assert not trust_verdict([0.0] * 100 + [1.0] * 500, 0, 100).passed


@given(st.lists(st.integers(0, 100).map(lambda n: n / 100), max_size=10))
def test_low_agreement_is_named_where_perfect_comparisons_cannot_mend_it(agreements: list[float]) -> None:
    verdict = trust_verdict(agreements, 0, 10, min_runs=10)
    completed = [1.0] * (10 - len(agreements)) + agreements
    assert ("agreement_too_low" in codes(verdict)) == (not trust_verdict(completed, 0, 10, min_runs=10).passed)


@given(st.lists(st.decimals(0, 1, places=2), min_size=5, max_size=5))
def test_the_threshold_is_met_in_fractions(agreements: list[Decimal]) -> None:
    mean = sum(map(Fraction, agreements)) / 5
    assert trust_verdict([float(one) for one in agreements], 0, 5, min_runs=5).passed == (mean >= Fraction(85, 100))
