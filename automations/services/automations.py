"""What people and bots may ask of an automation: make, change, pause, resume, run, copy, share and delete it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from automations.configuration import knobs
from automations.decisions.schedule import InvalidSchedule
from automations.models import (
    Automation,
    AutomationRun,
    AutomationShare,
    CreatedVia,
    PauseReason,
    RunStatus,
    RunTrigger,
    ShareLevel,
    Status,
    Trigger,
)
from automations.services import access, definition, followups, queue, rhythms
from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import User
from donna_skills.audit import services as audit
from donna_skills.errors import Conflict, FieldError, Invalid, PreconditionFailed
from donna_skills.notifications import events
from lifecycle.models import Skill
from lifecycle.services import refusals

_MOST_SHARES = 100


@dataclass(frozen=True)
class Share:
    """A person or a group, by name, and what they may."""

    level: str
    person: str = ""
    group: str = ""


def create(wanted: Mapping[str, Any], *, actor: Actor, via: CreatedVia, paused: bool = False) -> Automation:
    """A new automation of the actor's, or of the person that the bot acts for.

    `wanted` has the fields of `definition.FIELDS`, `capability_name` and `follow_ups`. Raises Invalid with the place of
    each error, Conflict (`duplicate_name`), NotPermitted.
    """
    now = timezone.now()
    limits = knobs()
    with refusals.recorded("automation.create", actor=actor, subject_type="automation", subject_id="new"):
        automation = Automation(
            owner=access.require_create(actor),
            created_via=via,
            max_cost_per_run_usd=limits.default_max_cost_per_run_usd,
            min_interval_seconds=limits.default_min_interval_seconds,
            created_at=now,
            updated_at=now,
        )
        _require_capability(wanted)
        definition.write(automation, wanted, now=now)
        if paused:
            automation.status, automation.pause_reason = Status.PAUSED, PauseReason.PERSON
        elif rhythms.pauses(automation, automation.floor_state):
            automation.status, automation.pause_reason = Status.PAUSED, PauseReason.POLICY
        _set(automation, rhythms.due_columns(automation, now=now))
        _store(automation)
        if wanted.get("follow_ups"):
            followups.replace(automation, wanted["follow_ups"], actor=actor)
        _announce("automation.created", automation, actor, via=via, capability=automation.capability.name)
    return _reread(automation)


def update(
    automation: Automation, changes: Mapping[str, Any], *, actor: Actor, seen_revision: int | None = None
) -> Automation:
    """Change what `changes` names, and nothing else; null clears what may be empty.

    With `seen_revision` the change was made against that revision: PreconditionFailed when there is a newer one. A run
    that is on goes on with what it was started with.
    """
    now = timezone.now()
    with _decided("update", automation, actor) as locked:
        if seen_revision is not None and locked.revision != seen_revision:
            raise PreconditionFailed("It has changed since you read it: read it again and decide anew.")
        _require_kept(locked)
        found = definition.write(locked, changes, now=now)
        columns = {name: getattr(locked, name) for name in found}
        if found & definition.TIMING:
            columns |= rhythms.floor_columns(locked, locked.floor_state)
            columns |= _by_policy(locked)
            columns |= rhythms.due_columns(locked, now=now)
        if "capability" in found:
            columns["kept_state"] = {}
        if found & definition.ALERTING:
            columns |= {"alert_open": False, "alert_content": "", "alert_told_at": None}
        chained = "follow_ups" in changes and followups.replace(locked, changes["follow_ups"] or [], actor=actor)
        if columns or chained:
            _write(locked, {**columns, "revision": F("revision") + 1, "updated_at": now})
            _announce("automation.updated", locked, actor, changed=sorted({*found, *(["follow_ups"] * chained)}))
    return _reread(automation)


def pause(automation: Automation, *, actor: Actor, note: str = "") -> Automation:
    """Start nothing more until it is resumed; a run that is on goes on, one that waits for no person is cancelled."""
    now = timezone.now()
    with _decided("pause", automation, actor) as locked:
        _require_kept(locked)
        if locked.status == Status.PAUSED and locked.pause_reason == PauseReason.PERSON:
            raise Conflict("The automation is paused already.")
        _write(locked, {**_paused(PauseReason.PERSON, note), "revision": F("revision") + 1, "updated_at": now})
        cancel_waiting(locked.pk, why="The automation was paused before this run began.")
        _announce("automation.paused", locked, actor, reason=PauseReason.PERSON, note=note)
    return _reread(automation)


def resume(automation: Automation, *, actor: Actor) -> Automation:
    """Go on: failures are forgotten, and the next start is counted from now."""
    now = timezone.now()
    with _decided("resume", automation, actor) as locked:
        _require_kept(locked)
        if locked.status == Status.ACTIVE:
            raise Conflict("The automation is active already.")
        locked.status, locked.pause_reason = Status.ACTIVE, ""
        state = Skill.objects.get(capability_id=locked.capability_id).state
        if rhythms.pauses(locked, state):
            raise Conflict("Its skill waits for a person's review, and scheduled automations pause until that is over.")
        _set(locked, rhythms.floor_columns(locked, state))
        try:
            due = rhythms.due_columns(locked, now=now)
        except (InvalidSchedule, ValueError) as error:
            raise Conflict(f"It cannot be scheduled: {error} Change its schedule first.") from None
        columns = {"status": Status.ACTIVE, "pause_reason": "", "pause_note": "", "failure_count": 0}
        columns |= rhythms.floor_columns(locked, state) | due
        _write(locked, {**columns, "revision": F("revision") + 1, "updated_at": now})
        _announce("automation.resumed", locked, actor)
    return _reread(automation)


def delete(automation: Automation, *, actor: Actor) -> Automation:
    """Keep its rows and never run it again; its name is free for another. Conflict when it is deleted already."""
    now = timezone.now()
    with _decided("delete", automation, actor) as locked:
        _require_kept(locked)
        columns = {"status": Status.DELETED, "pause_reason": "", **rhythms.NOTHING_DUE}
        _write(locked, {**columns, "revision": F("revision") + 1, "updated_at": now})
        cancel_waiting(locked.pk, why="The automation was deleted before this run began.", scheduled_only=False)
        locked.follows.all().delete()
        locked.follow_ups.all().delete()
        _announce("automation.deleted", locked, actor)
    return _reread(automation)


def run_now(automation: Automation, *, actor: Actor) -> AutomationRun:
    """A run at once, whatever the status but deleted. It moves no schedule, and waits for a run that is on."""
    with refusals.recorded("automation.run", actor=actor, subject_type="automation", subject_id=automation.pk):
        access.require_run(automation, actor)
        locked = _locked(automation)
        _require_kept(locked)
        run = queue.add(locked, trigger=RunTrigger.MANUAL, now=timezone.now(), by=actor)
        assert run is not None
        facts = {"run_id": str(run.pk)}
        audit.record("automation.run_asked", actor=actor, subject_type="automation", subject_id=locked.pk, data=facts)
        queue.ring_after_commit()
    return run


def duplicate(automation: Automation, *, actor: Actor) -> Automation:
    """A copy of the actor's own, paused, under the first name that is free; its history and shares stay behind."""
    wanted = {name: getattr(automation, name) for name in definition.FIELDS}
    owner = access.require_create(actor)
    if owner.pk != automation.owner_id:
        wanted["alert_channels"] = []
    taken = {name.lower() for name in Automation.objects.kept().filter(owner=owner).values_list("name", flat=True)}
    numbers = ["copy", *(f"copy {number}" for number in range(2, 1000))]
    names = (f"{automation.name[: 117 - len(number)]} ({number})" for number in numbers)
    wanted["name"] = next((name for name in names if name.lower() not in taken), automation.name)
    wanted["capability_name"] = automation.capability.name
    return create(wanted, actor=actor, via=CreatedVia(automation.created_via), paused=True)


