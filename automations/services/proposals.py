"""Before anything is saved: what a schedule means, what an alert would have told, what words ask for. Read only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from automations.decisions import cadence, schedule, wishes
from automations.decisions.alerts import AlertTooLarge
from automations.decisions.schedule import InvalidSchedule, Occurrence
from automations.models import Automation, Trigger
from automations.services import alerts, definition
from automations.services.alerts import Rehearsal
from donna_skills.errors import Conflict, FieldError, Invalid
from lifecycle.models import Capability, RunPath, SkillRun
from lifecycle.services import capabilities
from lifecycle.services.capabilities import MatchResult

MOST_DAYS = 366
_REHEARSED_AT_MOST = 5000
_LONGEST_TEXT = 2000


@dataclass(frozen=True)
class Preview:
    """The next occurrences of a schedule, how close they come at the closest, and the whole in words."""

    words: str
    occurrences: tuple[Occurrence, ...]
    smallest_gap: timedelta


@dataclass(frozen=True)
class Missing:
    """A field that the words leave open, and the question to ask."""

    field: str
    question: str


@dataclass(frozen=True)
class Proposal:
    """A form to look at: the fields that the words fill, and what they leave open. `match` says how sure the capability
    is."""

    fields: Mapping[str, Any]
    missing: tuple[Missing, ...]
    match: MatchResult


def preview(schedule_text: str, timezone: str, *, now: datetime, count: int = 10) -> Preview:
    """Raises Invalid with the field and a sentence."""
    try:
        return Preview(
            words=schedule.in_words(schedule_text, timezone),
            occurrences=tuple(schedule.preview(schedule_text, timezone, now, count)),
            smallest_gap=cadence.minimum_gap(schedule_text, timezone, now),
        )
    except InvalidSchedule as error:
        raise Invalid(error.message, errors=[definition.schedule_problem(error)]) from None
    except (ValueError, OverflowError) as error:
        raise Invalid(str(error), errors=[FieldError("schedule", str(error), code="invalid_schedule")]) from None


def rehearse(automation: Automation, past: Sequence[Any]) -> Rehearsal:
    """What the automation, as it stands in memory, would have told after these runs, newest first.

    Raises Invalid for a condition that cannot be used, Conflict for one that is too large to be judged.
    """
    errors = definition.conditions_problem(automation.alert_conditions, automation.capability.output_schema)
    if errors:
        raise Invalid("The alert cannot be kept like this.", errors=errors)
    try:
        return alerts.rehearse(automation, past)
    except AlertTooLarge as error:
        raise Conflict(str(error)) from None


def unsaved(capability_name: str, conditions: Any) -> Automation:
    """An automation in memory alone, to rehearse with before there is one."""
    return Automation(name="This automation", capability=capabilities.get(capability_name), alert_conditions=conditions)


def past_of(capability: Capability, *, now: datetime, days: int) -> list[SkillRun]:
    """What requests of a capability were answered lately, newest first, whoever asked."""
    paths = [RunPath.SKILL, RunPath.NATIVE]
    runs = SkillRun.objects.filter(capability=capability, path__in=paths, created_at__gte=now - timedelta(days=days))
    wanted = ("id", "status", "output", "error", "finished_at", "created_at")
    return list(runs.exclude(finished_at=None).order_by("-id").only(*wanted)[:_REHEARSED_AT_MOST])


def from_text(text: str) -> Proposal:
    """A form filled from words, matched to a capability; never a saved automation, and nothing is guessed."""
    if not text.strip() or len(text) > _LONGEST_TEXT:
        raise Invalid(
            "Say in a sentence what is to be done.",
            errors=[FieldError("text", f"1 to {_LONGEST_TEXT} characters")],
        )
    match = capabilities.match(text)
    found: dict[str, Any] = {"name": wishes.name_of(text), "description": text.strip(), "trigger": Trigger.ON_SCHEDULE}
    missing = []
    capability = match.best or _by_its_answers(text)
    if capability is None:
        missing.append(Missing("capability_name", "Which capability is to do it? None fits the words well enough."))
    else:
        if match.best is None:
            question = f"Is {capability.name} meant? It alone answers with such a value: {capability.description}"
            missing.append(Missing("capability_name", question))
        found["capability_name"] = capability.name
        inputs = wishes.inputs_of(text, capability.input_schema)
        found["inputs"] = inputs
        for name in wishes.missing_of(inputs, capability.input_schema):
            missing.append(Missing(f"/inputs/{name}", _question(capability, name)))
    cron = wishes.schedule_of(text)
    if cron is None:
        missing.append(Missing("schedule", "How often, and at what time of day?"))
    else:
        found |= {"schedule": cron, "timezone": "UTC", "schedule_in_words": schedule.in_words(cron, "UTC")}
        missing.append(Missing("timezone", "In which time zone?"))
    conditions, question = _conditions(text, capability)
    if conditions:
        found["alert_conditions"] = conditions
    if question:
        missing.append(Missing("alert_conditions", question))
    return Proposal(found, tuple(missing), match)


def _by_its_answers(text: str) -> Capability | None:
    """Where the words alone decide nothing: the one capability whose answers hold the number that is asked about."""
    threshold = wishes.threshold_of(text)
    if threshold is None or threshold.op == "changed":
        return None
    active = Capability.objects.active().select_related("skill").order_by("name")
    fitting = [one for one in active if wishes.field_of(text, one.output_schema, numbers=True, sure=True)]
    return fitting[0] if len(fitting) == 1 else None


def _conditions(text: str, capability: Capability | None) -> tuple[dict[str, Any], str]:
    """The condition that the words name, or the question that they leave."""
    threshold = wishes.threshold_of(text)
    if threshold is None:
        return {}, "What would be worth an alert?"
    if capability is None:
        return {}, "Which value is it about?"
    field = wishes.field_of(text, capability.output_schema, numbers=threshold.op != "changed")
    if field is None:
        return {}, "Which value of the answer is it about?"
    leaf: dict[str, Any] = {"field": field, "op": threshold.op}
    return (leaf if threshold.op == "changed" else {**leaf, "value": threshold.value}), ""


def _question(capability: Capability, name: str) -> str:
    described = capability.input_schema.get("properties", {}).get(name, {}).get("description", "")
    return f"What is {name.replace('_', ' ')}?{f' {described}' if described else ''}"
