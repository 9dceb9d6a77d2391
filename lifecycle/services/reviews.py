"""Questions to people, and their answers: what the page, the API, the admin and the command line all call."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import User
from donna_skills.accounts.roles import Permission, may
from donna_skills.audit import services as audit
from donna_skills.errors import AlreadyDecided, Conflict, FieldError, Invalid, NotPermitted, StaleState
from donna_skills.notifications import events
from lifecycle.models import (
    Capability,
    CapabilityStatus,
    Review,
    ReviewKind,
    ReviewState,
    Skill,
    SkillVersion,
    StateTransition,
    VersionStatus,
)
from lifecycle.services import baselines, questions, refusals, transitions
from lifecycle.states import Reason, State


def open_review(
    kind: ReviewKind,
    *,
    capability: Capability,
    actor: Actor,
    version: SkillVersion | None = None,
    summary: str = "",
    evidence: Mapping[str, Any] | None = None,
    occasion: str = "",
) -> Review:
    """Ask a person. An open question of the same kind about the same capability is superseded when its subject changed,
    and returned as it is when it did not. Reviewers are told once for each digest.

    `occasion` tells apart questions that come back about the same version: flagged once, saved, and flagged again.
    """
    digest = subject_digest(capability, version, occasion)
    with transaction.atomic():
        waiting = Review.objects.open().filter(kind=kind, capability=capability).select_for_update().first()
        if waiting and waiting.subject_digest == digest:
            return waiting
        if waiting:
            Review.objects.filter(pk=waiting.pk, state=ReviewState.OPEN).update(
                state=ReviewState.SUPERSEDED, decided_at=timezone.now(), comment="A newer version asks in its place."
            )
            _supersede_draft(waiting.version_id)
        review = Review.objects.create(
            kind=kind,
            capability=capability,
            skill=version.skill if version else None,
            version=version,
            subject_digest=digest,
            summary=summary,
            evidence={**(evidence or {}), **({"occasion": occasion} if occasion else {})},
        )
        facts = {"kind": kind, "capability": capability.name, "version": version.number if version else None}
        audit.record("review.opened", actor=actor, subject_type="review", subject_id=review.pk, data=facts)
        events.publish(
            "review.opened",
            subject_type="review",
            subject_id=review.pk,
            payload={**facts, "digest": digest, "summary": summary},
            dedup_key=f"review:{kind}:{capability.pk}:{digest}",
            notify=events.Notice(
                title=f"{kind.label} of {capability.name} waits for a decision",
                body=summary,
                url=f"/admin/lifecycle/review/{review.pk}/change/",
                permission=Permission.DECIDE_REVIEWS,
            ),
        )
    return review


def open_flag(
    skill: Skill, flagging: StateTransition, *, actor: Actor, summary: str, evidence: Mapping[str, Any]
) -> Review:
    """Ask whether to save or degrade a skill that has just been flagged, inside the transaction of that move."""
    version = skill.current_version
    assert version is not None
    name = skill.capability.name
    return open_review(
        ReviewKind.FLAG,
        capability=skill.capability,
        version=version,
        actor=actor,
        summary=f"{name} was taken out of service. {summary}".strip(),
        evidence={**evidence, "flagged_from": flagging.from_state, "version": version.number},
        occasion=str(flagging.pk),
    )


def approve(review: Review, *, by: User, comment: str = "", seen_digest: str, keep_gate: bool = False) -> Review:
    """Say yes to exactly what was seen.

    1. Guard: the person may decide, the review is open, the digest shown is still the subject's.
    2. Claim the review by conditional update: of two people deciding at once, one decides.
    3. Carry it out: a capability becomes active; a draft goes to the sandbox (see `_release_to_sandbox`); a promotion
       is made; a flagged skill is saved.
    4. Audit and announce in the same transaction.

    `keep_gate` asks again before each later promotion; otherwise promotions may follow from the gates alone.
    """
    actor = Actor.person(by)
    with refusals.recorded("review.approve", actor=actor, subject_type="review", subject_id=review.pk):
        truth = _claim(review, by=by, state=ReviewState.APPROVED, comment=comment, seen_digest=seen_digest)
        if truth.kind == ReviewKind.CAPABILITY:
            Capability.objects.filter(pk=truth.capability_id).update(status=CapabilityStatus.ACTIVE)
        elif truth.kind == ReviewKind.DRAFT:
            _release_to_sandbox(truth, actor=actor, comment=comment, keep_gate=keep_gate)
        elif truth.kind == ReviewKind.PROMOTION:
            _promote(truth, actor=actor, comment=comment)
        elif truth.kind == ReviewKind.FLAG:
            _save(truth, actor=actor, comment=comment)
        else:
            raise Conflict(f"A review of kind {truth.kind} cannot be approved yet.")
        _announce(truth, actor=actor, comment=comment)
    return truth


def reject(review: Review, *, by: User, reason: str, seen_digest: str) -> Review:
    """Say no, with a reason that the next draft learns from.

    A rejected draft never runs; a skill that is refused its promotion stays where it is; a flagged one is degraded.
    """
    if not reason.strip():
        raise Invalid("Say why: the next draft learns from it.", errors=[FieldError("reason", "must not be blank")])
    actor = Actor.person(by)
    with refusals.recorded("review.reject", actor=actor, subject_type="review", subject_id=review.pk):
        truth = _claim(review, by=by, state=ReviewState.REJECTED, comment=reason, seen_digest=seen_digest)
        if truth.kind == ReviewKind.DRAFT:
            _reject_draft(truth, actor=actor, reason=reason)
        elif truth.kind == ReviewKind.FLAG:
            _move(truth, State.DEGRADED, actor=actor, note=reason)
        elif truth.kind not in {ReviewKind.CAPABILITY, ReviewKind.PROMOTION}:
            raise Conflict(f"A review of kind {truth.kind} cannot be rejected yet.")
        _announce(truth, actor=actor, comment=reason)
    return truth


def subject_digest(capability: Capability, version: SkillVersion | None, occasion: str = "") -> str:
    """What an approval is bound to: the version's files (on this occasion), or the capability's contract."""
    if version is not None and occasion:
        return hashlib.sha256(f"{version.digest}:{occasion}".encode()).hexdigest()
    if version is not None:
        return version.digest
    parts = (capability.name, capability.description, capability.input_schema, capability.output_schema)
    return hashlib.sha256(repr((*parts, capability.granted_tools)).encode()).hexdigest()


def _claim(review: Review, *, by: User, state: ReviewState, comment: str, seen_digest: str) -> Review:
    if not may(by, Permission.DECIDE_REVIEWS):
        raise NotPermitted("You may not decide reviews; a reviewer or an admin can.")
    if review.skill_id and review.kind in questions.ABOUT_A_STATE:
        # Whoever moves a skill locks it before its questions; so does whoever answers one, or both would wait.
        Skill.objects.select_for_update(of=("self",)).get(pk=review.skill_id)
    truth = Review.objects.select_related("capability", "skill__capability", "version").get(pk=review.pk)
    if truth.state != ReviewState.OPEN:
        who = f" by {truth.decided_by}" if truth.decided_by else ""
        raise AlreadyDecided(f"It is {truth.get_state_display().lower()} already{who}.")
    now = subject_digest(truth.capability, truth.version, str(truth.evidence.get("occasion", "")))
    if not seen_digest == truth.subject_digest == now:
        raise StaleState("What waits for approval has changed since you looked; nothing was decided.")
    claimed = Review.objects.filter(pk=truth.pk, state=ReviewState.OPEN).update(
        state=state, decided_at=timezone.now(), decided_by=by, comment=comment
    )
    if not claimed:
        raise AlreadyDecided("Somebody else decided it a moment ago.")
    truth.refresh_from_db(fields=["state", "decided_at", "decided_by", "comment"])
    return truth


def _release_to_sandbox(review: Review, *, actor: Actor, comment: str, keep_gate: bool) -> None:
    """Walk the table to the sandbox with the approved version.

    From draft it is one move. A skill that is running already first goes back to the reference model: its new version
    earns trust from the start, and nobody is served by what has not.
    """
    version = review.version
    assert version is not None
    skill = Skill.objects.select_related("capability", "current_version").get(pk=version.skill_id)
    evidence = {"review_id": str(review.pk), "digest": version.digest}
    on_the_way = f"Making room for version {version.number}, approved in review {review.pk}."
    if skill.state not in {State.CLAUDE_NATIVE, State.SKILL_CANDIDATE, State.DRAFT, State.DEGRADED}:
        transitions.move(skill, State.CLAUDE_NATIVE, reason=Reason.MANUAL_OVERRIDE, actor=actor, note=on_the_way)
        # Replaced, not withdrawn: a version that served well stays one that can be rolled back to.
        SkillVersion.objects.filter(current_of=skill).update(status=VersionStatus.SUPERSEDED)
    make_current(skill, version)
    walk_to_draft(skill, actor=actor, reason=Reason.MANUAL_OVERRIDE, note=on_the_way)
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


def walk_to_draft(skill: Skill, *, actor: Actor, reason: Reason, note: str) -> None:
    """From the reference model, candidate or degraded to draft, one row an edge; nothing to do from draft."""
    if skill.state == State.CLAUDE_NATIVE:
        transitions.move(skill, State.SKILL_CANDIDATE, reason=reason, actor=actor, note=note)
    if skill.state in {State.SKILL_CANDIDATE, State.DEGRADED}:
        transitions.move(skill, State.DRAFT, reason=reason, actor=actor, note=note)


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


def _reject_draft(review: Review, *, actor: Actor, reason: str) -> None:
    version = review.version
    assert version is not None
    SkillVersion.objects.filter(pk=version.pk).update(status=VersionStatus.REJECTED)
    skill = Skill.objects.select_related("capability", "current_version").get(pk=version.skill_id)
    is_current_draft = skill.state == State.DRAFT and skill.current_version_id == version.pk
    if is_current_draft and not transitions.released_versions(skill).exists():
        evidence = {"review_id": str(review.pk), "digest": version.digest}
        transitions.move(
            skill, State.CLAUDE_NATIVE, reason=Reason.HUMAN_REJECTION, actor=actor, note=reason, evidence=evidence
        )


def _supersede_draft(version_id: UUID | None) -> None:
    if version_id is not None:
        drafts = SkillVersion.objects.filter(pk=version_id, status=VersionStatus.DRAFT)
        drafts.update(status=VersionStatus.SUPERSEDED)


def _announce(review: Review, *, actor: Actor, comment: str) -> None:
    facts = {
        "kind": review.kind,
        "capability": review.capability.name,
        "decision": review.state,
        "comment": comment,
        "digest": review.subject_digest,
    }
    audit.record(f"review.{review.state}", actor=actor, subject_type="review", subject_id=review.pk, data=facts)
    events.publish("review.decided", subject_type="review", subject_id=review.pk, payload=facts)
