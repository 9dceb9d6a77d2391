"""The document of a gate decision as a JSON Schema, for other programs: `docs/gate_decision.schema.json`.

python -m lifecycle.decisions.gateschema > docs/gate_decision.schema.json
"""

from __future__ import annotations

from typing import Any

from lifecycle.decisions.gatedocument import SCHEMA_VERSION

_DIGEST = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0}
_MONEY = {"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?$"}
_NUMBER = {"type": ["number", "null"]}
_WHOLE = {"type": ["integer", "null"]}
_SCORE = {"enum": [0, 1, None]}
_SCORES = {"type": "array", "items": _SCORE}
_BY_TASK = {"type": "object", "additionalProperties": _SCORE}
_STATUS = {"enum": ["PASS", "HOLD", "BLOCK"]}


def schema() -> dict[str, Any]:
    """Draft 2020-12. Both variants are closed: what is not listed does not stand in a document."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:donna-skills:gate-decision:5",
        "title": "Gate decision",
        "description": "What the gates said to one set of files. What was not measured is null.",
        "oneOf": [
            _closed("Decided by the gates over examples and recorded runs.", _common("synthetic", "worst_gate")),
            _closed("Decided by a closed-loop suite too.", _common("closed_loop", "task_gain") | _closed_loop()),
        ],
    }


def _common(signal: str, rule: str) -> dict[str, Any]:
    return {
        "schema_version": {"const": SCHEMA_VERSION},
        "id": {"type": "string", "format": "uuid"},
        "capability": _TEXT,
        "digest": _DIGEST,
        "verdict": _STATUS,
        "at": {"type": "string", "format": "date-time"},
        "cost_usd": _MONEY,
        "decision": {"enum": ["deploy", "reject", "aborted"]},
        "reason": {"type": "string", "pattern": "^[a-z0-9_]+$", "description": "`passed`, or what fails first."},
        "decision_signal": {"const": signal},
        "decision_rule_used": {"const": rule},
        "baseline_chars": {**_WHOLE, "description": "Of the version before; null for a first one."},
        "evolved_chars": _WHOLE,
        "absolute_char_ceiling": _COUNT,
        "growth_pct": {**_NUMBER, "description": "A share: 0.2 is a fifth longer."},
        "baseline_per_example": {**_SCORES, "description": "Without the skill, in the order of dataset.examples."},
        "evolved_per_example": _SCORES,
        "avg_baseline": _NUMBER,
        "avg_evolved": _NUMBER,
        "bootstrap": _or_null(_object({
            "mean": {"type": "number"},
            "lower_bound": {"type": "number"},
            "upper_bound": {"type": "number"},
            "n_examples": _COUNT,
            "n_resamples": _COUNT,
            "confidence": {"type": "number"},
            "seed": {"type": "integer"},
        })),
        "win_loss": _or_null(_object({"wins": _COUNT, "losses": _COUNT, "ties": _COUNT})),
        "failed_constraints": {"type": "array", "items": _TEXT, "uniqueItems": True},
        "messages": {"type": "array", "items": _TEXT},
        "dataset": _object({
            "examples": {"type": "array", "items": _TEXT},
            "train": _COUNT,
            "validation": _COUNT,
            "holdout": _COUNT,
            "unanswered": _COUNT,
            "replayed": _COUNT,
        }),
        "run_inputs": _object({
            "inputs_digest": _DIGEST,
            "model": _or_null({"type": "object"}),
            "required": {"type": "object"},
        }),
        "gates": {"type": "array", "items": _gate()},
        "reason_synthetic": {"const": "preflight_skipped", "description": "There only where that was so."},
    }  # fmt: skip


def _closed_loop() -> dict[str, Any]:
    return {
        "baseline_closed_loop_per_example": _BY_TASK,
        "evolved_closed_loop_per_example": _BY_TASK,
        "evolved_closed_loop_errored_tasks": {"type": "array", "items": _TEXT},
        "cl_tasks_gained": _WHOLE,
        "cl_required_gain": _WHOLE,
        "synthetic_sanity_check": _object({"judge_change": _NUMBER, "passed": {"type": ["boolean", "null"]}}),
        "evolved_cl_eval_cost_usd": _MONEY,
        "band_trigger_score": _NUMBER,
        "validator_agent_model": {"type": ["string", "null"]},
    }


def _gate() -> dict[str, Any]:
    reason = _object({"code": _TEXT, "message": _TEXT, "status": _STATUS})
    return _object({
        "gate": _TEXT,
        "status": _STATUS,
        "reasons": {"type": "array", "items": reason},
        "figures": {"type": "object"},
        "cost_usd": _MONEY,
    })  # fmt: skip


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "additionalProperties": False, "properties": properties}


def _closed(description: str, properties: dict[str, Any]) -> dict[str, Any]:
    found = _object(properties)
    required = [name for name in found["required"] if name != "reason_synthetic"]
    return {"description": description, **found, "required": required}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}
