"""Questions to people, and their answers: what the page, the API, the admin and the command line all call.

Who is looking and what is set aside is in `claims`, what an answer is bound to in `subjects`, what it does in
`outcomes`; callers find all of it here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import User
from donna_skills.errors import AlreadyDecided, Conflict, FieldError, Invalid, StaleState
from lifecycle.models import (
    Capability,
    GateDecision,
    GateVerdict,
    Review,
    ReviewKind,
    ReviewState,
    Skill,
    SkillVersion,
    StateTransition,
    VersionStatus,
)
from lifecycle.services import approvals, claims, notices, outcomes, refusals, risks, subjects, versions
from lifecycle.services.claims import bring_back, claim, release, set_aside, take_over
from lifecycle.services.subjects import base_of, seen_digest

__all__ = [
    "approve",
    "base_of",
    "break_glass",
    "bring_back",
    "claim",
    "note_verdict",
    "open_flag",
    "open_review",
    "reject",
    "release",
    "request_changes",
    "require_unblocked",
    "said_about",
    "seen_digest",
    "set_aside",
    "take_over",
]

_WITH_DRAFT = (ReviewKind.DRAFT, ReviewKind.EVOLUTION)


@dataclass(frozen=True)
class Said:
    """What a person said about an earlier version of a skill, or about the skill as it served."""

    kind: str
    decision: str
    words: str
    version: int | None
    at: datetime


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
    digest = subjects.digest(capability, version, occasion)
    with transaction.atomic():
        if version is not None:
            Skill.objects.select_for_update(of=("self",)).get(pk=version.skill_id)
        waiting = Review.objects.open().filter(kind=kind, capability=capability).select_for_update().first()
        if waiting and waiting.subject_digest == digest:
            return waiting
        if waiting:
            Review.objects.filter(pk=waiting.pk, state=ReviewState.OPEN).update(
                state=ReviewState.SUPERSEDED, decided_at=timezone.now(), comment="A newer version asks in its place."
            )
            outcomes.supersede_draft(waiting.version_id)
        if version is not None and kind in _WITH_DRAFT:
            _supersede_sent_back(version)
        said = {**(evidence or {}), **({"occasion": occasion} if occasion else {})}
        return _ask(kind, capability, version, digest=digest, actor=actor, summary=summary, evidence=said)


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

    1. Guard: the person may decide, the review is open, what was seen is still so (`subjects`), it is nobody's own
       work, and the gates do not block it. On HOLD, or without evidence, a draft may be approved: it is tried unseen.
    2. Where high risk takes two persons, the first approval is kept, and the review stays open for the second.
    3. Claim the review by conditional update: of two people deciding at once, one decides.
    4. Carry it out (`outcomes.carry_out`), audit and announce in the same transaction.

    `keep_gate` asks again before each later promotion; otherwise promotions may follow from the gates alone.
    """
    actor = Actor.person(by)
    with refusals.recorded("review.approve", actor=actor, subject_type="review", subject_id=review.pk):
        truth = _guarded(review, by=by, seen_digest=seen_digest)
        approvals.require_other_work(truth, by=by)
        require_unblocked(truth.version)
        if approvals.takes_two(truth):
            earlier = approvals.add(truth, by=by, comment=comment, keep_gate=keep_gate)
            if not earlier:
                notices.approved_once(truth, actor=actor, comment=comment)
                return truth
            keep_gate = keep_gate or any(one.keep_gate for one in earlier)
        _close(truth, ReviewState.APPROVED, by=by, comment=comment)
        outcomes.carry_out(truth, actor=actor, comment=comment, keep_gate=keep_gate)
        notices.decided(truth, actor=actor)
    return truth


def reject(review: Review, *, by: User, reason: str, seen_digest: str) -> Review:
    """Say no, with a reason that the next draft learns from (see `outcomes.decline`)."""
    _require_words("reason", reason, "Say why: the next draft learns from it.")
    actor = Actor.person(by)
    with refusals.recorded("review.reject", actor=actor, subject_type="review", subject_id=review.pk):
        truth = _guarded(review, by=by, seen_digest=seen_digest)
        _close(truth, ReviewState.REJECTED, by=by, comment=reason)
        outcomes.decline(truth, actor=actor, reason=reason)
        if truth.kind == ReviewKind.FOLLOW_UP and truth.version_id is None:
            _ask_anew(truth, actor=actor, reason=reason)
        notices.decided(truth, actor=actor)
    return truth


def request_changes(review: Review, *, by: User, comment: str, seen_digest: str) -> Review:
    """Send a version back with what has to be different. It never runs as it is; the next version asks again, and
    whoever writes that one is told. The skill stays where it stands."""
    _require_words("comment", comment, "Say what has to change: the next version is written from it.")
    actor = Actor.person(by)
    with refusals.recorded("review.request_changes", actor=actor, subject_type="review", subject_id=review.pk):
        truth = _guarded(review, by=by, seen_digest=seen_digest)
        if truth.kind not in _WITH_DRAFT:
            raise Conflict("Changes can be requested of a draft or an evolved version only; approve or reject this.")
        _close(truth, ReviewState.CHANGES_REQUESTED, by=by, comment=comment)
        notices.decided(truth, actor=actor)
    return truth


