"""The page of an automation's form: from values to what it shows, and from what was sent to values for the services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.core.exceptions import ValidationError
from django.http import QueryDict

from automations import automation_pages, forms_alerts, forms_conflicts
from automations.configuration import knobs
from automations.forms import AutomationForm, RhythmForm, initial_of, read_json, shown_json, values_of
from automations.forms_alerts import Builder, Made
from automations.models import Automation, CreatedVia
from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import User
from donna_skills.errors import DonnaError
from donna_skills.notifications.models import Channel
from lifecycle import forms as inputs_forms
from lifecycle.models import Capability


@dataclass(frozen=True)
class Desk:
    """Whose form it is, and which automation it is about; none while it is being made."""

    owner: User
    actor: Actor
    automation: Automation | None = None

    @cached_property
    def channels(self) -> list[Channel]:
        return automation_pages.channels_of(self.owner)

    @cached_property
    def choices(self) -> dict[str, Any]:
        follow_ups = automation_pages.possible_follow_ups(self.automation, self.actor)
        return {
            "channels": [(str(one.pk), one.name) for one in self.channels],
            "follow_ups": [(str(one.pk), one.name) for one in follow_ups],
        }


@dataclass
class Sheet:
    """What the form shows. `more` are inputs that the schema does not name, `raw` the condition as JSON."""

    desk: Desk
    form: AutomationForm
    capability: Capability | None
    inputs: list[inputs_forms.Field] = field(default_factory=list)
    more: str = ""
    more_error: str = ""
    takes_more: bool = False
    as_json: bool = False
    builder: Builder = field(default_factory=Builder)
    made: Made = field(default_factory=lambda: Made({}))
    raw: str = ""
    raw_error: str = ""
    conditions: Any = field(default_factory=dict)
    revision: int = 0
    seen: str = ""
    via: str = CreatedVia.PAGE
    rhythm: RhythmForm = field(default_factory=RhythmForm)

    @property
    def sound(self) -> bool:
        """Nothing of it is wrong by itself."""
        wrong = any(one["error"] for one in self.inputs) or self.more_error or self.raw_error or self.made.failed
        return self.capability is not None and not wrong

    @property
    def answer_fields(self) -> list[str]:
        schema = self.capability.output_schema if self.capability else None
        return [name for name, _ in forms_alerts.answer_fields(schema)]

    @property
    def operators(self) -> Sequence[tuple[str, str]]:
        return forms_alerts.OPERATORS

    @property
    def ticked_channels(self) -> list[str]:
        return [str(one) for one in self.form["alert_channels"].value() or ()]

    def place(self, error: DonnaError) -> None:
        """Put what a service found wrong where it belongs."""
        self.form.place(error.errors)
        inputs_forms.place_errors(self.inputs, error.errors)
        named = {one["key"] for one in self.inputs}
        for one in error.errors:
            parts = one.path.strip("/").split("/")
            if parts[0] == "inputs" and (len(parts) == 1 or parts[1] not in named):
                self.more_error = one.message
            if parts[0] == "alert_conditions" and self.as_json:
                self.raw_error = f"{one.message} (at {one.path.removeprefix('/alert_conditions') or 'the top'})"
        if not self.as_json:
            self.builder = forms_alerts.place_errors(self.made, error.errors)


def start_values(capability: Capability | None) -> dict[str, Any]:
    """What a new automation begins with."""
    fresh = Automation(
        capability=capability or Capability(),
        max_cost_per_run_usd=knobs().default_max_cost_per_run_usd,
        min_interval_seconds=knobs().default_min_interval_seconds,
    )
    return values_of(fresh)


def of(desk: Desk, values: Mapping[str, Any], capability: Capability | None, *, fresh: bool = False) -> Sheet:
    """The form filled from values; a `fresh` one takes the schema's defaults for what they do not say."""
    sheet = Sheet(desk, AutomationForm(initial=initial_of(values), **desk.choices), capability)
    inputs = values["inputs"]
    if capability is not None:
        given = None if fresh and not inputs else inputs
        sheet.inputs = inputs_forms.fields(capability, inputs=given)
        extra = {name: value for name, value in inputs.items() if name not in _named(capability)}
        sheet.more, sheet.takes_more = shown_json(extra), _takes_more(capability, extra)
    _show_conditions(sheet, values["alert_conditions"])
    return sheet


def kept(desk: Desk, automation: Automation, capability: Capability) -> Sheet:
    """The form of an automation as it is kept now, with what a later answer is compared to."""
    values = kept_values(automation)
    sheet = of(desk, values, capability)
    sheet.revision, sheet.seen = automation.revision, forms_conflicts.snapshot(values)
    return sheet


def kept_values(automation: Automation) -> dict[str, Any]:
    return values_of(automation, follow_ups=list(automation.follow_ups.values_list("then_id", flat=True)))


def typed(desk: Desk, data: QueryDict, capability: Capability | None) -> Sheet:
    """The form as it was typed, judged by nobody: for an answer that saves nothing."""
    sheet = Sheet(desk, AutomationForm.typed(data, **desk.choices), capability)
    _carry(sheet, data)
    if capability is not None:
        _, sheet.inputs = inputs_forms.read(capability, data)
        for one in sheet.inputs:
            one["error"] = ""
        sheet.takes_more = _takes_more(capability, _seen_inputs(data, capability))
    sheet.more = data.get("more_inputs", "")
    return sheet


