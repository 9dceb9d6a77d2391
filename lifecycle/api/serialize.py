"""Rows as the shapes that the API gives: one function a thing, each reading only what its caller has loaded."""

from __future__ import annotations

from typing import Any

from lifecycle import selectors
from lifecycle.api.shapes import StepOut
from lifecycle.models import (
    Capability,
    Correction,
    Divergence,
    Fixture,
    FixtureSplit,
    Outcome,
    Skill,
    SkillRun,
    SkillVersion,
    StateTransition,
    StepResult,
)
from lifecycle.services import evidence

_Json = dict[str, Any]


def run_out(run: SkillRun) -> _Json:
    """RunOut; `run.capability` and `run.version` are loaded."""
    return {
        "id": run.pk,
        "capability": run.capability.name,
        "skill_id": run.skill_id,
        "version": run.version.number if run.version else None,
        "version_digest": run.version.digest if run.version else None,
        "path": run.path,
        "state_at_run": run.state_at_run,
        "status": run.status,
        "outcome": Outcome(run.outcome).value if run.outcome else None,
        "degraded": run.degraded,
        "inputs": run.inputs,
        "output": run.output,
        "error": run.error,
        "escalation_reason": run.escalation_reason,
        "cost_usd": run.cost_usd,
        "latency_ms": run.latency_ms,
        "shadow": run.shadow,
        "fallback_of": run.fallback_of_id,
        "automation_run_id": run.automation_run_id,
        "external_id": run.external_id,
        "user_id": run.user_id,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "created_at": run.created_at,
    }


def run_detail_out(run: SkillRun) -> _Json:
    return {
        **run_out(run),
        "state": run.state,
        "tool_calls": run.tool_calls,
        "triage": run.triage,
        "steps": [step_out(step) for step in run.steps.order_by("index")],
        "fallbacks": list(run.fallbacks.values_list("pk", flat=True)),
        "shadows": list(run.shadows.values_list("pk", flat=True)),
        "shadow_of": run.shadow_of_id,
        "corrections": [correction_out(correction) for correction in run.corrections.all()],
    }


def step_out(step: StepResult) -> _Json:
    names = StepOut.model_fields
    return {name: getattr(step, name) for name in names}


def correction_out(correction: Correction) -> _Json:
    return {
        "id": correction.pk,
        "field": correction.field,
        "original": correction.original,
        "corrected": correction.corrected,
        "note": correction.note,
        "at": correction.at,
    }


def divergence_out(divergence: Divergence) -> _Json:
    """DivergenceOut; `divergence.version` is loaded."""
    own = ("status", "agreement", "rationale", "abstained_because", "output", "reference_output", "at")
    return {
        "id": divergence.pk,
        "run_id": divergence.run_id,
        "version": divergence.version.number,
        "reference_run_id": divergence.reference_id,
        **{name: getattr(divergence, name) for name in own},
    }


def fixture_out(fixture: Fixture) -> _Json:
    """Holdout examples are kept from whoever writes versions: their name is shown, and nothing of what they hold."""
    hidden = fixture.split == FixtureSplit.HOLDOUT
    return {
        "id": fixture.pk,
        "name": fixture.name,
        "input": {} if hidden else fixture.input,
        "expected_output": None if hidden else fixture.expected_output,
        "assertions": [] if hidden else fixture.assertions,
        "tool_mocks": [] if hidden else fixture.tool_mocks,
        "source": fixture.source,
        "created_at": fixture.created_at,
    }


def capability_out(capability: Capability) -> _Json:
    own = (
        "name",
        "description",
        "examples",
        "input_schema",
        "output_schema",
        "trigger_type",
        "status",
        "granted_tools",
    )
    return {
        "id": capability.pk,
        **{name: getattr(capability, name) for name in own},
        "skill_id": capability.skill.pk,
        "skill_state": capability.skill.state,
    }


def version_out(version: SkillVersion) -> _Json:
    own = ("number", "digest", "status", "author_kind", "changelog", "created_at", "released_at")
    return {
        "id": version.pk,
        **{name: getattr(version, name) for name in own},
        "parent": version.parent.number if version.parent else None,
        "author": version.author.get_username() if version.author else None,
    }


def skill_out(skill: Skill) -> _Json:
    version = skill.current_version
    return {
        "id": skill.pk,
        "capability": skill.capability.name,
        "state": skill.state,
        "state_label": skill.get_state_display(),
        "state_entered_at": skill.state_entered_at,
        "version": version.number if version else None,
        "version_digest": version.digest if version else None,
        "requires_human_gate": skill.requires_human_gate,
        "paused": skill.paused,
        "flagged_from": skill.flagged_from or None,
    }


def skill_detail_out(skill: Skill) -> _Json:
    version = skill.current_version
    return {
        **skill_out(skill),
        "current_version": version_out(version) if version else None,
        "baseline": _baseline_out(skill),
        "why_not": selectors.why_not(skill).as_dict(),
        "readiness": _readiness_out(skill),
    }


def transition_out(transition: StateTransition) -> _Json:
    own = ("from_state", "to_state", "reason", "actor_kind", "note", "evidence", "at")
    return {
        "id": transition.pk,
        "version": transition.version.number if transition.version else None,
        **{name: getattr(transition, name) for name in own},
        "actor": transition.actor_label,
    }


def _readiness_out(skill: Skill) -> _Json | None:
    """What the version in hand needs next, and the newest word of the gates on it."""
    version = evidence.in_hand(skill)
    if version is None:
        return None
    version.skill = skill
    decision = evidence.latest(skill, version.digest)
    return {
        "version": version.number,
        **evidence.readiness_of(version, decision=decision).as_dict(),
        "verdict": decision.verdict if decision else None,
        "decision_id": decision.pk if decision else None,
    }


def _baseline_out(skill: Skill) -> _Json | None:
    if skill.baseline_mean is None:
        return None
    return {
        "mean": skill.baseline_mean,
        "success_rate": skill.baseline_success_rate,
        "lower": skill.baseline_lower,
        "n": skill.baseline_n or 0,
        "version": skill.baseline_version.number if skill.baseline_version else None,
    }
