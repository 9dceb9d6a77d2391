"""A gate decision as others read it: `gate_decision.json`, schema_version "5", in the one place that writes it.

`docs/gate_decision.schema.json` says which fields there are. A verdict of PASS is `deploy`, BLOCK is `reject`, and HOLD
is `aborted`: the gates came to no verdict, and wait for evidence or a person. Examples that are held out stand in it
by name and score alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from lifecycle.decisions.bootstrap import paired_bootstrap
from lifecycle.decisions.closed_loop import growth
from lifecycle.decisions.filegates import MAX_SKILL_CHARS
from lifecycle.decisions.statistics import count, measured

SCHEMA_VERSION = "5"
_DECISIONS = {"PASS": "deploy", "HOLD": "aborted", "BLOCK": "reject"}
_SPLITS = ("train", "validation", "holdout")
_Json = Mapping[str, Any]
_NO_EVIDENCE: _Json = {"code": "NO_EVIDENCE", "message": "No gate has looked at this version yet.", "status": "HOLD"}


@dataclass(frozen=True)
class Decided:
    """A stored decision: `gates` as GateResult.as_dict writes them, `evidence` as the pipeline keeps it, `at` as ISO
    8601 text, money as decimal text."""

    id: str
    capability: str
    digest: str
    inputs_digest: str
    verdict: str
    gates: Sequence[_Json]
    evidence: _Json
    cost_usd: str
    at: str


def document(decided: Decided) -> dict[str, Any]:
    """The whole document. What was not measured is null; nothing that an evidence of another shape lacks raises."""
    reasons = [reason for gate in decided.gates for reason in gate["reasons"]] if decided.gates else [_NO_EVIDENCE]
    suite = next((gate for gate in decided.gates if gate["gate"] == "closed_loop"), None)
    evidence = decided.evidence
    found = {
        "schema_version": SCHEMA_VERSION,
        "id": decided.id,
        "capability": decided.capability,
        "digest": decided.digest,
        "verdict": decided.verdict,
        "at": decided.at,
        "cost_usd": decided.cost_usd,
        "decision": _DECISIONS[decided.verdict],
        "reason": _code(reasons),
        "decision_signal": "closed_loop" if suite else "synthetic",
        "decision_rule_used": "task_gain" if suite else "worst_gate",
        **_size(evidence.get("size") or {}),
        **_scores(evidence),
        "failed_constraints": list(dict.fromkeys(str(reason["code"]).lower() for reason in reasons)),
        "messages": [reason["message"] for reason in reasons],
        "dataset": _dataset(evidence),
        "run_inputs": {
            "inputs_digest": decided.inputs_digest,
            "model": evidence.get("model"),
            "required": dict(evidence.get("required") or {}),
        },
        "gates": [dict(gate) for gate in decided.gates],
    }
    if evidence.get("preflight_skipped"):
        found["reason_synthetic"] = "preflight_skipped"
    return found | (_suite(suite, evidence.get("closed_loop") or {}) if suite else {})


def _code(reasons: Sequence[_Json]) -> str:
    """The first constraint that fails, in the gates' order: of the worst ones, since those decided."""
    worst = [reason for reason in reasons if reason["status"] == "BLOCK"] or reasons
    return str(worst[0]["code"]).lower() if worst else "passed"


def _size(size: _Json) -> dict[str, Any]:
    """Growth against the version before; a first version has grown from nothing, which is no growth."""
    before, after = count(size.get("before")), count(size.get("after"))
    known = before is not None and after is not None
    return {
        "baseline_chars": before,
        "evolved_chars": after,
        "absolute_char_ceiling": MAX_SKILL_CHARS,
        "growth_pct": growth(before, after) if known else None,  # type: ignore[arg-type]
    }


def _scores(evidence: _Json) -> dict[str, Any]:
    """1 for an example that passes, 0 for one that does not, null without an answer; baseline is without the skill."""
    evolved = [_score(case.get("passed")) for case in evidence.get("cases") or ()]
    by_name = {case["name"]: _score(case.get("passed")) for case in evidence.get("without") or ()}
    baseline = [by_name.get(case["name"]) for case in evidence.get("cases") or ()] if by_name else []
    pairs = [(b, e) for b, e in zip(baseline, evolved, strict=False) if b is not None and e is not None]
    return {
        "baseline_per_example": baseline,
        "evolved_per_example": evolved,
        "avg_baseline": _mean(baseline),
        "avg_evolved": _mean(evolved),
        "bootstrap": _bootstrap(pairs),
        "win_loss": _win_loss(pairs),
    }


def _bootstrap(pairs: Sequence[tuple[int, int]]) -> dict[str, Any] | None:
    if not pairs:
        return None
    found = paired_bootstrap([before for before, _ in pairs], [after for _, after in pairs])
    return {
        "mean": found.mean,
        "lower_bound": found.lower,
        "upper_bound": found.upper,
        "n_examples": found.n,
        "n_resamples": found.resamples,
        "confidence": found.confidence,
        "seed": found.seed,
    }


def _win_loss(pairs: Sequence[tuple[int, int]]) -> dict[str, int] | None:
    if not pairs:
        return None
    return {
        "wins": sum(after > before for before, after in pairs),
        "losses": sum(after < before for before, after in pairs),
        "ties": sum(after == before for before, after in pairs),
    }


def _dataset(evidence: _Json) -> dict[str, Any]:
    cases = evidence.get("cases") or ()
    splits = Counter(case.get("split") for case in cases)
    return {
        "examples": [case["name"] for case in cases],
        **{split: splits[split] for split in _SPLITS},
        "unanswered": sum(case.get("passed") is None for case in cases),
        "replayed": len(evidence.get("replays") or ()),
    }


def _suite(gate: _Json, told: _Json) -> dict[str, Any]:
    """What only a closed-loop suite knows: a task is 1, 0, or null where it abstained."""
    figures = gate.get("figures") or {}
    return {
        "baseline_closed_loop_per_example": {task: _score(ok) for task, ok in (told.get("baseline") or {}).items()},
        "evolved_closed_loop_per_example": {task: _score(ok) for task, ok in (told.get("evolved") or {}).items()},
        "evolved_closed_loop_errored_tasks": list(told.get("errored") or ()),
        "cl_tasks_gained": figures.get("gain"),
        "cl_required_gain": figures.get("required_gain"),
        "synthetic_sanity_check": {
            "judge_change": figures.get("judge_change"),
            "passed": not any(reason["code"] == "JUDGE_REGRESSED" for reason in gate["reasons"])
            if measured(figures.get("judge_change")) is not None
            else None,
        },
        "evolved_cl_eval_cost_usd": gate.get("cost_usd"),
        "band_trigger_score": told.get("trigger_score"),
        "validator_agent_model": told.get("validator_model"),
    }


def _score(passed: object) -> int | None:
    return int(passed) if isinstance(passed, bool) else None


def _mean(scores: Sequence[int | None]) -> float | None:
    known = [score for score in scores if score is not None]
    return float(Fraction(sum(known), len(known))) if known else None
