"""Evolution: which cases are seen, which are held out, what has to pass, and when it is enough."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.decisions.evolution import (
    Case,
    attempt_verdict,
    consecutive_rejections,
    gives_up,
    recent_success_gate,
    regression_gate,
    split,
    spread,
    targeted_gate,
)
from lifecycle.decisions.gates import GateResult

cases = st.lists(
    st.builds(
        Case,
        id=st.uuids().map(str),
        agreement=st.floats(0, 1),
        kind=st.sampled_from(["date", "priority", "title"]),
        inputs_key=st.integers(0, 40).map(str),
    ),
    max_size=60,
    unique_by=lambda case: case.id,
)


def said(result: GateResult) -> tuple[str, list[str]]:
    return result.status, [reason.code for reason in result.reasons]


def case(name: str, agreement: float, kind: str) -> Case:
    return Case(name, agreement, kind, name)


def test_the_worst_of_each_kind_comes_before_the_second_worst_of_any() -> None:
    given_cases = [case("a", 0.1, "date"), case("b", 0.2, "date"), case("c", 0.4, "title"), case("d", 0.3, "date")]
    assert [one.id for one in spread(given_cases)] == ["a", "c", "b", "d"]
    assert [one.id for one in spread(given_cases, most=2)] == ["a", "c"]


@given(cases, st.integers(1, 30), st.integers())
def test_the_choice_is_by_agreement_and_not_by_the_order_of_the_rows(found: list[Case], most: int, seed: int) -> None:
    chosen = spread(found, most=most)
    assert len(chosen) == min(most, len(found))
    shuffled = random.Random(seed).sample(found, len(found))
    assert spread(shuffled, most=most) == chosen
    if found:
        assert chosen[0].agreement == min(one.agreement for one in found)
    kinds = {one.kind for one in found}
    assert {one.kind for one in chosen} == kinds or most < len(kinds)


@given(cases)
def test_train_and_holdout_part_the_cases_by_their_inputs(found: list[Case]) -> None:
    parts = split(found)
    assert sorted([*parts.train, *parts.holdout], key=lambda one: one.id) == sorted(found, key=lambda one: one.id)
    assert not {one.inputs_key for one in parts.train} & {one.inputs_key for one in parts.holdout}
    if len({one.inputs_key for one in found}) > 1:
        assert parts.train
        assert parts.holdout


def test_about_a_fifth_is_held_out() -> None:
    parts = split([case(f"case-{number}", 0.1, "date") for number in range(5_000)])
    assert 900 < len(parts.holdout) < 1_100


def test_an_attempt_needs_cases_and_money() -> None:
    assert attempt_verdict(15, 0.75).passed
    refused = attempt_verdict(14, "0.7499")
    assert [reason.code for reason in refused.reasons] == ["too_few_cases", "budget_short"]
    assert attempt_verdict(14, 5, nights_short=2).evidence["tell_person"] is False
    assert attempt_verdict(14, 5, nights_short=3).evidence["tell_person"] is True
    assert attempt_verdict(15, 5, nights_short=9).evidence["tell_person"] is False


@pytest.mark.parametrize("budget", [None, float("nan"), True])
def test_a_budget_that_is_not_known_is_none(budget: Any) -> None:
    assert [reason.code for reason in attempt_verdict(30, budget).reasons] == ["budget_short"]


def test_two_rejections_in_a_row_are_enough() -> None:
    assert gives_up(["rejected", "rejected"])
    assert gives_up(["rejected", "budget_stopped", "model_error", "rejected"])
    assert not gives_up(["rejected", "accepted", "rejected"])
    assert not gives_up(["budget_stopped"] * 9)
    assert not gives_up([])
    assert not gives_up([], after=0)
    assert consecutive_rejections(["model_error", "rejected", "accepted"]) == 1


def test_four_of_five_targeted_cases_are_enough() -> None:
    passed: dict[str, bool | None] = {"a": True, "b": True, "c": True, "d": True, "e": False}
    assert said(targeted_gate("abcde", passed)) == ("PASS", [])
    assert said(targeted_gate("abcde", {**passed, "d": False})) == ("BLOCK", ["TARGETED_CASES_FAILED"])


def test_cases_that_were_made_up_count_against_it() -> None:
    result = targeted_gate(["a", "b", "c", "z"], {"a": True, "b": True, "c": True})
    assert said(result) == ("BLOCK", ["TARGETED_CASES_FAILED"])
    assert result.figures["unknown"] == ["z"]


def test_naming_a_case_twice_gains_nothing() -> None:
    assert targeted_gate(["a", "a", "a", "a", "b"], {"a": True, "b": False}).status == "BLOCK"


def test_no_targeted_case_or_an_abstaining_judge_holds() -> None:
    assert said(targeted_gate([], {"a": True})) == ("HOLD", ["TARGETED_CASES_MISSING"])
    assert said(targeted_gate("ab", {"a": True, "b": None})) == ("HOLD", ["TARGETED_CASES_MISSING"])


def test_a_fixture_that_broke_is_a_regression_unless_it_is_waived() -> None:
    before: dict[str, bool | None] = {f"f{number}": True for number in range(20)}
    after = {**before, "f7": False}
    assert said(regression_gate(before, after)) == ("BLOCK", ["FIXTURES_FAILED"])
    assert said(regression_gate(before, after, waived=["f7"])) == ("PASS", [])
    assert said(regression_gate({**before, "f7": False}, after)) == ("PASS", [])
    assert said(regression_gate({}, {})) == ("HOLD", ["FIXTURES_MISSING"])


def test_recent_successes_may_not_get_worse() -> None:
    assert said(recent_success_gate([0.9, 0.8], [0.8, 0.9])) == ("PASS", [])
    assert said(recent_success_gate([0.1, 0.2], ["0.15", 0.15])) == ("PASS", [])
    assert said(recent_success_gate([0.9, 0.8], [0.9, 0.79])) == ("BLOCK", ["RECENT_SUCCESS_WORSE"])


def test_pairs_with_an_abstention_decide_nothing() -> None:
    assert said(recent_success_gate([0.9, 0.9], [0.9, None])) == ("PASS", [])
    assert said(recent_success_gate([None, 0.9], [0.9, float("nan")])) == ("HOLD", ["RECENT_SUCCESS_MISSING"])
    assert said(recent_success_gate([], [])) == ("HOLD", ["RECENT_SUCCESS_MISSING"])
    with pytest.raises(ValueError, match="zip"):
        recent_success_gate([0.9], [])
