"""Release: breach first, two evaluations to go live, and every boundary as it is written."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.decisions.release import (
    Outcomes,
    active_verdict,
    canary_verdict,
    guardrail_verdict,
    is_stale,
    release_verdict,
    standing_verdict,
)

GOOD: dict[str, Any] = {
    "verdict": "PASS",
    "approved": True,
    "attempts": 100,
    "failures": 0,
    "timeouts": 0,
    "permission_blocks": 0,
    "hours_in_stage": 48,
    "evidence_runs": 3,
}
STAY = ("stay", None)
BREACH = ("rollback", "AUTO_ROLLBACK_GUARDRAIL_BREACH")
LOST = ("rollback", "AUTO_ROLLBACK_VALIDATION_FAIL")
TO_CANARY = ("promote", "AUTO_PROMOTE_CANARY")
TO_ACTIVE = ("promote", "AUTO_PROMOTE_ACTIVE")


def judged(stage: Any, **changes: Any) -> tuple[str, str | None]:
    return release_verdict(stage, **{**GOOD, **changes})


def test_going_live_takes_two_evaluations() -> None:
    assert judged("shadow") == TO_CANARY
    assert judged("canary") == TO_ACTIVE
    assert judged("active") == STAY


@pytest.mark.parametrize(
    "change",
    [
        *({"verdict": "HOLD"}, {"verdict": "BLOCK"}, {"approved": False}, {"evidence_runs": 2}, {"evidence_runs": 0}),
        *({"paused": True}, {"human_hold": True}, {"cooldown_hours_left": 0.5}, {"cooldown_hours_left": None}),
        *({"evidence_runs": None}, {"evidence_runs": float("nan")}, {"approved": None}, {"failures": 21}),
    ],
    ids=str,
)
def test_what_keeps_a_shadow_where_it_is(change: dict[str, Any]) -> None:
    assert judged("shadow", **change) == STAY


def test_a_shadow_is_never_rolled_back() -> None:
    assert judged("shadow", failures=100, verdict="BLOCK") == STAY


def test_evidence_counts_only_for_entering_the_canary() -> None:
    assert judged("canary", evidence_runs=0) == TO_ACTIVE


@pytest.mark.parametrize(
    ("change", "action"),
    [
        ({"attempts": 20, "failures": 2}, TO_ACTIVE),
        ({"attempts": 20, "failures": 3}, STAY),
        ({"attempts": 19}, STAY),
        ({"timeouts": 20}, TO_ACTIVE),
        ({"permission_blocks": 20}, TO_ACTIVE),
        ({"failures": 10}, TO_ACTIVE),
        ({"failures": 11}, STAY),
        ({"hours_in_stage": 24}, TO_ACTIVE),
        ({"hours_in_stage": "23.999"}, STAY),
        ({"hours_in_stage": float("nan")}, STAY),
        ({"hours_in_stage": None}, STAY),
        ({"attempts": None}, STAY),
        ({"failures": None}, STAY),
        ({"timeouts": float("nan")}, STAY),
        ({"permission_blocks": True}, STAY),
        ({"failures": -1}, STAY),
        ({"approved": False}, STAY),
        ({"paused": True}, STAY),
        ({"human_hold": True}, STAY),
        ({"cooldown_hours_left": 1}, STAY),
        ({"cooldown_hours_left": 0}, TO_ACTIVE),
        ({"cooldown_hours_left": -5}, TO_ACTIVE),
    ],
    ids=str,
)
def test_a_canary_becomes_active_on_these_terms(change: dict[str, Any], action: tuple[str, str | None]) -> None:
    assert judged("canary", **change) == action


@pytest.mark.parametrize("stage", ["canary", "active"])
@pytest.mark.parametrize("kind", ["failures", "timeouts", "permission_blocks"])
def test_a_rate_above_a_fifth_rolls_back(stage: str, kind: str) -> None:
    assert judged(stage, **{"attempts": 100, kind: 21}) == BREACH
    assert judged(stage, **{"attempts": 100, kind: 20}) != BREACH
    assert judged(stage, **{"attempts": 5, kind: 1}) == STAY
    assert judged(stage, **{"attempts": 5, kind: 2}) == BREACH
    assert judged(stage, **{"attempts": 4, kind: 4}) == STAY


@pytest.mark.parametrize("stage", ["canary", "active"])
@pytest.mark.parametrize("standing", [{"paused": True}, {"human_hold": True}, {"cooldown_hours_left": 72}], ids=str)
def test_nothing_stops_a_rollback(stage: str, standing: dict[str, Any]) -> None:
    assert judged(stage, failures=50, **standing) == BREACH
    assert judged(stage, verdict="HOLD", **standing) == LOST


@pytest.mark.parametrize("stage", ["canary", "active"])
@pytest.mark.parametrize("verdict", ["HOLD", "BLOCK"])
def test_a_lost_pass_rolls_back_and_a_breach_is_named_first(stage: str, verdict: str) -> None:
    assert judged(stage, verdict=verdict) == LOST
    assert judged(stage, verdict=verdict, timeouts=30) == BREACH


@pytest.mark.parametrize("stage", ["canary", "active"])
def test_a_skill_that_nobody_called_stays(stage: str) -> None:
    assert judged(stage, attempts=0) == STAY


@pytest.mark.parametrize("wrong", [{"stage": "draft"}, {"stage": "SHADOW"}, {"verdict": "pass"}, {"verdict": None}])
def test_another_stage_or_verdict_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no stage"):
        judged(wrong.pop("stage", "canary"), **wrong)


counts = st.none() | st.integers(-2, 60) | st.sampled_from([float("nan"), True])


@given(
    stage=st.sampled_from(["shadow", "canary", "active"]),
    verdict=st.sampled_from(["PASS", "HOLD", "BLOCK"]),
    approved=st.booleans(),
    attempts=counts,
    failures=counts,
    timeouts=counts,
    permission_blocks=counts,
    hours_in_stage=st.none() | st.integers(0, 100),
    paused=st.booleans(),
    human_hold=st.booleans(),
    cooldown_hours_left=st.sampled_from([0, 0, 0, 5, None]),
    evidence_runs=counts,
)
def test_no_figures_promote_past_a_person_a_pause_or_a_breach(stage: Any, **facts: Any) -> None:
    action, code = release_verdict(stage, **facts)
    breached = not guardrail_verdict(
        Outcomes(facts["attempts"], facts["failures"], facts["timeouts"], facts["permission_blocks"])
    ).passed
    assert (code is None) == (action == "stay")
    if action == "promote":
        assert facts["approved"]
        assert facts["verdict"] == "PASS"
        assert not (facts["paused"] or facts["human_hold"] or facts["cooldown_hours_left"] or breached)
        assert stage != "active"
    if stage != "shadow" and (breached or facts["verdict"] != "PASS"):
        assert action == "rollback"


def test_the_verdicts_say_why_a_version_stays() -> None:
    outcomes = Outcomes(10, 2, 0, None)
    codes = [reason.code for reason in active_verdict(outcomes, hours_in_stage=1).reasons]
    assert codes == ["too_few_runs", "too_early", "failures_too_many", "permission_blocks_unknown"]
    assert [r.code for r in canary_verdict(outcomes, evidence_runs=1).reasons] == ["too_little_evidence"]
    stopped = standing_verdict(verdict="HOLD", approved=False, paused=True, human_hold=True, cooldown_hours_left=3)
    assert [r.code for r in stopped.reasons] == [
        *("verdict_not_pass", "not_approved", "paused", "human_hold", "cooling_down"),
    ]


def test_a_week_without_evidence_is_stale() -> None:
    assert is_stale(168)
    assert not is_stale("167.9")
    assert is_stale(None)