def share(automation: Automation, shares: Sequence[Share], *, actor: Actor) -> Automation:
    """Let in these people and groups, and nobody else."""
    with _decided("share", automation, actor) as locked:
        _require_kept(locked)
        rows = _read_shares(locked, shares)
        locked.shares.all().delete()
        AutomationShare.objects.bulk_create(rows)
        _write(locked, {"revision": F("revision") + 1, "updated_at": timezone.now()})
        with_whom = [{"level": row.level, "to": str(row.person or row.group)} for row in rows]
        _announce("automation.shared", locked, actor, shares=with_whom)
    return _reread(automation)


def cancel_waiting(automation_id: UUID, *, why: str, scheduled_only: bool = True) -> int:
    """Cancel runs that have not begun, inside the caller's transaction; those that a person asked for are spared when
    `scheduled_only`."""
    waiting = AutomationRun.objects.filter(automation_id=automation_id, status=RunStatus.QUEUED)
    if scheduled_only:
        waiting = waiting.exclude(trigger=RunTrigger.MANUAL)
    return waiting.update(status=RunStatus.CANCELLED, reason=why, finished_at=timezone.now())


@contextmanager
def _decided(verb: str, automation: Automation, actor: Actor) -> Iterator[Automation]:
    """A change by somebody who may make it, in one transaction on the locked row; a refusal leaves one audit row."""
    action = f"automation.{verb}"
    with refusals.recorded(action, actor=actor, subject_type="automation", subject_id=automation.pk):
        access.require_change(automation, actor)
        yield _locked(automation)


