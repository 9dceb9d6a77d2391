"""Gates: no evidence never passes, the worst wins, and every reason is kept."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.decisions.gates import (
    WORSE,
    GateReason,
    GateResult,
    ReplayReport,
    baseline_gate,
    closed_loop_gate,
    combine,
    dry_run_gate,
    fixtures_gate,
    replay_gate,
    worst,
)
from lifecycle.decisions.verdict import Reason, Verdict

statuses = st.sampled_from(["PASS", "HOLD", "BLOCK"])
results = st.builds(
    GateResult,
    gate=st.sampled_from(["static", "fixtures"]),
    reasons=st.lists(
        st.builds(GateReason, code=st.just("C"), message=st.text(max_size=3), status=statuses), max_size=3
    ).map(tuple),
    cost=st.decimals(0, 1, places=4),
)


def said(result: GateResult) -> tuple[str, list[str]]:
    return result.status, [reason.code for reason in result.reasons]


def test_no_gates_are_on_hold() -> None:
    decision = combine([])
    assert decision.verdict == "HOLD"
    assert [reason.code for reason in decision.reasons] == ["NO_EVIDENCE"]


@given(st.lists(results, min_size=1, max_size=5))
def test_the_worst_wins_and_nothing_is_lost(gates: list[GateResult]) -> None:
    decision = combine(gates)
    assert WORSE[decision.verdict] == max(WORSE[gate.status] for gate in gates)
    assert list(decision.reasons) == [reason for gate in gates for reason in gate.reasons]
    assert decision.cost == sum(gate.cost for gate in gates)
    assert combine([*gates, gates[0]]).verdict == decision.verdict


def test_of_no_statuses_the_worst_is_pass() -> None:
    assert worst([]) == "PASS"
    assert worst(["HOLD", "BLOCK", "PASS"]) == "BLOCK"


def test_a_result_is_stored_as_json() -> None:
    result = GateResult("static", (GateReason("A", "Why.", "BLOCK"),), {"n": 1}, Decimal("0.25"))
    assert json.loads(json.dumps(result.as_dict())) == {
        "gate": "static",
        "status": "BLOCK",
        "reasons": [{"code": "A", "message": "Why.", "status": "BLOCK"}],
        "figures": {"n": 1},
        "cost_usd": "0.25",
    }


def test_the_dry_run() -> None:
    assert said(dry_run_gate("Sort the list.", succeeded=True)) == ("PASS", [])
    assert said(dry_run_gate(None, succeeded=True)) == ("PASS", [])
    assert said(dry_run_gate(" \n", succeeded=True)) == ("HOLD", ["DRY_RUN_EMPTY_BODY"])
    assert said(dry_run_gate("Sort.", succeeded=False, detail="No JSON.")) == ("HOLD", ["DRY_RUN_FAILED"])
    assert said(dry_run_gate("Sort.", succeeded=None)) == ("HOLD", ["DRY_RUN_MISSING"])


def test_no_fixtures_are_on_hold() -> None:
    assert said(fixtures_gate({})) == ("HOLD", ["FIXTURES_MISSING"])
    assert said(fixtures_gate({}, required=0)) == ("HOLD", ["FIXTURES_MISSING"])


def test_four_of_five_fixtures_are_enough_for_a_draft_and_not_for_an_evolution() -> None:
    outcome: dict[str, bool | None] = {"a": True, "b": True, "c": True, "d": True, "e": False}
    assert said(fixtures_gate(outcome)) == ("PASS", [])
    assert said(fixtures_gate(outcome, required="0.95")) == ("BLOCK", ["FIXTURES_FAILED"])
    assert said(fixtures_gate({**outcome, "d": False})) == ("BLOCK", ["FIXTURES_FAILED"])


def test_a_fixture_that_passed_before_may_not_fail_now_unless_it_is_waived() -> None:
    outcome: dict[str, bool | None] = {**{f"f{number}": True for number in range(19)}, "old": False}
    assert said(fixtures_gate(outcome, required=0.95, passed_before=["old"])) == ("BLOCK", ["FIXTURES_FAILED"])
    assert said(fixtures_gate(outcome, required=0.95, passed_before=["old"], waived=["old"])) == ("PASS", [])
    assert said(fixtures_gate(outcome, required=0.95)) == ("PASS", [])


def test_fixtures_without_an_answer_hold_and_do_not_block() -> None:
    outcome: dict[str, bool | None] = {"a": True, "b": True, "c": True, "d": True, "e": None}
    assert said(fixtures_gate(outcome)) == ("HOLD", ["FIXTURES_MISSING"])
    assert said(fixtures_gate({"a": None})) == ("HOLD", ["FIXTURES_MISSING"])
    assert said(fixtures_gate({"a": True}, passed_before=["a", "gone"])) == ("HOLD", ["FIXTURES_MISSING"])
    assert said(fixtures_gate({"a": None, "b": False})) == ("BLOCK", ["FIXTURES_FAILED", "FIXTURES_MISSING"])


GOOD_REPLAY: dict[str, Any] = {
    "runs": 10,
    "success_delta": -0.10,
    "failure_distance": 2.50,
    "token_delta": "0.10",
    "token_error_p95": Decimal("0.65"),
}


def test_a_replay_at_its_limits_passes() -> None:
    result = replay_gate(ReplayReport(**GOOD_REPLAY))
    assert said(result) == ("PASS", [])
    assert result.figures["token_delta"] == 0.1


@pytest.mark.parametrize(
    "change",
    [{"success_delta": "-0.1001"}, {"failure_distance": 2.51}, {"token_delta": 0.1001}, {"token_error_p95": 1}],
)
def test_a_metric_beyond_its_limit_is_named(change: dict[str, Any]) -> None:
    report = ReplayReport(**{**GOOD_REPLAY, **change})
    assert said(replay_gate(report)) == ("HOLD", ["REPLAY_GATE_FAILED"])
    assert said(replay_gate(report, strict=True))[0] == "BLOCK"
    assert next(iter(change)) in replay_gate(report).reasons[0].message


@pytest.mark.parametrize("metric", ["success_delta", "failure_distance", "token_delta", "token_error_p95"])
@pytest.mark.parametrize("missing", [None, float("nan"), float("-inf"), False])
def test_every_metric_has_to_be_measured(metric: str, missing: Any) -> None:
    assert said(replay_gate(ReplayReport(**{**GOOD_REPLAY, metric: missing}))) == ("HOLD", ["REPLAY_GATE_FAILED"])


@pytest.mark.parametrize(
    "report", [None, ReplayReport(**{**GOOD_REPLAY, "runs": 0}), ReplayReport(**{**GOOD_REPLAY, "runs": None})]
)
def test_no_replay_is_on_hold(report: ReplayReport | None) -> None:
    assert said(replay_gate(report)) == ("HOLD", ["REPLAY_REPORT_MISSING"])
    assert said(replay_gate(report, strict=True)) == ("BLOCK", ["REPLAY_REPORT_MISSING"])


def test_a_lift_of_exactly_five_percent_is_enough() -> None:
    assert said(baseline_gate(17, 16, 20)) == ("PASS", [])
    assert said(baseline_gate(17, 16, 21)) == ("HOLD", ["BASELINE_LIFT_LOW"])
    assert said(baseline_gate(10, 12, 20)) == ("HOLD", ["BASELINE_LIFT_LOW"])


@pytest.mark.parametrize(
    "figures", [(None, 1, 5), (5, None, 5), (5, 1, 0), (6, 1, 5), (float("nan"), 1, 5), (5, 1, None)]
)
def test_a_lift_that_was_not_measured_is_on_hold(figures: tuple[Any, ...]) -> None:
    assert said(baseline_gate(*figures)) == ("HOLD", ["BASELINE_MISSING"])


def test_the_closed_loop_blocks_and_an_abort_holds() -> None:
    refused = Verdict(False, (Reason("tasks_lost", "One was lost."),), {"losses": 1})
    assert said(closed_loop_gate(Verdict(True))) == ("PASS", [])
    assert said(closed_loop_gate(refused)) == ("BLOCK", ["TASKS_LOST"])
    assert said(closed_loop_gate(Verdict(True), aborted="cl_eval_incomplete")) == ("HOLD", ["CL_EVAL_INCOMPLETE"])
    assert said(closed_loop_gate(None)) == ("HOLD", ["CL_EVAL_MISSING"])
