"""Several moves at once: which version a skill stands on, and the steps that lead it there along the table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from donna_skills.accounts.actors import Actor
from lifecycle.models import Skill, SkillVersion, StateTransition
from lifecycle.services import transitions
from lifecycle.states import Reason, State


def make_current(skill: Skill, version: SkillVersion) -> None:
    """Point the skill at a version; evidence of another version is none of its business, so the baseline goes."""
    skill.current_version = version
    Skill.objects.filter(pk=skill.pk).update(
        current_version=version,
        baseline_mean=None,
        baseline_success_rate=None,
        baseline_lower=None,
        baseline_n=None,
        baseline_version=None,
    )


def to_draft(skill: Skill, *, actor: Actor, reason: Reason, note: str) -> None:
    """From the reference model, candidate or degraded to draft, one row an edge; nothing to do from draft."""
    if skill.state == State.CLAUDE_NATIVE:
        transitions.move(skill, State.SKILL_CANDIDATE, reason=reason, actor=actor, note=note)
    if skill.state in {State.SKILL_CANDIDATE, State.DEGRADED}:
        transitions.move(skill, State.DRAFT, reason=reason, actor=actor, note=note)


def from_draft_to_service(
    skill: Skill, *, actor: Actor, note: str, evidence: Mapping[str, Any] | None = None
) -> StateTransition:
    """From draft through the sandbox to shadow_primary, on a person's word for a version that served before. What it
    comes to is the caller's news."""
    why = Reason.HUMAN_APPROVAL
    transitions.move(skill, State.SANDBOX, reason=why, actor=actor, note=note, evidence=evidence, tell=False)
    return transitions.move(
        skill, State.SHADOW_PRIMARY, reason=why, actor=actor, note=note, evidence=evidence, tell=False
    )
