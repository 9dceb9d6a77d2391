"""Candidacy: savings in exact dollars, shapes of outputs, fingerprints, and the threshold that is worth a skill."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.decisions.candidacy import (
    candidate_verdict,
    expected_savings,
    pattern_fingerprint,
    repetitiveness,
    stratified,
)


def test_savings_are_volume_times_what_a_skill_does_not_cost() -> None:
    assert expected_savings(100, 0.05) == Decimal("4.25")
    assert expected_savings(100, "0.05", overhead=Decimal("0.5")) == Decimal("2.5")
    assert expected_savings(0, 0.05) == 0
    assert isinstance(expected_savings(3, 0.1), Decimal)


def test_a_skill_that_costs_more_saves_less_than_nothing() -> None:
    assert expected_savings(10, 1, overhead=1.5) == Decimal(-5)


@given(st.integers(0, 10**9), st.decimals(0, 100, places=8))
def test_savings_are_exact(volume: int, cost: Decimal) -> None:
    assert expected_savings(volume, cost) * 100 == volume * cost * 85


@pytest.mark.parametrize(("volume", "cost"), [(-1, 1), (1.5, 1), (1, -1), (1, float("nan")), (1, None), (True, 1)])
def test_figures_that_are_none_are_refused(volume: Any, cost: Any) -> None:
    with pytest.raises(ValueError):
        expected_savings(volume, cost)


def test_repetitiveness_counts_shapes() -> None:
    assert repetitiveness([{"a": 1, "b": 2}, {"b": 0, "a": "x"}, {"a": 1}, {"a": 2}]) == 0.5
    assert repetitiveness([{"a": 1}] * 10) == 0.9
    assert repetitiveness([]) == 0.0
    assert repetitiveness([{"a": 1}]) == 0.0


def test_an_output_that_is_no_object_has_its_json_type_for_a_shape() -> None:
    assert repetitiveness([1, 2.5, "a", "b", None, None, True, False, [1], []]) == 0.5
    assert repetitiveness([{"string": 1}, "text"]) == 0.0
    assert repetitiveness([{}, None]) == 0.0


def test_a_fingerprint_folds_case_and_white_space() -> None:
    want = hashlib.sha256(b"buy milk tomorrow").hexdigest()[:32]
    assert pattern_fingerprint("  Buy\tMILK\n\n tomorrow ") == want
    assert pattern_fingerprint("buy milk today") != want
    assert len(pattern_fingerprint("")) == 32


@given(st.text())
def test_every_text_has_a_fingerprint(text: str) -> None:
    assert len(pattern_fingerprint(text)) == 32


def test_a_surrogate_half_has_a_fingerprint_too() -> None:
    assert len(pattern_fingerprint("\ud800")) == 32


def test_five_dollars_are_worth_a_skill_and_a_cent_less_is_not() -> None:
    assert candidate_verdict(100, "0.05882352941176470588235294117647", min_savings=5).passed is False
    assert candidate_verdict(100, 0.05, overhead=0).passed
    refused = candidate_verdict(100, Decimal("0.0499"), overhead=0)
    assert [reason.code for reason in refused.reasons] == ["savings_too_low"]
    assert refused.evidence["expected_savings_usd"] == Decimal("4.99")


def test_the_evidence_holds_the_arithmetic() -> None:
    evidence = candidate_verdict(200, 0.1, [{"a": 1}, {"a": 2}]).evidence
    assert evidence["expected_savings_usd"] == 17
    assert (evidence["volume"], evidence["repetitiveness"]) == (200, 0.5)
    assert candidate_verdict(200, 0.1, repetitive=0.75).evidence["repetitiveness"] == 0.75


@pytest.mark.parametrize("cost", [None, float("nan"), True, -1, "free"])
def test_a_cost_that_is_not_known_never_passes(cost: Any) -> None:
    refused = candidate_verdict(10_000, cost, min_savings=0)
    assert [reason.code for reason in refused.reasons] == ["cost_unknown"]


def test_no_calls_are_no_candidate_whatever_the_threshold() -> None:
    assert [reason.code for reason in candidate_verdict(0, 1, min_savings=0).reasons] == ["no_calls"]


def test_samples_show_every_shape_before_one_twice() -> None:
    outputs = [{"a": 1}] * 4 + [{"b": 1}] * 2 + ["text"]
    assert stratified(outputs) == [0, 4, 6, 1, 5]
    assert stratified(outputs, most=2) == [0, 4]
    assert stratified([]) == []


@given(st.lists(st.sampled_from([1, "a", None, True]), max_size=30), st.integers(0, 8))
def test_samples_are_different_rows_and_as_many_as_there_are(outputs: list[Any], most: int) -> None:
    chosen = stratified(outputs, most=most)
    assert len(chosen) == len(set(chosen)) == min(most, len(outputs))