def break_glass(review: Review, *, by: User, reason: str, seen_digest: str) -> Review:
    """Approve in an emergency what would take somebody else: one's own work, or the second approval of high risk.

    1. Guard as in `approve`; besides, the person may break the glass, and something stands in their way. What the gates
       block stays blocked.
    2. Approve and carry out, with the human gate kept for every later promotion.
    3. Tell everybody who decides, and ask one of them to look again: a review of kind `follow_up`, which the person who
       broke the glass cannot approve, and whose no takes the version out of service.
    """
    _require_words("reason", reason, "Say what the emergency is: everybody who decides will read it.")
    actor = approvals.in_emergency(by)
    with refusals.recorded("review.break_glass", actor=actor, subject_type="review", subject_id=review.pk):
        truth = _guarded(review, by=by, seen_digest=seen_digest)
        approvals.require_glass(truth, by=by)
        require_unblocked(truth.version)
        _close(truth, ReviewState.APPROVED, by=by, comment=reason, glass_broken=True)
        outcomes.carry_out(truth, actor=actor, comment=reason, keep_gate=True)
        notices.decided(truth, actor=actor)
        notices.glass_broken(truth, actor=actor)
        _ask(
            ReviewKind.FOLLOW_UP,
            truth.capability,
            truth.version,
            digest=truth.subject_digest,
            actor=actor,
            summary=f"{by} approved the {truth.kind} of {truth.capability.name} alone, in an emergency: {reason}",
            evidence=truth.evidence,
            follow_up_of=truth,
        )
    return truth


def note_verdict(skill: Skill, digest: str, verdict: str) -> int:
    """The gates have said something new about these files: open reviews show and sort by it. Call it inside the
    transaction that stores the decision, after its row; returns how many reviews it concerns."""
    return Review.objects.open().filter(skill=skill, version__digest=digest).update(verdict=verdict)


def require_unblocked(version: SkillVersion | None) -> None:
    """Conflict (code `gate_blocked`) where the newest word of the gates about a version is BLOCK."""
    if _verdict(version) == GateVerdict.BLOCK:
        raise Conflict(
            "The gates block this version: it has to be mended before it can be approved.", code="gate_blocked"
        )


def said_about(skill: Skill, *, limit: int = 5) -> list[Said]:
    """What people said when they refused a skill's versions or wanted them changed, newest first."""
    noes = Review.objects.filter(skill=skill, state__in=[ReviewState.REJECTED, ReviewState.CHANGES_REQUESTED])
    found = noes.exclude(comment="").select_related("version").order_by("-decided_at", "-id")[:limit]
    return [
        Said(
            kind=review.kind,
            decision=review.state,
            words=review.comment,
            version=review.version.number if review.version else None,
            at=review.decided_at or review.opened_at,
        )
        for review in found
    ]


def _guarded(review: Review, *, by: User, seen_digest: str) -> Review:
    """The review as it is now, locked after its skill: whoever moves a skill locks it before its questions, and so does
    whoever answers one, or both would wait."""
    claims.require_may_decide(by)
    if review.skill_id:
        Skill.objects.select_for_update(of=("self",)).get(pk=review.skill_id)
    related = ("capability", "skill__capability", "version__author", "decided_by", "asked_by")
    found = Review.objects.select_for_update(of=("self",)).select_related(*related)
    truth = found.select_related("version__skill__current_version", "follow_up_of").get(pk=review.pk)
    if truth.state != ReviewState.OPEN:
        raise claims.already_decided(truth)
    if changed := subjects.changed(truth, seen_digest):
        what = " ".join(one.message for one in changed)
        raise StaleState(
            f"What waits for approval has changed since you looked; nothing was decided. {what}", errors=changed
        )
    truth.verdict = _verdict(truth.version)
    return truth


def _close(review: Review, state: ReviewState, *, by: User, comment: str, glass_broken: bool = False) -> None:
    values = {
        "state": state,
        "decided_at": timezone.now(),
        "decided_by": by,
        "comment": comment,
        "glass_broken": glass_broken,
        "verdict": review.verdict,
        "claimed_by": None,
        "claimed_until": None,
    }
    if not Review.objects.open().filter(pk=review.pk).update(**values):
        raise AlreadyDecided("Somebody else decided it a moment ago.")
    for name, value in values.items():
        setattr(review, name, value)


def _require_words(field: str, words: str, sentence: str) -> None:
    if not words.strip():
        raise Invalid(sentence, errors=[FieldError(field, "must not be blank")])


def _verdict(version: SkillVersion | None) -> str:
    """What the gates said last about a version; empty where they said nothing yet."""
    if version is None:
        return ""
    newest = GateDecision.objects.filter(skill_id=version.skill_id, digest=version.digest).order_by("-id")
    return newest.values_list("verdict", flat=True).first() or ""


def _ask(
    kind: ReviewKind,
    capability: Capability,
    version: SkillVersion | None,
    *,
    digest: str,
    actor: Actor,
    summary: str,
    evidence: Mapping[str, Any],
    follow_up_of: Review | None = None,
) -> Review:
    tier = risks.assess(kind, capability=capability, version=version)
    review = Review.objects.create(
        kind=kind,
        capability=capability,
        skill=version.skill if version else None,
        version=version,
        subject_digest=digest,
        basis=subjects.basis(kind, version),
        summary=summary,
        evidence=dict(evidence),
        verdict=_verdict(version),
        risk=risks.TIERS[tier.tier],
        risk_reasons=[{"code": reason.code, "message": reason.message} for reason in tier.reasons],
        asked_by=versions.responsible(actor),
        follow_up_of=follow_up_of,
    )
    notices.opened(review, actor=actor)
    return review


def _ask_anew(follow_up: Review, *, actor: Actor, reason: str) -> None:
    """A capability that should not have been activated waits for a person again."""
    open_review(ReviewKind.CAPABILITY, capability=follow_up.capability, actor=actor, summary=reason)


def _supersede_sent_back(version: SkillVersion) -> None:
    """The versions that were sent back for changes have their successor."""
    sent_back = SkillVersion.objects.filter(
        skill_id=version.skill_id, status=VersionStatus.DRAFT, reviews__state=ReviewState.CHANGES_REQUESTED
    )
    sent_back.exclude(pk=version.pk).update(status=VersionStatus.SUPERSEDED)
