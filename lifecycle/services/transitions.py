"""Moves between states. `move` is the only writer of `Skill.state`, whichever page, route, task or command asks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from donna_skills.accounts.actors import Actor, ActorKind
from donna_skills.accounts.roles import Permission
from donna_skills.audit import services as audit
from donna_skills.errors import Conflict, HumanGateRequired, IllegalTransition, NotFound, NotPermitted, StaleState
from donna_skills.notifications import events
from donna_skills.notifications.models import Level
from lifecycle.models import AuthorKind, Skill, SkillVersion, StateTransition, VersionStatus
from lifecycle.services import questions, refusals
from lifecycle.signals import skill_state_changed
from lifecycle.states import GATED, REASON_ACTORS, SERVING, STATES, SYSTEM_REASONS, TABLE, Reason, State, edges_from

_VERSION_STATUS_AFTER = {
    State.SANDBOX: VersionStatus.APPROVED,
    State.SHADOW_PRIMARY: VersionStatus.RELEASED,
    State.TRUSTED: VersionStatus.RELEASED,
    State.DEGRADED: VersionStatus.REVOKED,
    State.CLAUDE_NATIVE: VersionStatus.REVOKED,
}


def move(
    skill: Skill,
    to_state: State,
    *,
    reason: Reason,
    actor: Actor,
    note: str = "",
    evidence: Mapping[str, Any] | None = None,
    tell: bool = True,
) -> StateTransition:
    """Move a skill along one edge of the table.

    1. Check, first failure wins: the skill exists, it is not there already, the edge is in the table, the reason fits
       the edge, the reason fits the actor, the human gate.
    2. Claim by conditional update on the state and version that the caller saw (`skill` as it was loaded).
    3. Write the version's status, the transition row, the audit row and the outbox row in the same transaction, and
       withdraw open questions about the state that it leaves.
    4. Signal after commit.

    People are told of a move into or out of release, unless `tell` is off: of several moves at once the last is news.
    A refusal raises a DonnaError and writes one audit row. `skill` carries the new state afterwards.
    """
    wanted = {"from": skill.state, "to": to_state, "reason": reason, "note": note}
    with refusals.recorded("skill.move", actor=actor, subject_type="skill", subject_id=skill.pk, data=wanted):
        to, why = State(to_state), Reason(reason)
        return _move(skill, to, reason=why, actor=actor, note=note, evidence=evidence or {}, tell=tell)


def check(skill: Skill, to_state: State, *, reason: Reason, actor: Actor) -> None:
    """Raise what `move` would raise for this skill as it is loaded, and write nothing: for buttons and previews."""
    from_state = State(skill.state)
    if to_state == from_state:
        raise IllegalTransition(f"The skill is in {to_state} already.")
    if (from_state, to_state) not in TABLE:
        possible = ", ".join(edges_from(from_state)) or "nowhere"
        raise IllegalTransition(
            f"A skill cannot go from {from_state} to {to_state}; from there it can go to: {possible}."
        )
    allowed = TABLE[from_state, to_state]
    if reason not in allowed:
        raise IllegalTransition(
            f"{reason} is no reason to go from {from_state} to {to_state}; reasons: {', '.join(sorted(allowed))}."
        )
    _check_past(skill, to_state, reason)
    _check_actor(skill, to_state, reason, actor)
    if actor.kind == ActorKind.SYSTEM and skill.requires_human_gate and to_state in GATED:
        raise HumanGateRequired(f"A person has to approve before {skill} goes to {STATES[to_state].label.lower()}.")


def begin_as_seed(skill: Skill, version: SkillVersion, *, actor: Actor) -> None:
    """Let a skill that ships with the application begin in the sandbox instead of with the reference model.

    The one state that no move leads to: it is the skill's `initial_state`, from which replaying its rows starts.
    Conflict for a skill that has a history, NotPermitted for a version that did not ship.
    """
    if actor.kind != ActorKind.SYSTEM or version.author_kind != AuthorKind.SEED:
        raise NotPermitted("Only a version that ships with the application can begin in the sandbox.")
    with transaction.atomic():
        fresh = Skill.objects.filter(pk=skill.pk, state=State.CLAUDE_NATIVE, transitions__isnull=True)
        begun = fresh.filter(initial_state=State.CLAUDE_NATIVE).update(
            state=State.SANDBOX, initial_state=State.SANDBOX, current_version=version, state_entered_at=timezone.now()
        )
        if not begun:
            raise Conflict("This skill has a history already; it can only move.")
        SkillVersion.objects.filter(pk=version.pk).update(status=VersionStatus.APPROVED)
        facts = {"state": State.SANDBOX, "version": version.number, "digest": version.digest}
        audit.record("skill.began_as_seed", actor=actor, subject_type="skill", subject_id=skill.pk, data=facts)
    skill.refresh_from_db()


def _move(
    skill: Skill, to_state: State, *, reason: Reason, actor: Actor, note: str, evidence: Mapping[str, Any], tell: bool
) -> StateTransition:
    truth = Skill.objects.select_for_update(of=("self",)).select_related("capability").filter(pk=skill.pk).first()
    if truth is None:
        raise NotFound("There is no such skill.")
    truth.state, seen_version = skill.state, skill.current_version_id
    check(truth, to_state, reason=reason, actor=actor)

    now = timezone.now()
    from_state = State(skill.state)
    flagged_from = from_state if to_state == State.FLAGGED_FOR_REVIEW else ""
    claimed = Skill.objects.filter(pk=skill.pk, state=from_state, current_version_id=seen_version).update(
        state=to_state, state_entered_at=now, flagged_from=flagged_from
    )
    if not claimed:
        raise StaleState("The skill has moved or changed its version since you looked; look again before you decide.")
    skill.state, skill.state_entered_at, skill.flagged_from = to_state, now, flagged_from

    _settle_version(seen_version, from_state, to_state, reason)
    questions.withdraw(
        skill.pk, kinds=questions.ABOUT_A_STATE, why=f"It went from {from_state} to {to_state} meanwhile.", actor=actor
    )
    transition = StateTransition.objects.create(
        skill=skill,
        version_id=seen_version,
        from_state=from_state,
        to_state=to_state,
        reason=reason,
        actor_kind=actor.kind,
        actor_label=actor.label,
        person=actor.user if actor.is_person else None,
        note=note,
        evidence=dict(evidence),
        at=now,
    )
    facts = {"transition_id": str(transition.pk), "from": from_state, "to": to_state, "reason": reason, "note": note}
    audit.record("skill.moved", actor=actor, subject_type="skill", subject_id=skill.pk, data=facts)
    events.publish(
        "skill.state_changed",
        subject_type="skill",
        subject_id=skill.pk,
        payload={
            **facts,
            "capability": truth.capability.name,
            "version_id": str(seen_version) if seen_version else None,
        },
        dedup_key=f"stage:{transition.pk}",
        notify=_news(transition, truth.capability.name, actor) if tell else None,
    )
    transaction.on_commit(
        partial(
            skill_state_changed.send_robust,
            sender=Skill,
            skill_id=skill.pk,
            transition_id=transition.pk,
            from_state=from_state,
            to_state=to_state,
        )
    )
    return transition


def _news(transition: StateTransition, name: str, actor: Actor) -> events.Notice | None:
    """What those who may pause a skill read when it enters or leaves release, or goes on within it. That it was flagged
    is told by the question that comes with it."""
    from_state, to_state = State(transition.from_state), State(transition.to_state)
    if to_state == State.FLAGGED_FOR_REVIEW or GATED.isdisjoint({from_state, to_state}):
        return None
    before, now = STATES[from_state], STATES[to_state]
    why = transition.note or Reason(transition.reason).label
    return events.Notice(
        title=f"{name} is now: {now.label.lower()}",
        body=f"{now.meaning} Before: {before.label.lower()}. By {actor.describe()}: {why}",
        url=f"/skills/{name}/",
        level=Level.SUCCESS if to_state in SERVING else Level.INFO,
        permission=Permission.PAUSE_SKILLS,
        but=actor.user if actor.is_person else None,
    )


def _check_past(skill: Skill, to_state: State, reason: Reason) -> None:
    """The two edges that also depend on where the skill has been (`states.CONDITIONS`)."""
    edge = (State(skill.state), to_state, reason)
    if edge == (State.FLAGGED_FOR_REVIEW, State.SHADOW_PRIMARY, Reason.HUMAN_APPROVAL):
        if skill.flagged_from != State.SHADOW_PRIMARY:
            raise IllegalTransition(
                "It was flagged from trusted, so saving it returns it to trusted, not to shadow_primary."
            )
    elif edge == (State.DRAFT, State.CLAUDE_NATIVE, Reason.HUMAN_REJECTION) and released_versions(skill).exists():
        raise IllegalTransition("An earlier version is released: rejecting this draft restores that version instead.")


def released_versions(skill: Skill) -> QuerySet[SkillVersion]:
    """The healthy versions other than the current one, newest first: they once served, were at most superseded since,
    and were never found degraded."""
    degraded = StateTransition.objects.filter(skill=skill, to_state=State.DEGRADED, version=OuterRef("pk"))
    return (
        SkillVersion.objects.filter(
            ~Exists(degraded),
            skill=skill,
            released_at__isnull=False,
            status__in=[VersionStatus.RELEASED, VersionStatus.SUPERSEDED],
        )
        .exclude(current_of=skill)
        .order_by("-number")
    )


def _check_actor(skill: Skill, to_state: State, reason: Reason, actor: Actor) -> None:
    if actor.kind != REASON_ACTORS[reason]:
        whose = "the system's" if reason in SYSTEM_REASONS else "a person's"
        raise NotPermitted(f"{reason} is {whose} reason; a {actor.kind} cannot give it.")
    if actor.kind != ActorKind.PERSON:
        return
    if not actor.may(Permission.DECIDE_REVIEWS):
        raise NotPermitted(f"{actor.label or 'You'} may not decide about skills; a reviewer or an admin can.")
    if to_state in GATED and not actor.in_emergency:
        _check_not_own_work(skill, actor)


def _check_not_own_work(skill: Skill, actor: Actor) -> None:
    version = skill.current_version
    if version is not None and version.author_id is not None and actor.user and version.author_id == actor.user.pk:
        raise NotPermitted(
            f"You wrote or triggered version {version.number} yourself; somebody else has to approve it.",
            code="own_work",
        )


def _settle_version(version_id: UUID | None, from_state: State, to_state: State, reason: Reason) -> None:
    status = _VERSION_STATUS_AFTER.get(to_state)
    if version_id is None or status is None:
        return
    if to_state == State.CLAUDE_NATIVE and from_state == State.DRAFT:
        status = VersionStatus.REJECTED if reason == Reason.HUMAN_REJECTION else VersionStatus.SUPERSEDED
    version = SkillVersion.objects.filter(pk=version_id)
    version.update(status=status)
    if to_state in SERVING:
        version.filter(released_at__isnull=True).update(released_at=timezone.now())
