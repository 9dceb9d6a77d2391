"""The closed-loop gate: exact decimals, bands in their order, and reasons in theirs."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.decisions.closed_loop import (
    aa_verdict,
    char_ceiling,
    closed_loop_verdict,
    deciding_signal,
    growth,
    judge_verdict,
    required_task_gain,
    saturation_band,
    size_verdict,
)
from lifecycle.decisions.verdict import Verdict

NAN = float("nan")


def codes(verdict: Verdict) -> list[str]:
    return [reason.code for reason in verdict.reasons]


def test_growth_is_a_share_of_the_baseline() -> None:
    assert growth(1000, 1200) == 0.2
    assert growth(1000, 900) == -0.1
    assert growth(0, 50) == 50
    assert growth(0, 0) == 0


@pytest.mark.parametrize("pair", [(-1, 5), (1.5, 5), (5, None), (True, 5)])
def test_lengths_that_are_none_are_refused(pair: tuple[Any, Any]) -> None:
    with pytest.raises(ValueError, match="Lengths"):
        growth(*pair)


@pytest.mark.parametrize(
    ("grown", "noise", "tasks"),
    [
        *((0, 0, 1), (-5, 0, 1), (0.2, 0, 1), (1.2, 0, 1), ("1.2000001", 0, 2), (2.2, 0, 2), (Decimal("3.2"), 0, 3)),
        *((0, 0.9, 1), (0, 1, 2), (0, "1.99", 2), (0, 2, 3), (4.2, 1, 4), (4.2, 5, 6), (0, -3, 1)),
    ],
)
def test_the_tasks_that_growth_and_noise_ask_for(grown: Any, noise: Any, tasks: int) -> None:
    assert required_task_gain(grown, noise) == tasks


@given(st.integers(1, 10**6), st.integers(0, 10**7))
def test_the_required_gain_of_real_lengths_is_exact(before: int, after: int) -> None:
    want = max(1, math.ceil(Fraction(after - before, before) - Fraction(1, 5)))
    assert required_task_gain(growth(before, after)) == want


@pytest.mark.parametrize(
    ("judge", "rate", "band"),
    [
        *((0.2, 0.15, "uniform_failure"), (1.0, 0.15, "uniform_failure"), (1.0, 0.0, "uniform_failure")),
        *((0.99, None, "no_headroom"), (0.9899, None, "healthy"), (0.95, None, "healthy")),
        *((0.95, 0.95, "no_headroom"), (1.0, 1.0, "no_headroom"), (0.9499, 1.0, "healthy")),
        *((0.95, 0.1501, "weak_signal"), (0.95, 0.9499, "weak_signal"), (1.0, 0.5, "weak_signal")),
        *((0.94, 0.5, "healthy"), ("0.95", Decimal("0.95"), "no_headroom"), (0, None, "healthy")),
    ],
)
def test_the_bands_and_their_boundaries(judge: Any, rate: Any, band: str) -> None:
    assert saturation_band(judge, rate) == band


@pytest.mark.parametrize("figures", [(None,), (NAN,), (1.1,), (True,), (0.5, NAN), (0.5, -0.1), (0.5, "x")])
def test_an_empty_holdout_or_a_figure_that_is_none_is_an_error(figures: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        saturation_band(*figures)


def test_the_closed_loop_decides_where_the_judge_is_blind_or_the_skill_says_so() -> None:
    assert deciding_signal("weak_signal", has_baseline_result=True) == "closed_loop"
    assert deciding_signal("weak_signal", has_baseline_result=False) == "synthetic"
    assert deciding_signal("healthy", has_baseline_result=True) == "synthetic"
    assert deciding_signal("healthy", has_baseline_result=False, gate_primary="closed_loop") == "closed_loop"


def test_one_task_more_at_no_growth_is_accepted() -> None:
    verdict = closed_loop_verdict(3, 4, 0.95, 0.95, 0)
    assert verdict.passed
    assert verdict.evidence == {"gain": 1, "required_gain": 1, "judge_change": 0.0, "losses": 0}


@pytest.mark.parametrize(("before", "after"), [(1.00, 0.95), ("1.00", "0.95"), (Decimal("1.00"), Decimal("0.95"))])
def test_a_drop_of_exactly_the_tolerance_passes(before: Any, after: Any) -> None:
    assert closed_loop_verdict(3, 4, before, after, 0).passed
    assert codes(closed_loop_verdict(3, 4, before, "0.9499", 0)) == ["judge_regressed"]


def test_every_condition_that_fails_is_named_in_order() -> None:
    verdict = closed_loop_verdict(5, 5, 1.0, 0.5, 0, losses=1)
    assert codes(verdict) == ["gain_below_required", "judge_regressed", "tasks_lost"]
    assert codes(closed_loop_verdict(5, 3, 1.0, 1.0, 0, losses=2)) == ["gain_below_required", "tasks_lost"]


def test_growth_and_noise_raise_what_is_required() -> None:
    assert not closed_loop_verdict(3, 4, 0.9, 0.9, 1.3).passed
    assert closed_loop_verdict(3, 5, 0.9, 0.9, 1.3).passed
    assert not closed_loop_verdict(3, 4, 0.9, 0.9, 0, noise_floor=1).passed


def test_lost_tasks_may_be_allowed() -> None:
    assert codes(closed_loop_verdict(3, 5, 1, 1, 0, 0, 1)) == ["tasks_lost"]
    assert closed_loop_verdict(3, 5, 1, 1, 0, 0, 1, max_task_losses=1).passed


@pytest.mark.parametrize("bad", [None, NAN, True, "?", float("inf")])
@pytest.mark.parametrize(
    ("place", "code"),
    [
        (0, "gain_below_required"),
        (1, "gain_below_required"),
        (2, "judge_regressed"),
        (3, "judge_regressed"),
        (4, "gain_below_required"),
        (5, "gain_below_required"),
        (6, "tasks_lost"),
    ],
)
def test_a_missing_figure_fails_its_condition(bad: Any, place: int, code: str) -> None:
    figures: list[Any] = [3, 9, 0.9, 0.9, 0, 0, 0]
    figures[place] = bad
    assert codes(closed_loop_verdict(*figures)) == [code]


@pytest.mark.parametrize(
    ("grown", "mean", "lower", "reasons"),
    [
        (0.2, 0, -0.5, []),
        (0.2, "-0.001", 0, ["mean_regressed"]),
        (0.3, 0.03, 0.001, []),
        (0.3, 0.0299, 0.001, ["mean_below_required"]),
        (0.3, 0.03, 0, ["lower_bound_not_positive"]),
        (0.3, 0.0, -0.1, ["mean_below_required", "lower_bound_not_positive"]),
        (-0.5, 0, 0, []),
    ],
)
def test_the_judge_decides_by_what_growth_has_to_buy(grown: Any, mean: Any, lower: Any, reasons: list[str]) -> None:
    assert codes(judge_verdict(grown, mean, lower)) == reasons


@pytest.mark.parametrize(
    ("preset", "grown", "required"),
    [("strict", 0.1, 0.0), ("strict", 0.3, 0.1), ("default", 0.3, 0.03), ("lenient", 0.3, 0.0), ("lenient", 0.8, 0.1)],
)
def test_the_presets(preset: str, grown: float, required: float) -> None:
    verdict = judge_verdict(grown, required, 0.01, preset)
    assert verdict.passed
    assert verdict.evidence["required"] == required


def test_non_inferiority_looks_at_the_lower_bound() -> None:
    assert judge_verdict(0, -0.04, "-0.05", mode="non_inferiority").passed
    assert codes(judge_verdict(0, 0.5, -0.0501, mode="non_inferiority")) == ["lower_bound_below_tolerance"]
    assert judge_verdict(0, 0, -0.1, mode="non_inferiority", tolerance=0.1).passed
    # Growth beyond what is free asks for a gain in any mode.
    assert not judge_verdict(0.5, 0, -0.01, mode="non_inferiority").passed


@pytest.mark.parametrize("bad", [None, NAN, False, "?"])
@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("mode", ["no_regression", "non_inferiority"])
def test_the_judge_never_accepts_what_was_not_measured(bad: Any, place: int, mode: Any) -> None:
    figures: list[Any] = [0, 1, 1]
    figures[place] = bad
    grown, mean, lower = figures
    assert codes(judge_verdict(grown, mean, lower, mode=mode)) == ["figure_missing"]


@pytest.mark.parametrize("wrong", [{"preset": "harsh"}, {"mode": "any"}])
def test_another_preset_or_mode_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no preset"):
        judge_verdict(0, 1, 1, **wrong)


def test_the_ceiling_is_the_larger_of_two() -> None:
    assert char_ceiling(5000, 1000) == 5000
    assert char_ceiling(5000, 3334) == 5001
    assert char_ceiling(5000, 3333) == 5000
    assert char_ceiling("3000", 2001) == 3001
    assert size_verdict(5001, ceiling=5001).passed
    assert codes(size_verdict(5002, ceiling=5001)) == ["size_above_ceiling"]
    assert not size_verdict(None, ceiling=5001).passed  # type: ignore[arg-type]


def test_a_suite_that_accepts_a_version_against_itself_needs_a_person() -> None:
    assert aa_verdict(1, 20).passed
    assert codes(aa_verdict(2, 20)) == ["aa_acceptance_too_high"]
    assert aa_verdict(0, 0).passed
    with pytest.raises(ValueError, match="at most all"):
        aa_verdict(3, 2)
