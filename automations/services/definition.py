"""What somebody asks an automation to be: read into the row, or refused with the place and a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from automations.configuration import knobs
from automations.decisions import alerts, cadence, planning
from automations.decisions import schedule as schedules
from automations.decisions.alerts import InvalidAlertCondition
from automations.decisions.schedule import InvalidSchedule
from automations.models import Automation, CatchUp, Overlap, Trigger
from automations.services import rhythms
from donna_skills.errors import DonnaError, FieldError, Invalid
from donna_skills.notifications.models import Channel
from lifecycle.models import Capability, Skill
from lifecycle.services import capabilities, runs, skills

EMPTY: dict[str, Any] = {
    "description": "",
    "schedule": "",
    "event_name": "",
    "event_filter": {},
    "alert_conditions": {},
    "alert_channels": [],
    "repeat_every_seconds": None,
    "preferred_from": None,
    "preferred_until": None,
}
"""What null stands for in the fields that it clears."""
FIELDS = (
    *("name", "inputs", "trigger", "timezone", "spaced", "min_interval_seconds", "jitter_seconds"),
    *("overlap_policy", "catch_up_policy", "catch_up_window_seconds", "retry_interrupted"),
    *("cool_down_seconds", "max_cost_per_run_usd", *EMPTY),
)
"""Columns that a person may write as they are; the capability and the follow-ups are named otherwise."""
TIMING = {
    *("trigger", "schedule", "timezone", "spaced", "min_interval_seconds", "jitter_seconds", "preferred_from"),
    *("preferred_until", "capability"),
}
"""A change of these moves the next start."""
ALERTING = {"alert_conditions", "capability"}
"""A change of these ends an alert that is on: it was about something else."""
_LONGEST = {"description": 10_000, "alert_channels": 20}
_SECONDS_AT_MOST = 366 * 86_400
_SECONDS = (
    *("min_interval_seconds", "jitter_seconds", "catch_up_window_seconds", "cool_down_seconds"),
    "repeat_every_seconds",
)
_NUL = "\x00"


def write(automation: Automation, changes: Mapping[str, Any], *, now: datetime) -> set[str]:
    """Put what was asked for into the row in memory; the names of the columns that are another now.

    Raises Invalid with every error that was found, and NotFound for an unknown capability.
    """
    before = {name: getattr(automation, name) for name in FIELDS}
    known_capability = automation.capability_id
    nothing = [name for name, value in changes.items() if value is None and name in FIELDS and name not in EMPTY]
    if nothing:
        raise _invalid([FieldError(name, "This cannot be left empty.") for name in nothing])
    if changes.get("capability_name") is not None:
        automation.capability = _capability(changes["capability_name"])
    for name in FIELDS:
        if name in changes:
            setattr(automation, name, EMPTY[name] if changes[name] is None else changes[name])
    automation.name = " ".join(str(automation.name).split())
    _set_floor(automation)
    check(automation, now=now)
    found = {name for name in FIELDS if getattr(automation, name) != before[name]}
    return found | ({"capability"} if automation.capability_id != known_capability else set())


def check(automation: Automation, *, now: datetime) -> None:
    """Raise Invalid unless the automation can be kept as it stands in memory."""
    errors = [
        *_numbers(automation),
        *_words(automation),
        *_contract(automation),
        *_alerting(automation),
        *_channels(automation),
    ]
    errors += _timing(automation, now=now) if not errors or _only_elsewhere(errors) else []
    if errors:
        raise _invalid(errors)


def conditions_problem(conditions: Any, output_schema: Any, *, field: str = "alert_conditions") -> list[FieldError]:
    """The one thing wrong with a condition, at its JSON Pointer; empty when it is well-formed."""
    try:
        alerts.validate(conditions, output_schema)
    except InvalidAlertCondition as error:
        within = f"/{error.key}" if error.key else ""
        return [FieldError(f"/{field}{error.path}{within}", error.message, code="invalid_condition")]
    return []


def schedule_problem(error: InvalidSchedule) -> FieldError:
    return FieldError(error.field, error.message, code="invalid_schedule")


def _capability(name: str) -> Capability:
    try:
        found = capabilities.get(name)
        skills.require_active(found)
    except DonnaError as error:
        raise _invalid([FieldError("capability_name", error.message, code=error.code)]) from None
    return found


def _set_floor(automation: Automation) -> None:
    """The floor that the schedule is judged by, from the skill's state now."""
    state = Skill.objects.values_list("state", flat=True).get(capability_id=automation.capability_id)
    if 0 <= automation.min_interval_seconds <= _SECONDS_AT_MOST:
        for name, value in rhythms.floor_columns(automation, state).items():
            setattr(automation, name, value)


