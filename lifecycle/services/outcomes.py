"""What an answer to a review does, inside the transaction of the decision: for each kind, the yes and the no."""

from __future__ import annotations

from uuid import UUID

from donna_skills.accounts.actors import Actor
from donna_skills.errors import Conflict, StaleState
from lifecycle.models import (
    Capability,
    CapabilityStatus,
    Review,
    ReviewKind,
    Skill,
    SkillVersion,
    VersionStatus,
)
from lifecycle.services import baselines, rollbacks, transitions, walks
from lifecycle.states import GATED, Reason, State


def carry_out(review: Review, *, actor: Actor, comment: str, keep_gate: bool) -> None:
    """The yes: a capability becomes active; a draft or an evolved version goes to the sandbox; a promotion is made; a
    flagged skill is saved; a degraded one is rolled back. A follow-up's yes leaves things as they are."""
    if review.kind == ReviewKind.CAPABILITY:
        Capability.objects.filter(pk=review.capability_id).update(status=CapabilityStatus.ACTIVE)
    elif review.kind in {ReviewKind.DRAFT, ReviewKind.EVOLUTION}:
        _release_to_sandbox(review, actor=actor, comment=comment, keep_gate=keep_gate)
    elif review.kind == ReviewKind.PROMOTION:
        _promote(review, actor=actor, comment=comment)
    elif review.kind == ReviewKind.FLAG:
        _save(review, actor=actor, comment=comment)
    elif review.kind == ReviewKind.ROLLBACK:
        rollbacks.accept(review, actor=actor, comment=comment)


def decline(review: Review, *, actor: Actor, reason: str) -> None:
    """The no: a draft never runs, and the last healthy version serves again where there is one; a skill that is refused
    its promotion stays where it is; a flagged one is degraded; one that is not rolled back goes to the reference model;
    what a follow-up finds wrong is taken out of service."""
    if review.kind in {ReviewKind.DRAFT, ReviewKind.EVOLUTION}:
        _reject_draft(review, actor=actor, reason=reason)
    elif review.kind == ReviewKind.FLAG:
        _move(review, State.DEGRADED, actor=actor, note=reason)
    elif review.kind == ReviewKind.ROLLBACK:
        rollbacks.decline(review, note=reason)
    elif review.kind == ReviewKind.FOLLOW_UP:
        _take_out(review, actor=actor, reason=reason)


def supersede_draft(version_id: UUID | None) -> None:
    """A newer version asks in its place."""
    if version_id is not None:
        drafts = SkillVersion.objects.filter(pk=version_id, status=VersionStatus.DRAFT)
        drafts.update(status=VersionStatus.SUPERSEDED)


def _release_to_sandbox(review: Review, *, actor: Actor, comment: str, keep_gate: bool) -> None:
    """Walk the table to the sandbox with the approved version.

    From draft it is one move. A skill that is running already first goes back to the reference model: its new version
    earns trust from the start, and nobody is served by what has not.
    """
    version = review.version
    assert version is not None
    skill = Skill.objects.select_related("capability", "current_version").get(pk=version.skill_id)
    evidence = {"review_id": str(review.pk), "digest": version.digest, "verdict": review.verdict or "none"}
    on_the_way = f"Making room for version {version.number}, approved in review {review.pk}."
    if skill.state not in {State.CLAUDE_NATIVE, State.SKILL_CANDIDATE, State.DRAFT, State.DEGRADED}:
        reason = Reason.MANUAL_OVERRIDE
        transitions.move(skill, State.CLAUDE_NATIVE, reason=reason, actor=actor, note=on_the_way, tell=False)
        # Replaced, not withdrawn: a version that served well stays one that can be rolled back to.
        SkillVersion.objects.filter(current_of=skill).update(status=VersionStatus.SUPERSEDED)
    walks.make_current(skill, version)
    walks.to_draft(skill, actor=actor, reason=Reason.MANUAL_OVERRIDE, note=on_the_way)
    transitions.move(skill, State.SANDBOX, reason=Reason.HUMAN_APPROVAL, actor=actor, note=comment, evidence=evidence)
    Skill.objects.filter(pk=skill.pk).update(requires_human_gate=keep_gate)


def _promote(review: Review, *, actor: Actor, comment: str) -> None:
    """The move that the gates would have made, had they been allowed to, and the baseline with it."""
    to_state = State(review.evidence["to_state"])
    skill = _subject(review)
    if skill.paused:
        raise Conflict("The skill is paused: resume it before it is promoted.")
    baseline = baselines.earned(skill.current_version_id) if to_state == State.TRUSTED else None
    _move(review, to_state, actor=actor, note=comment)
    if baseline:
        baselines.store(skill, baseline)


def _save(review: Review, *, actor: Actor, comment: str) -> None:
    """Back to where it was flagged from. What it is held against from now on is what it has shown lately, unless that
    is too little or too low; its window begins anew, because a person has decided."""
    skill = _subject(review)
    _move(review, State(skill.flagged_from), actor=actor, note=comment)
    if baseline := baselines.reset(skill.current_version_id):
        baselines.store(skill, baseline)


def _move(review: Review, to_state: State, *, actor: Actor, note: str) -> None:
    skill = _subject(review)
    evidence = {**review.evidence, "review_id": str(review.pk)}
    transitions.move(skill, to_state, reason=Reason.HUMAN_APPROVAL, actor=actor, note=note, evidence=evidence)


def _subject(review: Review) -> Skill:
    """The skill that a review asks about, as it is now. StaleState when another version has taken its place."""
    assert review.skill_id is not None
    skill = Skill.objects.select_related("capability", "current_version").get(pk=review.skill_id)
    if skill.current_version_id is None or skill.current_version_id != review.version_id:
        raise StaleState("Another version is in force since this was asked; nothing was decided.")
    return skill


def _reject_draft(review: Review, *, actor: Actor, reason: str) -> None:
    version = review.version
    assert version is not None
    SkillVersion.objects.filter(pk=version.pk).update(status=VersionStatus.REJECTED)
    skill = Skill.objects.select_related("capability", "current_version").get(pk=version.skill_id)
    if skill.state == State.DRAFT and skill.current_version_id == version.pk:
        evidence = {"review_id": str(review.pk), "digest": version.digest}
        rollbacks.restore_after_rejection(skill, version, actor=actor, note=reason, evidence=evidence)


def _take_out(review: Review, *, actor: Actor, reason: str) -> None:
    """Undo what was decided past a rule, while it is in force. A skill that has moved on stays where it is."""
    if review.skill_id is None:
        Capability.objects.filter(pk=review.capability_id).update(status=CapabilityStatus.PENDING_REVIEW)
        return
    skill = Skill.objects.select_related("capability", "current_version").get(pk=review.skill_id)
    in_force = skill.current_version_id == review.version_id
    if in_force and skill.state in {*GATED, State.FLAGGED_FOR_REVIEW}:
        evidence = {"review_id": str(review.pk)}
        transitions.move(
            skill, State.CLAUDE_NATIVE, reason=Reason.MANUAL_OVERRIDE, actor=actor, note=reason, evidence=evidence
        )
