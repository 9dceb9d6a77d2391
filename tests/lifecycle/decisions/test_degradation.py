"""Degradation: even the optimistic end below what was earned; and clusters of corrections."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.decisions.degradation import (
    Baseline,
    baseline,
    correction_cluster_verdict,
    degradation_verdict,
    flagged_below,
    reset_baseline,
)
from lifecycle.decisions.statistics import wilson_interval
from lifecycle.decisions.verdict import Verdict


def codes(verdict: Verdict) -> list[str]:
    return [reason.code for reason in verdict.reasons]


def test_a_perfect_record_is_healthy_against_a_perfect_baseline() -> None:
    verdict = degradation_verdict([1.0] * 30, 1.0, baseline_mean=1.0)
    assert verdict.passed
    assert verdict.evidence["status"] == "healthy"
    assert verdict.evidence["upper"] == 1.0


def test_the_upper_bound_decides_and_not_the_lower() -> None:
    """29 of 30 against 0.95: the lower bound is far below, the upper is not."""
    verdict = degradation_verdict([1.0] * 29 + [0.0], 0.95)
    assert verdict.evidence["lower"] < 0.95 < verdict.evidence["upper"]
    assert verdict.passed


def test_a_skill_that_slipped_is_flagged_with_its_figures() -> None:
    verdict = degradation_verdict([0.0] * 15 + [1.0] * 15, 0.95)
    assert codes(verdict) == ["rate_below_baseline"]
    assert verdict.evidence["status"] == "flagged"
    assert (verdict.evidence["successes"], verdict.evidence["trials"]) == (15, 30)
    assert (verdict.evidence["lower"], verdict.evidence["upper"]) == wilson_interval(15, 30)


def test_a_bound_that_equals_the_baseline_does_not_flag() -> None:
    upper = wilson_interval(20, 30)[1]
    agreements = [1.0] * 20 + [0.0] * 10
    assert degradation_verdict(agreements, upper).passed
    assert not degradation_verdict(agreements, math.nextafter(upper, 1)).passed


def test_an_agreement_of_exactly_the_threshold_is_a_success() -> None:
    assert degradation_verdict([0.5] * 30, 0.9).evidence["successes"] == 30
    assert degradation_verdict([0.4999] * 30, 0.9).evidence["successes"] == 0


def test_a_graded_drift_is_flagged_though_every_answer_still_counts_as_a_success() -> None:
    agreements = [0.55] * 30
    assert degradation_verdict(agreements, 1.0).passed
    verdict = degradation_verdict(agreements, 1.0, baseline_mean=0.95)
    assert codes(verdict) == ["mean_below_baseline"]
    assert (verdict.evidence["lower"], verdict.evidence["upper"]) == wilson_interval(30, 30)
    assert verdict.evidence["mean_upper"] == wilson_interval("16.5", 30)[1]


def test_both_rules_may_speak() -> None:
    verdict = degradation_verdict([0.0] * 30, 0.9, baseline_mean=0.9)
    assert codes(verdict) == ["rate_below_baseline", "mean_below_baseline"]


def test_too_few_comparisons_say_nothing() -> None:
    verdict = degradation_verdict([0.0] * 29, 0.9)
    assert verdict.passed
    assert verdict.evidence["status"] == "insufficient_data"
    assert verdict.evidence["trials"] == 29


def test_no_comparisons_at_all_say_nothing() -> None:
    verdict = degradation_verdict([], 0.9, baseline_mean=0.9)
    assert verdict.passed
    assert (verdict.evidence["lower"], verdict.evidence["upper"]) == (0.0, 1.0)
    assert verdict.evidence["mean"] is None


@pytest.mark.parametrize("earned", [None, float("nan"), True, "unknown", 1.2])
def test_without_a_baseline_nothing_is_flagged(earned: Any) -> None:
    verdict = degradation_verdict([0.0] * 30, earned)
    assert verdict.passed
    assert verdict.evidence["status"] == "insufficient_data"


def test_only_the_newest_window_is_looked_at() -> None:
    assert degradation_verdict([1.0] * 30 + [0.0] * 100, 0.9).passed
    assert not degradation_verdict([0.0] * 30 + [1.0] * 100, 0.9).passed


@pytest.mark.parametrize("reply", [None, float("nan"), True, "0.0", -1])
def test_an_outage_of_the_judge_never_demotes(reply: Any) -> None:
    if reply == "0.0":
        reply = "no agreement"
    verdict = degradation_verdict([reply] * 100 + [1.0] * 29, 0.99, baseline_mean=0.99)
    assert verdict.passed
    assert verdict.evidence["status"] == "insufficient_data"


def test_abstentions_between_the_comparisons_change_nothing() -> None:
    mixed: list[Any] = [one for agreement in [0.0] * 30 for one in (None, agreement)]
    assert degradation_verdict(mixed, 0.9).evidence == degradation_verdict([0.0] * 30, 0.9).evidence


@given(st.integers(0, 30), st.floats(0, 1), st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_the_count_rule_is_the_interval_against_the_baseline(successes: int, earned: float, confidence: float) -> None:
    agreements = [1.0] * successes + [0.0] * (30 - successes)
    upper = wilson_interval(successes, 30, confidence)[1]
    assert degradation_verdict(agreements, earned, confidence=confidence).passed == (upper >= earned)


@given(st.lists(st.integers(0, 100).map(lambda n: n / 100), min_size=30, max_size=30))
def test_a_skill_that_is_as_good_as_its_baseline_is_never_flagged(agreements: list[float]) -> None:
    earned = baseline(agreements)
    assert earned is not None
    assert degradation_verdict(agreements, earned.success_rate, baseline_mean=earned.mean).passed


def test_a_baseline_holds_mean_share_and_lower_end() -> None:
    assert baseline([1.0, 0.4, 0.6, 1.0]) == Baseline(0.75, 0.75, wilson_interval(3, 4)[0], 4)
    assert baseline([]) is None


def test_saving_a_skill_recomputes_its_baseline_from_the_newest() -> None:
    earned = reset_baseline([0.9] * 100 + [0.0] * 50)
    assert earned is not None
    assert (earned.mean, earned.n) == (0.9, 100)


def test_saving_keeps_the_baseline_with_too_few_or_too_low_agreements() -> None:
    assert reset_baseline([1.0] * 29) is None
    assert reset_baseline([0.85] * 30) is not None
    assert reset_baseline([0.85] * 29 + [0.84]) is None
    assert reset_baseline([], min_agreements=0) is None


def test_two_corrections_among_the_newest_ten_runs_are_a_cluster() -> None:
    verdict = correction_cluster_verdict([0, 1, 0, 0, 0, 0, 0, 0, 0, 1])
    assert codes(verdict) == ["correction_cluster"]
    assert verdict.evidence == {"corrections": 2, "runs": [1, 9], "n": 10, "status": "flagged"}
    assert "number 2, 10 from the newest" in verdict.reasons[0].message


def test_two_corrections_of_one_run_are_a_cluster_too() -> None:
    assert correction_cluster_verdict([2]).evidence["runs"] == [0]
    assert not correction_cluster_verdict([2]).passed


def test_corrections_of_older_runs_do_not_count() -> None:
    assert correction_cluster_verdict([1] + [0] * 9 + [5]).passed


def test_no_runs_are_no_evidence() -> None:
    assert correction_cluster_verdict([]).evidence["status"] == "insufficient_data"
    assert correction_cluster_verdict([0] * 10, threshold=0).passed


@pytest.mark.parametrize("number", [-1, None, True, 1.5])
def test_a_number_of_corrections_that_is_none_is_refused(number: Any) -> None:
    with pytest.raises(ValueError, match="whole number"):
        correction_cluster_verdict([0, number])


@given(
    earned=st.integers(1, 100).map(lambda percent: percent / 100),
    window=st.integers(1, 200),
    confidence=st.sampled_from([0.8, 0.95, 0.99]),
)
def test_the_line_is_where_the_rule_itself_begins_to_flag(earned: float, window: int, confidence: float) -> None:
    line = flagged_below(earned, window=window, confidence=confidence)
    near = int((line or 0) * window)
    for k in {0, max(near - 1, 0), near, min(near + 1, window), min(near + 2, window)}:
        verdict = degradation_verdict([1.0] * k + [0.0] * (window - k), earned, window=window, confidence=confidence)
        if line is None or k / window > line + 1e-9:
            assert verdict.passed
        elif k / window < line - 1e-9:
            assert not verdict.passed


@pytest.mark.parametrize("earned", [None, math.nan, 1.2, "nothing", 0])
def test_without_a_baseline_there_is_no_line(earned: Any) -> None:
    assert flagged_below(earned) is None


def test_too_few_comparisons_cannot_flag_a_modest_baseline_whatever_they_say() -> None:
    assert flagged_below(0.5, window=3) is None
    assert degradation_verdict([0.0] * 3, 0.5, window=3).passed
