"""From an automation's row to its rhythm, and the columns that say when it is due next."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from automations.configuration import knobs
from automations.decisions import cadence, planning
from automations.decisions.planning import Rhythm
from automations.models import Automation, Status, Trigger

NOTHING_DUE: dict[str, Any] = {"next_occurrence": None, "next_run_at": None}
"""What an update sets when an automation is no longer active, or no longer on a schedule."""


def rhythm(automation: Automation) -> Rhythm:
    begin, end = automation.preferred_from, automation.preferred_until
    return Rhythm(
        schedule=automation.schedule,
        timezone=automation.timezone,
        floor=timedelta(seconds=automation.floor_seconds),
        shift=planning.shift(automation.pk, automation.jitter_seconds),
        window=(begin, end) if begin is not None and end is not None else None,
    )


def floor_columns(automation: Automation, state: str) -> dict[str, Any]:
    """The floor while the skill is in a state; where the state pauses automations, the person's own interval alone."""
    of_state = knobs().state_floor(automation.capability.name, state)
    floor = cadence.floor(automation.min_interval_seconds, of_state)
    return {"floor_seconds": int(floor.total_seconds()), "floor_state": state}


def due_columns(automation: Automation, *, now: datetime) -> dict[str, Any]:
    """When the automation, as it stands in memory, is due next, counted from now and from its last scheduled start.

    Raises InvalidSchedule.
    """
    if automation.status != Status.ACTIVE or automation.trigger != Trigger.ON_SCHEDULE:
        return dict(NOTHING_DUE)
    found = planning.next_start(rhythm(automation), after=now, last_start=automation.last_start)
    return {"next_occurrence": found.occurrence, "next_run_at": found.start}


def pauses(automation: Automation, state: str) -> bool:
    """Whether a skill's state pauses this automation by policy."""
    return automation.is_scheduled and knobs().state_floor(automation.capability.name, state) is None
