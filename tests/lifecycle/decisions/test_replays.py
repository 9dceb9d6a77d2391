"""The figures of a replay: what is measured on every run, and what is not measured at all."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.decisions import replays
from lifecycle.decisions.gates import replay_gate
from lifecycle.decisions.replays import Replay

SAME = Replay(then="succeeded", now="succeeded", tokens_then=100, tokens_now=100, estimated=120, counted=100)
kinds = st.lists(st.sampled_from(replays.KINDS), max_size=30)


def test_runs_that_go_as_they_went_pass() -> None:
    found = replays.report([SAME] * 20)
    assert found is not None
    assert (found.runs, found.success_delta, found.failure_distance, found.token_delta) == (20, 0, 0.0, 0)
    assert found.token_error_p95 == Fraction(1, 5)
    assert replay_gate(found).status == "PASS"


def test_two_of_twenty_that_fail_now_are_within_the_limits_and_three_are_not() -> None:
    failed = Replay(then="succeeded", now="failed", tokens_then=100, tokens_now=100, estimated=100, counted=100)
    assert replay_gate(replays.report([failed] * 2 + [SAME] * 18)).status == "PASS"
    result = replay_gate(replays.report([failed] * 3 + [SAME] * 17))
    assert [reason.message for reason in result.reasons] == ["success_delta is -0.15; at least -0.10 is needed."]


def test_a_run_without_an_answer_leaves_the_outcome_unmeasured() -> None:
    found = replays.report([SAME, Replay(then="succeeded", now=None)])
    assert found is not None
    assert (found.success_delta, found.failure_distance, found.token_delta, found.token_error_p95) == (None,) * 4
    assert replay_gate(found).status == "HOLD"


def test_a_degraded_run_is_no_success() -> None:
    found = replays.report([Replay(then="succeeded", now="degraded")])
    assert found is not None and found.success_delta == -1


@pytest.mark.parametrize(
    ("then", "now", "delta"),
    [
        ([100, 100], [110, 110], Fraction(1, 10)),
        ([100, 300], [200, 200], Fraction(0)),
        ([0], [0], Fraction(0)),
        ([0], [5], None),
        ([100, None], [100, 100], None),
        ([100], [None], None),
        ([], [], None),
    ],
)
def test_the_growth_in_tokens_is_that_of_all_runs_together(
    then: list[int | None], now: list[int | None], delta
) -> None:
    pairs = [
        Replay(then="succeeded", now="succeeded", tokens_then=a, tokens_now=b) for a, b in zip(then, now, strict=True)
    ]
    assert replays.token_delta(pairs) == delta


@pytest.mark.parametrize(
    ("pairs", "error"),
    [
        ([(133, 100)], Fraction(33, 100)),
        ([(100, 100)] * 19 + [(300, 100)], Fraction(0)),
        ([(100, 100)] * 18 + [(300, 100)] * 2, Fraction(2)),
        ([(0, 0)], Fraction(0)),
        ([(10, 0)], None),
        ([(None, None)], None),
        ([], None),
    ],
)
def test_the_error_of_the_estimates_is_the_one_that_nineteen_of_twenty_keep(pairs, error) -> None:
    found = [Replay(then="succeeded", now="succeeded", estimated=a, counted=b) for a, b in pairs]
    assert replays.token_error_p95(found) == error


def test_nothing_replayed_is_no_report() -> None:
    assert replays.report([]) is None
    assert replay_gate(None).status == "HOLD"


@given(kinds, kinds)
def test_the_distance_of_two_distributions_has_no_direction_and_is_zero_for_equal_ones(a, b) -> None:
    assert replays.failure_distance(a, b) == pytest.approx(replays.failure_distance(b, a))
    assert replays.failure_distance(a, b) >= 0
    assert replays.failure_distance(a, list(reversed(a))) == 0


def test_a_version_that_always_fails_is_far_from_one_that_never_did() -> None:
    assert replays.failure_distance(["succeeded"] * 20, ["failed"] * 20) > 2.5
    assert replays.failure_distance(["succeeded"] * 20, ["succeeded"] * 18 + ["failed"] * 2) < 2.5
