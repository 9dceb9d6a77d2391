"""gate_decision.json: every variant of it keeps to the schema that is published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from lifecycle.decisions import gatedocument, gateschema
from lifecycle.decisions.closed_loop import closed_loop_verdict
from lifecycle.decisions.filegates import static_gate
from lifecycle.decisions.gates import GateResult, baseline_gate, closed_loop_gate, combine, fixtures_gate

PUBLISHED = Path(__file__).resolve().parents[3] / "docs" / "gate_decision.schema.json"
EVIDENCE: dict[str, Any] = {
    "size": {"before": 1000, "after": 1500},
    "model": {"alias": "parser", "provider": "openai", "model": "small"},
    "required": {"fixture_rate": "0.8"},
    "cases": [
        {"name": "a", "split": "train", "passed": True, "input": {"text": "hello"}, "problems": [], "output": {}},
        {"name": "b", "split": "holdout", "passed": True, "input": {"text": "secret"}, "problems": ["secret"]},
        {"name": "c", "split": "train", "passed": None, "problems": ["Down."]},
        {"name": "d", "split": "validation", "passed": False, "problems": ["No."]},
    ],
    "without": [
        {"name": "a", "passed": True},
        {"name": "b", "passed": False},
        {"name": "c", "passed": False},
        {"name": "d", "passed": True},
    ],
    "replays": [{"run_id": "x"}],
}
SUITE = {
    "closed_loop": {
        "baseline": {"one": True, "two": False},
        "evolved": {"one": True, "two": True},
        "errored": [],
        "trigger_score": 0.6,
        "validator_model": "small",
    }
}
GOOD = baseline_gate(4, 1, 4)
ACCEPTED = closed_loop_gate(closed_loop_verdict(1, 2, "1.00", "0.95", "0.1"))
REFUSED = closed_loop_gate(closed_loop_verdict(1, 1, "1.00", "0.90", "0.1", losses=1))
ABORTED = {code: closed_loop_gate(None, aborted=code) for code in
           ("cl_eval_failed", "cl_eval_incomplete", "cost_ceiling_exceeded")}  # fmt: skip

VARIANTS: dict[str, tuple[list[GateResult], dict[str, Any], str, str, str]] = {
    "deployed": ([GOOD], EVIDENCE, "deploy", "passed", "synthetic"),
    "refused by its files": ([static_gate((), None)], {}, "reject", "static_package_missing", "synthetic"),
    "refused by its fixtures": ([fixtures_gate({"d": False})], EVIDENCE, "reject", "fixtures_failed", "synthetic"),
    "held": ([fixtures_gate({})], EVIDENCE, "aborted", "fixtures_missing", "synthetic"),
    "no gate": ([], {}, "aborted", "no_evidence", "synthetic"),
    "preflight skipped": ([GOOD], EVIDENCE | {"preflight_skipped": True}, "deploy", "passed", "synthetic"),
    "deployed by a suite": ([GOOD, ACCEPTED], EVIDENCE | SUITE, "deploy", "passed", "closed_loop"),
    "refused by a suite": ([GOOD, REFUSED], EVIDENCE | SUITE, "reject", "gain_below_required", "closed_loop"),
    **{code: ([GOOD, gate], EVIDENCE, "aborted", code, "closed_loop") for code, gate in ABORTED.items()},
}


def written(results: list[GateResult], evidence: dict[str, Any]) -> dict[str, Any]:
    """As a decision stores it and a route sends it: through JSON."""
    decided = combine(results)
    found = gatedocument.document(
        gatedocument.Decided(
            id="0198c0de-0000-7000-8000-000000000001",
            capability="label_text",
            digest="a" * 64,
            inputs_digest="b" * 64,
            verdict=decided.verdict,
            gates=json.loads(json.dumps([result.as_dict() for result in decided.gates])),
            evidence=json.loads(json.dumps(evidence)),
            cost_usd=str(decided.cost),
            at="2026-11-21T07:00:00+00:00",
        )
    )
    return json.loads(json.dumps(found, allow_nan=False))


def test_the_published_schema_is_the_one_in_the_code() -> None:
    assert json.loads(PUBLISHED.read_text(encoding="utf-8")) == gateschema.schema()
    Draft202012Validator.check_schema(gateschema.schema())


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_keeps_to_the_schema(name: str) -> None:
    results, evidence, decision, reason, signal = VARIANTS[name]
    found = written(results, evidence)
    validator = Draft202012Validator(gateschema.schema(), format_checker=Draft202012Validator.FORMAT_CHECKER)
    assert [error.message for error in validator.iter_errors(found)] == []
    assert (found["schema_version"], found["decision"], found["decision_signal"]) == ("5", decision, signal)
    assert found["reason"] == reason
    assert ("cl_tasks_gained" in found) == (signal == "closed_loop")
    assert ("reason_synthetic" in found) == (name == "preflight skipped")


@pytest.mark.parametrize("name", VARIANTS)
def test_a_document_that_lacks_a_field_or_has_one_more_does_not(name: str) -> None:
    results, evidence, *_ = VARIANTS[name]
    found = written(results, evidence)
    validator = Draft202012Validator(gateschema.schema())
    assert not validator.is_valid(found | {"more": 1})
    optional = {"reason_synthetic"}
    assert [key for key in found if key not in optional and validator.is_valid(
        {k: v for k, v in found.items() if k != key})] == []  # fmt: skip


def test_the_scores_are_paired_and_what_gave_no_answer_is_left_out_of_the_comparison() -> None:
    found = written([GOOD], EVIDENCE)
    assert found["dataset"] == {
        "examples": ["a", "b", "c", "d"], "train": 2, "validation": 1, "holdout": 1, "unanswered": 1, "replayed": 1,
    }  # fmt: skip
    assert found["baseline_per_example"] == [1, 0, 0, 1]
    assert found["evolved_per_example"] == [1, 1, None, 0]
    assert found["win_loss"] == {"wins": 1, "losses": 1, "ties": 1}
    assert (found["bootstrap"]["n_examples"], found["bootstrap"]["mean"]) == (3, 0.0)
    assert found["growth_pct"] == 0.5


def test_nothing_of_what_an_example_holds_stands_in_it() -> None:
    assert "secret" not in json.dumps(written([GOOD], EVIDENCE))


def test_a_first_version_has_not_grown() -> None:
    found = written([GOOD], {"size": {"before": None, "after": 1500}})
    assert (found["growth_pct"], found["baseline_chars"], found["evolved_chars"]) == (None, None, 1500)
    assert (found["bootstrap"], found["win_loss"], found["avg_baseline"]) == (None, None, None)


def test_the_first_of_the_worst_reasons_is_the_reason_and_all_are_listed() -> None:
    found = written([fixtures_gate({"a": None}), baseline_gate(1, 1, 1), REFUSED], EVIDENCE | SUITE)
    assert found["reason"] == "gain_below_required"
    assert found["failed_constraints"] == [
        "fixtures_missing", "baseline_lift_low", "gain_below_required", "judge_regressed", "tasks_lost",
    ]  # fmt: skip
    assert len(found["messages"]) == 5


def test_what_a_suite_found_stands_beside_it() -> None:
    found = written([GOOD, ACCEPTED], EVIDENCE | SUITE)
    assert found["baseline_closed_loop_per_example"] == {"one": 1, "two": 0}
    assert found["evolved_closed_loop_per_example"] == {"one": 1, "two": 1}
    assert (found["cl_tasks_gained"], found["cl_required_gain"]) == (1, 1)
    assert found["synthetic_sanity_check"] == {"judge_change": -0.05, "passed": True}