def chosen_anew(desk: Desk, data: QueryDict, capability: Capability | None) -> Sheet:
    """Another capability was chosen: what has the same name stays, the rest begins with its defaults."""
    sheet = typed(desk, data, capability)
    if capability is not None:
        defaults = inputs_forms.fields(capability)
        for one, default in zip(sheet.inputs, defaults, strict=True):
            if one["name"] not in data:
                one["value"] = default["value"]
        sheet.more, sheet.takes_more = "", _takes_more(capability, {})
    return sheet


def read(desk: Desk, data: QueryDict, capability: Capability | None) -> tuple[Sheet, dict[str, Any] | None]:
    """The form as it was sent, and its values; None where it is wrong by itself, which the form then says."""
    sheet = Sheet(desk, AutomationForm(data, **desk.choices), capability)
    _carry(sheet, data)
    if capability is None:
        sheet.form.is_valid()
        return sheet, None
    inputs, sheet.inputs = inputs_forms.read(capability, data)
    seen = _seen_inputs(data, capability)
    for one in sheet.inputs:
        # A box that nobody ticked, now or before, says nothing.
        if one["kind"] == "checkbox" and not one["value"] and not one["required"] and one["key"] not in seen:
            inputs.pop(one["key"], None)
    sheet.more, sheet.takes_more = data.get("more_inputs", ""), _takes_more(capability, seen)
    inputs |= _more(sheet) if sheet.takes_more else {}
    conditions = read_conditions(sheet)
    if not sheet.form.is_valid() or not sheet.sound:
        return sheet, None
    own = {"capability_name": capability.name, "inputs": inputs, "alert_conditions": conditions}
    return sheet, {**sheet.form.values, **own}


def read_conditions(sheet: Sheet) -> Any:
    """The condition that the form says; what is wrong with it is on the sheet."""
    if not sheet.as_json:
        sheet.made = forms_alerts.conditions_of(sheet.builder, sheet.capability and sheet.capability.output_schema)
        sheet.builder = sheet.made.builder
        return sheet.made.conditions
    try:
        return read_json(sheet.raw.strip() or "{}")
    except ValidationError as error:
        sheet.raw_error = " ".join(error.messages)
        return {}


def turn(sheet: Sheet, *, to_json: bool) -> None:
    """Show the alert the other way: as rows or as JSON. Rows that cannot say it leave it as JSON, and say so."""
    conditions = read_conditions(sheet)
    if to_json and not sheet.made.failed:
        sheet.as_json, sheet.raw = True, shown_json(conditions)
    elif not to_json and not sheet.raw_error:
        schema = sheet.capability.output_schema if sheet.capability else None
        found = forms_alerts.builder_of(conditions, schema)
        if found is None:
            sheet.raw_error = "Rows cannot say this condition: it stays as JSON."
        else:
            sheet.as_json, sheet.builder = False, found


def _carry(sheet: Sheet, data: QueryDict) -> None:
    revision = data.get("revision", "")
    sheet.revision = int(revision) if revision.isascii() and revision.isdecimal() and len(revision) < 10 else 0
    sheet.seen = data.get("seen", "")
    sheet.via = CreatedVia.TEXT if data.get("via") == CreatedVia.TEXT else CreatedVia.PAGE
    sheet.as_json = data.get("alert_as") == "json"
    sheet.builder, sheet.raw = forms_alerts.read(data), data.get("alert_json", "")
    sheet.rhythm = RhythmForm(initial={name: data.get(name) for name in RhythmForm.base_fields if name in data})


def _show_conditions(sheet: Sheet, conditions: Any) -> None:
    schema = sheet.capability.output_schema if sheet.capability else None
    found = forms_alerts.builder_of(conditions, schema)
    sheet.as_json, sheet.raw = found is None, shown_json(conditions)
    sheet.builder = found or Builder()


def _more(sheet: Sheet) -> dict[str, Any]:
    try:
        found = read_json(sheet.more.strip() or "{}")
    except ValidationError as error:
        sheet.more_error = " ".join(error.messages)
        return {}
    if not isinstance(found, dict):
        sheet.more_error = "Inputs are an object."
        return {}
    return found


def _seen_inputs(data: QueryDict, capability: Capability) -> Mapping[str, Any]:
    seen = forms_conflicts.read_snapshot(data.get("seen", ""))
    inputs = seen.get("inputs")
    return inputs if seen.get("capability_name") == capability.name and isinstance(inputs, dict) else {}


def _named(capability: Capability) -> Mapping[str, Any]:
    found = capability.input_schema.get("properties", {})
    return found if isinstance(found, Mapping) else {}


def _takes_more(capability: Capability, inputs: Mapping[str, Any]) -> bool:
    """Whether there is something to type that no field of the schema stands for."""
    if any(name not in _named(capability) for name in inputs):
        return True
    return not _named(capability) and capability.input_schema.get("additionalProperties", True) is not False