def _locked(automation: Automation) -> Automation:
    rows = Automation.objects.select_for_update(of=("self",)).select_related("capability")
    return rows.get(pk=automation.pk)


def _reread(automation: Automation) -> Automation:
    return Automation.objects.for_page().get(pk=automation.pk)


def _require_kept(automation: Automation) -> None:
    if automation.status == Status.DELETED:
        raise Conflict("The automation is deleted.", code="deleted")


def _require_capability(wanted: Mapping[str, Any]) -> None:
    missing = [name for name in ("name", "capability_name") if not wanted.get(name)]
    if missing:
        raise Invalid(
            "An automation needs a name and a capability.", errors=[FieldError(name, "is needed") for name in missing]
        )


def _by_policy(automation: Automation) -> dict[str, Any]:
    """Whether the skill's state holds the changed automation back, or no longer does."""
    pauses = rhythms.pauses(automation, automation.floor_state)
    if automation.status == Status.ACTIVE and pauses:
        return _set(automation, _paused(PauseReason.POLICY, ""))
    if automation.pause_reason == PauseReason.POLICY and not pauses:
        return _set(automation, {"status": Status.ACTIVE, "pause_reason": "", "pause_note": ""})
    if automation.status == Status.ERROR and automation.trigger == Trigger.ON_SCHEDULE:
        return _set(automation, {"status": Status.ACTIVE, "pause_note": ""})
    return {}


def _paused(reason: PauseReason, note: str) -> dict[str, Any]:
    return {"status": Status.PAUSED, "pause_reason": reason, "pause_note": note, **rhythms.NOTHING_DUE}


def _set(automation: Automation, columns: Mapping[str, Any]) -> dict[str, Any]:
    for name, value in columns.items():
        setattr(automation, name, value)
    return dict(columns)


def _store(automation: Automation) -> None:
    try:
        with transaction.atomic():
            automation.save(force_insert=True)
    except IntegrityError:
        raise _name_taken(automation) from None


def _write(automation: Automation, columns: Mapping[str, Any]) -> None:
    try:
        with transaction.atomic():
            Automation.objects.filter(pk=automation.pk).update(**columns)
    except IntegrityError:
        raise _name_taken(automation) from None


def _name_taken(automation: Automation) -> Conflict:
    return Conflict(
        f"There is an automation called {automation.name!r} already.",
        code="duplicate_name",
        errors=[FieldError("name", "This name is taken.", code="duplicate_name")],
    )


def _read_shares(automation: Automation, shares: Sequence[Share]) -> list[AutomationShare]:
    people = {user.get_username(): user for user in User.objects.filter(username__in=[one.person for one in shares])}
    groups = {group.name: group for group in Group.objects.filter(name__in=[one.group for one in shares])}
    errors, rows, seen = [], [], set()
    if len(shares) > _MOST_SHARES:
        errors.append(FieldError("shares", f"At most {_MOST_SHARES}."))
    for number, one in enumerate(shares):
        person, group = people.get(one.person), groups.get(one.group)
        if one.level not in ShareLevel.values:
            errors.append(FieldError(f"/shares/{number}/level", f"This is one of {', '.join(ShareLevel.values)}."))
        elif (person is None) == (group is None) or bool(one.person) == bool(one.group):
            errors.append(FieldError(f"/shares/{number}", "Name one person or one group that there is."))
        elif (one.person, one.group) in seen:
            errors.append(FieldError(f"/shares/{number}", "This is named twice."))
        else:
            rows.append(AutomationShare(automation=automation, person=person, group=group, level=one.level))
        seen.add((one.person, one.group))
    if errors:
        raise Invalid("The shares cannot be kept like this.", errors=errors)
    return rows


def _announce(kind: str, automation: Automation, actor: Actor, **facts: Any) -> None:
    content = {"name": automation.name, **facts}
    audit.record(kind, actor=actor, subject_type="automation", subject_id=automation.pk, data=content)
    events.publish(kind, subject_type="automation", subject_id=automation.pk, payload=content)
