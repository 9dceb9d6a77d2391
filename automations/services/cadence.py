"""The floor follows the skill: when its state changes, in whatever process, schedules follow and owners are told.

Three ways lead here, and each may come first or twice: the signal in the process that made the move, the feed of events
in any other, and a sweep for what both have missed.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from automations.configuration import knobs
from automations.decisions.schedule import InvalidSchedule
from automations.models import Automation, PauseReason, Status, Trigger
from automations.services import owners, rhythms
from donna_skills.audit import services as audit
from donna_skills.notifications import events
from donna_skills.notifications.models import Level
from lifecycle.models import Capability, Skill
from lifecycle.states import STATES, State

logger = logging.getLogger(__name__)

_BATCH = 500
_SWEEP_AT_MOST = 200


def on_state_changed(sender: object, *, skill_id: UUID, **_facts: Any) -> None:
    """The ear for the signal, after the commit of a move. What goes wrong here is made up for by the feed."""
    try:
        follow(skill_id, now=timezone.now())
    except Exception:
        logger.exception("Automations did not follow a skill's move yet.", extra={"skill_id": str(skill_id)})


def follow(skill_id: UUID | str, *, now: datetime) -> int:
    """Bring every scheduled automation of the skill's capability in line with its state; the number that changed.

    1. Take a batch of those that were last in line with another state.
    2. A new floor; where the state pauses automations, a pause by policy, and back from it where it no longer does.
    3. The next start is counted anew for those that are active; tell the owners of those once.
    """
    skill = Skill.objects.select_related("capability").filter(pk=skill_id).first()
    if skill is None:
        return 0
    changed = 0
    while batch := _follow_batch(skill, State(skill.state), now):
        changed += batch
    return changed


def resync(now: datetime) -> int:
    """A sweep over all skills, for moves of which neither signal nor feed brought news; the number that changed."""
    stale = (
        _scheduled()
        .exclude(floor_state=F("capability__skill__state"))
        .order_by()
        .values_list("capability__skill", flat=True)
        .distinct()[:_SWEEP_AT_MOST]
    )
    return sum(follow(skill_id, now=now) for skill_id in list(stale))


def _scheduled() -> Any:
    """Those whose floor matters: active and on a schedule, or paused by policy."""
    waiting = Q(status=Status.ACTIVE) | Q(status=Status.PAUSED, pause_reason=PauseReason.POLICY)
    return Automation.objects.filter(waiting, trigger=Trigger.ON_SCHEDULE)


def _follow_batch(skill: Skill, state: State, now: datetime) -> int:
    with transaction.atomic():
        rows = _scheduled().filter(capability=skill.capability).exclude(floor_state=state)
        batch = list(rows.select_for_update(of=("self",)).select_related("capability").order_by("pk")[:_BATCH])
        told = [automation for automation in batch if _bring_in_line(automation, state, now)]
        if told:
            _tell(skill.capability, state, told)
    return len(batch)


def _bring_in_line(automation: Automation, state: State, now: datetime) -> bool:
    """Whether its owner notices something."""
    before = (automation.floor_seconds, automation.status)
    columns: dict[str, Any] = rhythms.floor_columns(automation, state)
    if rhythms.pauses(automation, state):
        note = f"Its skill is {STATES[state].label.lower()}; it goes on when that is over."
        columns |= {"status": Status.PAUSED, "pause_reason": PauseReason.POLICY, "pause_note": note}
    else:
        columns |= {"status": Status.ACTIVE, "pause_reason": "", "pause_note": ""}
    for name, value in columns.items():
        setattr(automation, name, value)
    try:
        columns |= rhythms.due_columns(automation, now=now)
    except (InvalidSchedule, ValueError) as error:
        Automation.objects.filter(pk=automation.pk).update(floor_state=state)
        owners.set_in_error(automation, why=str(error), now=now)
        return False
    Automation.objects.filter(pk=automation.pk).update(**columns, updated_at=now)
    return before != (automation.floor_seconds, automation.status)


def _tell(capability: Capability, state: State, told: Sequence[Automation]) -> None:
    seconds = knobs().state_floor(capability.name, state)
    label = STATES[state].label.lower()
    if seconds is None:
        title = f"Automations of {capability.name} are paused by policy"
        body = f"The skill is {label}: a person looks at it. They go on by themselves when that is over."
    else:
        title = f"Automations of {capability.name} may now start every {_spoken(seconds)}"
        body = f"The skill is {label} now. Schedules stay as they are; what is closer than that is passed over."
    facts = {"capability": capability.name, "state": state, "floor_seconds": seconds, "automations": len(told)}
    audit.record(
        "automation.cadence", actor=owners.SYSTEM, subject_type="capability", subject_id=capability.pk, data=facts
    )
    events.publish(
        "automation.cadence",
        subject_type="capability",
        subject_id=capability.pk,
        payload=facts,
        notify=events.Notice(title=title, body=body, url="/automations/", level=Level.INFO, people=owners.people(told)),
    )


def _spoken(seconds: int) -> str:
    if seconds and seconds % 3600 == 0:
        return "hour" if seconds == 3600 else f"{seconds // 3600} hours"
    return f"{seconds // 60} minutes" if seconds % 60 == 0 else f"{seconds} seconds"
