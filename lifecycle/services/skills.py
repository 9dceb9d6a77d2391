"""What people and bots may ask of a skill besides running it: move, pause, gate, hand versions in and out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from donna_skills.accounts.actors import Actor, ActorKind
from donna_skills.accounts.roles import Permission
from donna_skills.audit import services as audit
from donna_skills.errors import Conflict, FieldError, Gone, Invalid, NotFound, NotPermitted
from donna_skills.lookups import PreparedRow
from donna_skills.notifications import events
from lifecycle.models import (
    AuthorKind,
    Capability,
    CapabilityStatus,
    Review,
    ReviewKind,
    Skill,
    SkillVersion,
    VersionStatus,
)
from lifecycle.packages.model import Files
from lifecycle.services import approvals, baselines, refusals, reviews, transitions, verify, versions, walks
from lifecycle.states import SERVING, Reason, State

_ANSWERS = {
    (State.DRAFT, State.SANDBOX, Reason.HUMAN_APPROVAL): ReviewKind.DRAFT,
    (State.DRAFT, State.CLAUDE_NATIVE, Reason.HUMAN_REJECTION): ReviewKind.DRAFT,
    (State.SANDBOX, State.SHADOW_PRIMARY, Reason.HUMAN_APPROVAL): ReviewKind.PROMOTION,
    (State.SHADOW_PRIMARY, State.TRUSTED, Reason.HUMAN_APPROVAL): ReviewKind.PROMOTION,
    (State.FLAGGED_FOR_REVIEW, State.SHADOW_PRIMARY, Reason.HUMAN_APPROVAL): ReviewKind.FLAG,
    (State.FLAGGED_FOR_REVIEW, State.TRUSTED, Reason.HUMAN_APPROVAL): ReviewKind.FLAG,
    (State.FLAGGED_FOR_REVIEW, State.DEGRADED, Reason.HUMAN_APPROVAL): ReviewKind.FLAG,
}
"""Moves that answer an open review, and of which kind."""


@dataclass(frozen=True)
class Moved:
    """What a request to move came to. `transition_id` is the row that reached `to_state`."""

    skill: Skill
    from_state: State
    to_state: State
    transition_id: Any


def request_move(skill: Skill, *, to_state: str, reason: str, actor: Actor, note: str = "") -> Moved:
    """Move a skill by hand: Invalid for words that are no state or reason, otherwise as `transitions.move`.

    A move that answers an open review (of a draft, a promotion, a flag) decides that review: each question has one
    door. One that brings a skill to trusted past its gate takes along the baseline that its evidence earns, and one
    that flags it asks whether to save or degrade it.
    """
    target, why = _parsed(to_state, reason)
    from_state = State(skill.state)
    review = _review_decided_by(skill, target, why)
    if review is not None and actor.is_person and actor.user is not None:
        transitions.check(skill, target, reason=why, actor=actor)
        if why == Reason.HUMAN_REJECTION or target == State.DEGRADED:
            reason_given = note.strip() or ("Degraded by hand." if target == State.DEGRADED else "")
            reviews.reject(review, by=actor.user, reason=reason_given, seen_digest=review.subject_digest)
        else:
            if approvals.takes_two(review):
                raise Conflict(
                    "Its risk is high: two persons have to approve its review.", code="second_approval_needed"
                )
            reviews.approve(review, by=actor.user, comment=note, seen_digest=review.subject_digest)
        skill.refresh_from_db()
        newest = skill.transitions.order_by("-id").first()
        return Moved(skill, from_state, target, newest.pk if newest else None)
    wanted = {"from": from_state, "to": target, "reason": why, "note": note}
    with refusals.recorded("skill.move", actor=actor, subject_type="skill", subject_id=skill.pk, data=wanted):
        if target == State.SANDBOX and why == Reason.HUMAN_APPROVAL:
            reviews.require_unblocked(skill.current_version)
        transition = transitions.move(skill, target, reason=why, actor=actor, note=note)
        if target == State.TRUSTED and (earned := baselines.reset(transition.version_id)):
            baselines.store(skill, earned)
        if target == State.FLAGGED_FOR_REVIEW:
            reviews.open_flag(skill, transition, actor=actor, summary=note, evidence={"reasons": [why]})
    return Moved(skill, from_state, target, transition.pk)


def pause(skill: Skill, *, actor: Actor, note: str = "") -> Skill:
    """Stop serving and promotion at once; the reference model answers. Never a demotion."""
    return _set_paused(skill, True, actor=actor, note=note)


def resume(skill: Skill, *, actor: Actor, note: str = "") -> Skill:
    """Serve again, in the state that the skill has kept."""
    return _set_paused(skill, False, actor=actor, note=note)


def set_human_gate(skill: Skill, value: bool, *, actor: Actor) -> Skill:
    """Switch whether the system needs a person before sandbox, shadow_primary and trusted.

    Closing the gate makes things safer, so a bot may; lifting it takes a person who may decide reviews.
    """
    with refusals.recorded("skill.set_human_gate", actor=actor, subject_type="skill", subject_id=skill.pk):
        if not _may(actor, Permission.DECIDE_REVIEWS, makes_safer=value):
            raise NotPermitted("Only a person who may decide reviews can lift the human gate.")
        if Skill.objects.filter(pk=skill.pk, requires_human_gate=not value).update(requires_human_gate=value):
            facts = {"requires_human_gate": value}
            audit.record("skill.human_gate_set", actor=actor, subject_type="skill", subject_id=skill.pk, data=facts)
            events.publish("skill.human_gate_set", subject_type="skill", subject_id=skill.pk, payload=facts)
    skill.requires_human_gate = value
    return skill


def submit_version(skill: Skill, *, files: Files, actor: Actor, changelog: str = "") -> tuple[SkillVersion, Review]:
    """Hand in a package as a new draft version and ask a reviewer.

    Where nothing of the skill runs yet, the system moves it to draft on the strength of the passed validation. Where a
    version serves or is being tried, that one goes on until a person approves the new one.
    """
    with refusals.recorded("version.submit", actor=actor, subject_type="skill", subject_id=skill.pk):
        if actor.is_person and not actor.may(Permission.EDIT_SKILLS):
            raise NotPermitted("Only authors and admins may hand in versions.")
        kind = AuthorKind.BOT if actor.kind == ActorKind.BOT else AuthorKind.PERSON
        version, review = store_draft(
            skill,
            files=files,
            actor=actor,
            author_kind=kind,
            changelog=changelog,
            moved_by=Actor.system("package validation"),
            because="was handed in and is a valid package",
            summary=changelog,
        )
        verify.ask_if_affordable(version, by=actor)
    return version, review


def store_draft(
    skill: Skill,
    *,
    files: Files,
    actor: Actor,
    author_kind: AuthorKind,
    moved_by: Actor,
    because: str,
    changelog: str = "",
    summary: str = "",
    evidence: Mapping[str, Any] | None = None,
) -> tuple[SkillVersion, Review]:
    """Store files as a draft version and ask a reviewer; for services that decide who may, inside their transaction.

    Where nothing of the skill runs, the version becomes current and the system, which has looked at it as `because`
    says, walks the skill to draft.
    """
    version = versions.add(skill, files=files, actor=actor, author_kind=author_kind, changelog=changelog)
    said = f"Version {version.number} {because}."
    if skill.state in {State.CLAUDE_NATIVE, State.SKILL_CANDIDATE, State.DRAFT, State.DEGRADED}:
        walks.make_current(skill, version)
        walks.to_draft(skill, actor=moved_by, reason=Reason.GATE_PASSED, note=said)
    review = reviews.open_review(
        ReviewKind.DRAFT,
        capability=skill.capability,
        version=version,
        actor=actor,
        summary=summary or f"Version {version.number} of {skill.capability.name} was handed in.",
        evidence=evidence,
    )
    return version, review


def released_digest(capability_name: str, *, pin: str = "") -> str:
    """The digest of what a bot may execute itself: the current version of a serving skill, or the pinned one while that
    is released.

    NotFound when nothing is released under that name or digest, Gone when the pinned version is no longer released. One
    query for a bot that asks whether anything has changed.
    """
    found = _serving.get(capability_name)
    if found is None:
        raise NotFound(f"There is no capability {capability_name[:80]!r}.", code="unknown_capability")
    state, paused, digest = found
    serves = state in SERVING and not paused and digest is not None
    if pin and not (serves and pin == digest):
        return _pinned(capability_name, pin, serves=serves)
    if not serves:
        raise NotFound("No version of this skill is released: the reference model answers.", code="not_released")
    return str(digest)


def _pinned(capability_name: str, pin: str, *, serves: bool) -> str:
    version = SkillVersion.objects.filter(skill__capability__name=capability_name, digest=pin).first()
    if version is None or version.released_at is None:
        raise NotFound("No version with that digest was ever released.", code="not_released")
    if not serves or version.status != VersionStatus.RELEASED:
        raise Gone(
            f"Version {version.number} is no longer released; fetch the package without the pin.", code="revoked"
        )
    return version.digest


_serving = PreparedRow(
    lambda name: Skill.objects.filter(capability__name=name).values_list("state", "paused", "current_version__digest")
)


def require_active(capability: Capability) -> None:
    if capability.status != CapabilityStatus.ACTIVE:
        raise Conflict("This capability waits for a person's review and cannot be run yet.", code="pending_review")


def _set_paused(skill: Skill, paused: bool, *, actor: Actor, note: str) -> Skill:
    verb = "paused" if paused else "resumed"
    with refusals.recorded(f"skill.{verb}", actor=actor, subject_type="skill", subject_id=skill.pk):
        if not _may(actor, Permission.PAUSE_SKILLS, makes_safer=paused):
            raise NotPermitted("Only a person who may pause and resume skills can do that.")
        if not Skill.objects.filter(pk=skill.pk, paused=not paused).update(paused=paused):
            raise Conflict(f"The skill is {verb if paused else 'running'} already.")
        facts = {"paused": paused, "note": note, "state": skill.state}
        audit.record(f"skill.{verb}", actor=actor, subject_type="skill", subject_id=skill.pk, data=facts)
        events.publish(f"skill.{verb}", subject_type="skill", subject_id=skill.pk, payload=facts)
    skill.paused = paused
    return skill


def _may(actor: Actor, permission: Permission, *, makes_safer: bool) -> bool:
    """A bot may do what only makes things safer (its scope was checked at the door); everything else takes a person."""
    return actor.may(permission) if actor.is_person else makes_safer


def _review_decided_by(skill: Skill, target: State, why: Reason) -> Review | None:
    """The open review that this move would answer, if there is one."""
    kind = _ANSWERS.get((State(skill.state), target, why))
    kinds = [ReviewKind.DRAFT, ReviewKind.EVOLUTION] if kind == ReviewKind.DRAFT else [kind]
    if kind is None or (kind == ReviewKind.FLAG and target not in {skill.flagged_from, State.DEGRADED}):
        return None
    return Review.objects.open().filter(kind__in=kinds, skill=skill, version_id=skill.current_version_id).first()


def _parsed(to_state: str, reason: str) -> tuple[State, Reason]:
    errors = []
    if to_state not in State.values:
        errors.append(FieldError("to_state", f"unknown state; one of {', '.join(State.values)}", code="unknown_state"))
    if reason not in Reason.values:
        errors.append(FieldError("reason", f"unknown reason; one of {', '.join(Reason.values)}", code="unknown_reason"))
    if errors:
        raise Invalid("The move is not described in words that the table knows.", errors=errors)
    return State(to_state), Reason(reason)
