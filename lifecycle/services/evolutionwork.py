"""One attempt to evolve a skill, step by step: claim its row, ask, run the gates, settle. `evolutions` decides when.

The only writer of Evolution. A row is claimed before money is spent and keeps the reply as soon as it is there, so that
whoever takes up the row of a worker that died goes on from the reply.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from donna_skills.accounts.actors import Actor, ActorKind
from donna_skills.accounts.models import User
from donna_skills.audit import services as audit
from donna_skills.errors import Conflict, StaleState
from donna_skills.jobs import leases
from donna_skills.llm import gateway, ledger
from donna_skills.llm.port import Purpose
from lifecycle.execution.replies import ReplyInvalid
from lifecycle.models import (
    AttemptStatus,
    AuthorKind,
    Evolution,
    ReviewKind,
    Skill,
    SkillVersion,
    StateTransition,
)
from lifecycle.packages.digest import digest as digest_of
from lifecycle.packages.model import Files
from lifecycle.services import (
    authoring,
    evidence,
    givingup,
    material,
    reviews,
    rewriting,
    transitions,
    versions,
    walks,
)
from lifecycle.services.evolving import Trial
from lifecycle.services.rewriting import Rewrite
from lifecycle.services.validation import Progress
from lifecycle.states import Reason, State

ACTOR = Actor.system("evolution")
UNDER_WAY = "evolution_running"
MOST_TAKE_UPS = 3
"""An attempt whose worker dies more often than this takes its workers with it."""
_PLACES = Decimal("0.000001")
_MOST_REASONS = 30


@dataclass(frozen=True)
class End:
    """How an attempt ends: its status, why, and what the gates looked at."""

    status: AttemptStatus
    reasons: tuple[tuple[str, str], ...] = ()
    trial: Trial | None = None
    rewrite: Rewrite | None = None


def claim(skill: Skill, *, actor: Actor, now: datetime, waived: Collection[str]) -> Evolution:
    version = skill.current_version
    if version is None:
        raise Conflict("There is no version to start from; hand in or draft one first.", code="no_version")
    if dead := leases.expired(Evolution, timezone.now()).filter(skill=skill, status=AttemptStatus.RUNNING).first():
        return _take_up(dead)
    by_itself = actor.kind == ActorKind.SYSTEM and skill.state == State.DEGRADED
    asked = {"by": actor.describe(), "author": _id(versions.responsible(actor)), "waived": sorted(waived)}
    fields: dict[str, Any] = {
        "skill": skill,
        "from_version": version,
        "degraded_by": last_degraded(skill) if by_itself else None,
        "statistics": {"asked": asked},
        "started_at": now,
        "lease_owner": leases.new_owner(),
        "lease_until": timezone.now() + timedelta(seconds=leases.lease_seconds()),
        **_continued(skill, version),
    }
    try:
        with transaction.atomic():
            row = Evolution.objects.create(**fields)
            facts = {"evolution_id": str(row.pk), "version": version.number, "waived": sorted(waived)}
            audit.record("evolution.began", actor=actor, subject_type="skill", subject_id=skill.pk, data=facts)
    except IntegrityError:
        raise Conflict("An attempt to evolve this skill is under way.", code=UNDER_WAY) from None
    return row


def _take_up(dead: Evolution) -> Evolution:
    """Go on with an attempt whose worker has gone, unless it has taken workers with it too often."""
    owner, now = leases.new_owner(), timezone.now()
    taken = int(dead.statistics.get("taken_up", 0)) + 1
    claimed = leases.claim(
        Evolution.objects.filter(pk=dead.pk, lease_until=dead.lease_until),
        owner=owner,
        from_statuses=[AttemptStatus.RUNNING],
        to_status=AttemptStatus.RUNNING,
        now=now,
        statistics={**dead.statistics, "taken_up": taken},
    )
    if not claimed:
        raise Conflict("An attempt to evolve this skill is under way.", code=UNDER_WAY)
    row = Evolution.objects.select_related("from_version__skill__capability").get(pk=dead.pk)
    if taken > MOST_TAKE_UPS:
        said = f"Its worker went away {taken} times; it is given up."
        settle(row, End(AttemptStatus.MODEL_ERROR, (("interrupted", said),)))
        raise Conflict(said, code="interrupted")
    return row


def _continued(skill: Skill, version: SkillVersion) -> Mapping[str, Any]:
    """The reply that never came to the word of its gates last time: it is paid for."""
    last = Evolution.objects.filter(skill=skill).first()
    undecided = {AttemptStatus.BUDGET_STOPPED, AttemptStatus.MODEL_ERROR}
    if last is None or last.status not in undecided or last.reply is None or last.from_version_id != version.pk:
        return {}
    return {"reply": last.reply, "samples": last.samples, "holdout": last.holdout}


def carry_out(row: Evolution, *, now: datetime, progress: Progress | None) -> End:
    version = row.from_version
    if row.reply is None:
        _ask(row, progress)
    assert row.reply is not None
    try:
        rewrite = rewriting.read(row.reply, current=versions.files_of(version))
    except ReplyInvalid as error:
        return End(AttemptStatus.REFUSED, (("reply_invalid", f"The reply cannot be used: {error}"),))
    if same := SkillVersion.objects.filter(skill_id=row.skill_id, digest=digest_of(rewrite.files)).first():
        why = (("duplicate_version", f"These files are version {same.number} already."),)
        return End(AttemptStatus.REFUSED, why, rewrite=rewrite)
    trial = Trial(
        version=version,
        files=rewrite.files,
        targeted=rewrite.targeted,
        shown=[one["id"] for one in row.samples],
        held_out=row.holdout,
        now=now,
        waived=row.statistics["asked"]["waived"],
        progress=progress,
    )
    trial.carry_out()
    reasons = tuple((reason.code, reason.message) for result in trial.results for reason in result.reasons)
    if any(result.status == "BLOCK" for result in trial.results):
        return End(AttemptStatus.REFUSED, reasons, trial, rewrite)
    if trial.paused:
        said = "The budget for model calls was used up between the gates; the reply is kept for the next attempt."
        return End(AttemptStatus.BUDGET_STOPPED, (("budget_paused", said),), trial, rewrite)
    return End(AttemptStatus.ACCEPTED, reasons, trial, rewrite)


def _ask(row: Evolution, progress: Progress | None) -> None:
    """The reply, on the row before anything is made of it. Where an earlier worker was answered and died before it
    could keep the reply, the ledger still has it."""
    if (paid_for := ledger.answer_of(row.pk, purpose=Purpose.EVOLUTION)) and row.samples:
        _write(row, reply=authoring.storable(paid_for), cost_usd=ledger.cost_of(row.pk))
        return
    if progress is not None:
        progress(0, 1, "Gathering the cases")
    given = material.gather(row.from_version)
    kept = {
        "samples": given.samples(),
        "holdout": [str(one.pk) for one in given.holdout],
        "statistics": {**row.statistics, **given.statistics},
    }
    _write(row, **kept)
    if progress is not None:
        progress(0, 1, f"Asking for a better version, from {len(given.train)} cases")
    reply = gateway.complete(rewriting.request(row.skill, given, call_id=row.pk))
    _write(row, reply=authoring.storable(reply.text), cost_usd=reply.cost_usd)


def _write(row: Evolution, **values: Any) -> None:
    """Only while the row is ours."""
    ours = Evolution.objects.filter(pk=row.pk, status=AttemptStatus.RUNNING, lease_owner=row.lease_owner)
    if not ours.update(**values):
        raise StaleState("Somebody else has taken this attempt up.")
    for name, value in values.items():
        setattr(row, name, value)


def settle(row: Evolution, end: End) -> None:
    """Everything that an end means, or nothing of it."""
    skill = row.skill
    values: dict[str, Any] = {
        "status": end.status,
        "reasons": [{"code": code, "message": message[:1_000]} for code, message in end.reasons[:_MOST_REASONS]],
        "finished_at": timezone.now(),
        **leases.RELEASED,
    }
    if end.rewrite is not None:
        values |= {"diagnosis": end.rewrite.diagnosis, "changelog": end.rewrite.changelog}
        values |= {"targeted": list(end.rewrite.targeted), "files": _readable(end.rewrite.files)}
    if end.trial is not None:
        spent = sum((result.cost for result in end.trial.results), row.cost_usd)
        values["cost_usd"] = spent.quantize(_PLACES)
        # Before the transaction: whoever locks the skill there must not wait for the version's notice here.
        values["decision"] = evidence.record(
            skill,
            digest=end.trial.digest,
            inputs_digest=end.trial.inputs_digest,
            results=end.trial.results,
            evidence={**end.trial.evidence, "evolution_id": str(row.pk)},
        )
    with transaction.atomic():
        locked = Skill.objects.select_for_update(of=("self",)).select_related("capability", "current_version")
        truth = locked.get(pk=skill.pk)
        if end.status == AttemptStatus.ACCEPTED:
            values |= _accept(row, truth, end)
        _write(row, **values)
        facts = {"evolution_id": str(row.pk), "status": end.status, "reasons": [code for code, _ in end.reasons]}
        audit.record("evolution.ended", actor=ACTOR, subject_type="skill", subject_id=skill.pk, data=facts)
        if end.status == AttemptStatus.REFUSED and row.degraded_by is not None:
            givingup.consider(truth, row.degraded_by, actor=ACTOR)
    skill.refresh_from_db()


def _accept(row: Evolution, skill: Skill, end: End) -> dict[str, Any]:
    """The version, its place, and the question to a person."""
    assert end.rewrite is not None
    assert end.trial is not None
    trial, name = end.trial, skill.capability.name
    version = versions.add(
        skill,
        files=end.rewrite.files,
        actor=_author(row),
        author_kind=AuthorKind.EVOLUTION,
        changelog=end.rewrite.changelog,
        parent=row.from_version,
    )
    if skill.state == State.DEGRADED and skill.current_version_id == row.from_version_id:
        walks.make_current(skill, version)
        note = f"Version {version.number} was evolved from version {row.from_version.number} and passed its gates."
        facts = {"evolution_id": str(row.pk), "fixes": trial.fixes, "breaks": trial.breaks}
        transitions.move(skill, State.DRAFT, reason=Reason.GATE_PASSED, actor=ACTOR, note=note, evidence=facts)
    waiting = [reason.message for result in trial.results for reason in result.reasons]
    said = f"Version {version.number} of {name} fixes {trial.fixes} cases, breaks {trial.breaks}."
    held = f" Not shown by evidence: {' '.join(waiting)}" if waiting else ""
    review = reviews.open_review(
        ReviewKind.EVOLUTION,
        capability=skill.capability,
        version=version,
        actor=_author(row),
        summary=f"{said}{held} {end.rewrite.diagnosis[:500]}".strip(),
        evidence={
            "evolution_id": str(row.pk),
            "from_version": row.from_version.number,
            "fixes": trial.fixes,
            "breaks": trial.breaks,
            "gates": [{"gate": result.gate, "status": result.status} for result in trial.results],
            "waived": sorted(trial.waived),
            "diagnosis": end.rewrite.diagnosis,
        },
    )
    return {"to_version": version, "review": review}


def last_degraded(skill: Skill) -> StateTransition | None:
    """The move that degraded the skill last: attempts in a row are counted since it."""
    return StateTransition.objects.filter(skill=skill, to_state=State.DEGRADED).order_by("-id").first()


def _author(row: Evolution) -> Actor:
    """Whoever asked answers for the version, and so cannot be its only approver; at night nobody did."""
    asked = row.statistics["asked"].get("author")
    person = User.objects.filter(pk=asked).first() if asked else None
    return Actor.person(person) if person else ACTOR


def _id(person: User | None) -> str | None:
    return str(person.pk) if person else None


def _readable(files: Files) -> dict[str, str]:
    return {path: content.decode("utf-8", "replace") for path, content in sorted(files.items())}