def _numbers(automation: Automation) -> list[FieldError]:
    errors = []
    for name in _SECONDS:
        value = getattr(automation, name)
        if value is not None and not 0 <= value <= _SECONDS_AT_MOST:
            errors.append(FieldError(name, f"This goes from 0 to {_SECONDS_AT_MOST} seconds."))
    shortest = knobs().shortest_min_interval_seconds
    if 0 <= automation.min_interval_seconds < shortest:
        errors.append(FieldError("min_interval_seconds", f"The shortest interval is {shortest} seconds."))
    cost = automation.max_cost_per_run_usd
    if not (cost.is_finite() and 0 <= cost <= 100_000 and round(cost, 4) == cost):
        errors.append(
            FieldError("max_cost_per_run_usd", "A cost goes from 0 to 100000 US dollars, with four decimal places.")
        )
    return errors


def _words(automation: Automation) -> list[FieldError]:
    errors = []
    if not 1 <= len(automation.name) <= 120 or _NUL in automation.name:
        errors.append(FieldError("name", "A name has 1 to 120 characters."))
    for name, most in _LONGEST.items():
        if len(getattr(automation, name)) > most:
            errors.append(FieldError(name, f"At most {most}."))
    choices = {"trigger": Trigger, "overlap_policy": Overlap, "catch_up_policy": CatchUp}
    for name, known in choices.items():
        if getattr(automation, name) not in known.values:
            errors.append(FieldError(name, f"This is one of {', '.join(known.values)}."))
    return errors


def _contract(automation: Automation) -> list[FieldError]:
    if not isinstance(automation.inputs, dict):
        return [FieldError("/inputs", "Inputs are an object.")]
    try:
        runs.check_inputs(automation.capability, automation.inputs)
    except Invalid as error:
        return list(error.errors)
    return []


def _alerting(automation: Automation) -> list[FieldError]:
    errors = conditions_problem(automation.alert_conditions, automation.capability.output_schema)
    if automation.trigger == Trigger.ON_EVENT:
        errors += conditions_problem(automation.event_filter, None, field="event_filter")
        if not automation.event_name.strip():
            errors.append(FieldError("event_name", "Name the event that starts it."))
        elif automation.event_name.startswith("automation."):
            errors.append(
                FieldError("event_name", "Automations do not start one another by events: use follow-ups for that.")
            )
    if len(automation.event_name) > 80:
        errors.append(FieldError("event_name", "An event's name has at most 80 characters."))
    return errors


def _channels(automation: Automation) -> list[FieldError]:
    """They are the owner's own, by their ids."""
    wanted = automation.alert_channels
    if not isinstance(wanted, list) or not all(isinstance(one, str) for one in wanted):
        return [FieldError("/alert_channels", "Channels are a list of ids.")]
    own = {str(pk) for pk in Channel.objects.filter(person_id=automation.owner_id).values_list("pk", flat=True)}
    return [
        FieldError(f"/alert_channels/{number}", "This is no channel of the owner's.")
        for number, one in enumerate(wanted)
        if one not in own
    ]


def _timing(automation: Automation, *, now: datetime) -> list[FieldError]:
    try:
        schedules.place(automation.timezone)
        if automation.trigger != Trigger.ON_SCHEDULE and not automation.schedule:
            return []
        schedules.validate_schedule(automation.schedule, automation.timezone)
        if automation.trigger == Trigger.ON_SCHEDULE:
            rhythm = rhythms.rhythm(automation)
            cadence.check_density(automation.schedule, automation.timezone, now, rhythm.floor, spaced=automation.spaced)
            planning.next_start(rhythm, after=now, last_start=automation.last_start)
    except InvalidSchedule as error:
        return [schedule_problem(error)]
    except (ValueError, OverflowError) as error:
        return [FieldError("schedule", str(error), code="invalid_schedule")]
    if (automation.preferred_from is None) != (automation.preferred_until is None):
        return [FieldError("preferred_until", "A preferred window has a beginning and an end.")]
    if automation.preferred_from is not None and automation.preferred_from == automation.preferred_until:
        return [FieldError("preferred_until", "The preferred window ends where it begins.")]
    if automation.jitter_seconds and automation.jitter_seconds >= automation.floor_seconds:
        return [FieldError("jitter_seconds", "The shift has to be shorter than the gap between two starts.")]
    return []


def _only_elsewhere(errors: list[FieldError]) -> bool:
    """Whether the timing can be looked at although something else is wrong."""
    return not any(error.path in {"trigger", *_SECONDS} for error in errors)


def _invalid(errors: list[FieldError]) -> Invalid:
    shown = ", ".join(dict.fromkeys(error.path.lstrip("/").split("/")[0] for error in errors))
    return Invalid(f"The automation cannot be kept like this: look at {shown}.", errors=errors)
