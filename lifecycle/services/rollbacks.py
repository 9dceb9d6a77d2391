"""Rollback: a version that once served is put back in force, by a person or because what replaced it was rejected.

A healthy version is one that served, was at most superseded since, and was never found degraded
(`transitions.released_versions`). A person may go back to any version that was ever released.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from donna_skills.accounts.actors import Actor
from donna_skills.accounts.roles import Permission
from donna_skills.audit import services as audit
from donna_skills.errors import Conflict, HumanGateRequired, Invalid, NotPermitted, StaleState
from donna_skills.notifications import events
from donna_skills.notifications.models import Level
from lifecycle.models import Review, Skill, SkillVersion, VersionStatus
from lifecycle.services import baselines, refusals, transitions, versions, walks
from lifecycle.states import SERVING, Reason, State

SYSTEM = Actor.system("evolution")
_BEGINS = (State.CLAUDE_NATIVE, State.SKILL_CANDIDATE, State.DRAFT, State.DEGRADED)
"""From here the table leads up to draft; a skill that runs goes by way of the reference model first."""


def roll_back(skill: Skill, version: SkillVersion, *, actor: Actor, note: str = "") -> Skill:
    """Put a version in force that was once released, at once: it serves, and every answer is compared.

    1. Only a person who may decide, never a bot: it is not strictly safer, for something else answers afterwards.
    2. The version is this skill's, was released, is not in force already, and is still a valid package.
    3. What serves or runs goes to the reference model; the version walks the table to shadow_primary, a row an edge.
    4. What was in force is revoked if it had served, superseded if not; a draft that waits for its review goes on
       waiting. The baseline is what the version has shown lately, where that is enough.
    """
    wanted = {"version": version.number, "note": note}
    with refusals.recorded("skill.roll_back", actor=actor, subject_type="skill", subject_id=skill.pk, data=wanted):
        if not actor.is_person:
            raise HumanGateRequired("A person has to roll a skill back; a bot can pause it.")
        if not may_roll_back(actor):
            raise NotPermitted("You may not roll skills back; a reviewer or an admin can.")
        truth = (
            Skill.objects.select_for_update(of=("self",))
            .select_related("capability", "current_version")
            .get(pk=skill.pk)
        )
        if (truth.state, truth.current_version_id) != (skill.state, skill.current_version_id):
            raise StaleState("The skill has moved or changed its version since you looked; look again.")
        version = SkillVersion.objects.get(pk=version.pk)
        _require_returnable(truth, version)
        left = truth.current_version
        _walk(truth, version, actor=actor, note=note or f"Rolled back to version {version.number}.")
        _tell(truth, version, left, actor=actor, note=note)
    skill.refresh_from_db()
    return skill


def may_roll_back(actor: Actor) -> bool:
    return actor.is_person and actor.may(Permission.DECIDE_REVIEWS)


def can_return(skill: Skill, version: SkillVersion) -> bool:
    """Whether this version of the skill may be put in force; its package is looked at only then."""
    in_force = version.pk == skill.current_version_id and skill.state in {*SERVING, State.FLAGGED_FOR_REVIEW}
    return version.skill_id == skill.pk and version.released_at is not None and not in_force


def last_healthy(skill: Skill) -> SkillVersion | None:
    """The newest healthy version besides the current one that is still a valid package."""
    for version in transitions.released_versions(skill):
        if _is_valid(skill, version):
            return version
    return None


def restore_after_rejection(
    skill: Skill, rejected: SkillVersion, *, actor: Actor, note: str, evidence: Mapping[str, Any] | None = None
) -> SkillVersion | None:
    """A person said no to the draft that the skill stands on: the last healthy version serves again, in the state in
    which it last served; without one the reference model answers. Inside the transaction of the rejection.

    It is trusted again only where its own comparisons give it a baseline. Returns the version that was restored.
    """
    version = last_healthy(skill)
    if version is None:
        # One that is released but can no longer be read stands in the way of a rejection, not of an override.
        stuck = transitions.released_versions(skill).exists()
        reason = Reason.MANUAL_OVERRIDE if stuck else Reason.HUMAN_REJECTION
        transitions.move(skill, State.CLAUDE_NATIVE, reason=reason, actor=actor, note=note, evidence=evidence)
        SkillVersion.objects.filter(pk=rejected.pk).update(status=VersionStatus.REJECTED)
        return None
    was_trusted = _last_served_as(version) == State.TRUSTED
    walks.make_current(skill, version)
    why = f"Version {rejected.number} was rejected; version {version.number} serves again. {note}".strip()
    walks.from_draft_to_service(skill, actor=actor, note=why, evidence=evidence)
    baseline = baselines.reset(version.pk)
    if was_trusted and baseline and not skill.paused:
        reason = Reason.HUMAN_APPROVAL
        transitions.move(skill, State.TRUSTED, reason=reason, actor=actor, note=why, evidence=evidence, tell=False)
    if baseline:
        baselines.store(skill, baseline)
    _tell(skill, version, rejected, actor=actor, note=note)
    return version


def accept(review: Review, *, actor: Actor, comment: str) -> None:
    """A person says yes to rolling a degraded skill back, inside the transaction of the decision."""
    skill, version = _subject(review)
    _require_returnable(skill, version)
    left = skill.current_version
    note = comment or f"Rolled back to version {version.number}."
    _walk(skill, version, actor=actor, note=note, evidence={"review_id": str(review.pk), "digest": version.digest})
    _tell(skill, version, left, actor=actor, note=comment)


def decline(review: Review, *, note: str) -> None:
    """A person says no: evolution has failed and nothing older is wanted, so the reference model serves."""
    skill, _ = _subject(review)
    evidence = {"review_id": str(review.pk)}
    transitions.move(
        skill, State.CLAUDE_NATIVE, reason=Reason.EVOLUTION_FAILED, actor=SYSTEM, note=note, evidence=evidence
    )


def _subject(review: Review) -> tuple[Skill, SkillVersion]:
    """The skill as it is now, and the version asked about. StaleState once it is no longer degraded."""
    version = review.version
    assert version is not None
    skill = Skill.objects.select_related("capability", "current_version").get(pk=version.skill_id)
    if skill.state != State.DEGRADED:
        raise StaleState("The skill is not degraded any more; nothing was decided.")
    return skill, version


def _require_returnable(skill: Skill, version: SkillVersion) -> None:
    if version.skill_id != skill.pk or version.released_at is None:
        raise Conflict(f"Version {version.number} was never released; only a version that once served can return.")
    if not can_return(skill, version):
        raise Conflict(f"Version {version.number} is in force already.")
    versions.check(skill, versions.files_of(version))


def _walk(
    skill: Skill, version: SkillVersion, *, actor: Actor, note: str, evidence: Mapping[str, Any] | None = None
) -> None:
    left = skill.current_version
    if skill.state not in _BEGINS:
        reason = Reason.MANUAL_OVERRIDE
        transitions.move(skill, State.CLAUDE_NATIVE, reason=reason, actor=actor, note=note, tell=False)
        if left is not None and left.released_at is None:
            SkillVersion.objects.filter(pk=left.pk).update(status=VersionStatus.SUPERSEDED)
    walks.make_current(skill, version)
    walks.to_draft(skill, actor=actor, reason=Reason.MANUAL_OVERRIDE, note=note)
    walks.from_draft_to_service(skill, actor=actor, note=note, evidence=evidence)
    if baseline := baselines.reset(version.pk):
        baselines.store(skill, baseline)


def _tell(skill: Skill, version: SkillVersion, left: SkillVersion | None, *, actor: Actor, note: str) -> None:
    name = skill.capability.name
    facts = {"to": version.number, "from": left.number if left else None, "digest": version.digest, "note": note}
    audit.record("skill.rolled_back", actor=actor, subject_type="skill", subject_id=skill.pk, data=facts)
    events.publish(
        "skill.rolled_back",
        subject_type="skill",
        subject_id=skill.pk,
        payload={**facts, "capability": name, "state": skill.state},
        dedup_key=f"rolled_back:{skill.pk}:{skill.state_entered_at.isoformat()}",
        notify=events.Notice(
            title=f"{name} was rolled back to version {version.number}",
            body=f"By {actor.describe()}. {note}".strip(),
            url=f"/skills/{name}/",
            level=Level.WARNING,
            permission=Permission.PAUSE_SKILLS,
        ),
    )


def _last_served_as(version: SkillVersion) -> str:
    served = version.skill.transitions.filter(version=version, to_state__in=SERVING).order_by("-id")
    return served.values_list("to_state", flat=True).first() or ""


def _is_valid(skill: Skill, version: SkillVersion) -> bool:
    try:
        versions.check(skill, versions.files_of(version))
    except Invalid:
        return False
    return True
