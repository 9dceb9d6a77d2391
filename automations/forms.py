"""The form of an automation: what a person may write of it, in their units, and the values that the services take."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import time
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID
from zoneinfo import available_timezones

from django import forms
from django.urls import reverse_lazy

from automations import words
from automations.models import Automation, CatchUp, Overlap, ShareLevel, Trigger
from donna_skills.errors import FieldError
from lifecycle import forms as inputs_forms

PRESETS: tuple[tuple[str, str], ...] = (
    ("hour", "every hour"),
    ("day", "every day"),
    ("weekday", "every weekday"),
    ("week", "every week"),
    ("month", "every month, on the 1st"),
)
_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_LIVE = ("schedule", "timezone", "min_interval_seconds", "spaced")
_SHOWN_WITH = ", ".join(f"#id_{name}" for name in ("capability_name", *_LIVE))


class SpanField(forms.CharField):
    """A length of time as people write it; the value is a number of seconds, or None where it may be empty."""

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        try:
            return words.read_span(text)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None

    def prepare_value(self, value: Any) -> Any:
        return words.span(value) if isinstance(value, int) else value


class FilterField(forms.CharField):
    """A condition as JSON; empty is none."""

    widget = forms.Textarea(attrs={"rows": 3, "class": "code-input", "spellcheck": "false"})

    def clean(self, value: Any) -> Any:
        return read_json(super().clean(value) or "{}")

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else shown_json(value)


class AutomationForm(forms.Form):
    """Everything but the inputs, which the capability's schema makes, and the alert's condition (forms_alerts)."""

    name = forms.CharField(label="Name", max_length=120)
    description = forms.CharField(
        label="Description", required=False, max_length=10_000, widget=forms.Textarea(attrs={"rows": 2})
    )
    trigger = forms.ChoiceField(label="It runs", choices=Trigger.choices)
    schedule = forms.CharField(
        label="Schedule",
        required=False,
        max_length=500,
        help_text="Five cron fields (minute, hour, day, month, day of the week), or a name such as @hourly.",
    )
    timezone = forms.CharField(
        label="Time zone", required=False, max_length=100, help_text="As in Europe/Prague; UTC when empty."
    )
    spaced = forms.BooleanField(
        label="The schedule may be denser than what is allowed: pass over what comes too close", required=False
    )
    event_name = forms.CharField(
        label="Event", required=False, max_length=80, help_text="As in parcel.arrived, or skill.flagged."
    )
    event_filter = FilterField(
        label="Only when the event says",
        required=False,
        help_text='A condition on what the event brings, as JSON: {"field": "status", "op": "==", "value": "late"}.',
    )
    min_interval_seconds = SpanField(label="At least between two starts", help_text="As in 15 min, 1 h or 1 d.")
    preferred_from = forms.TimeField(
        label="Only from", required=False, widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    )
    preferred_until = forms.TimeField(
        label="Only until",
        required=False,
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        help_text="Times of day in its zone; what falls outside is passed over.",
    )
    jitter_seconds = SpanField(
        label="Start later by up to", help_text="A shift of its own that never changes, so that not all start at once."
    )
    overlap_policy = forms.ChoiceField(label="When the run before is still on", choices=Overlap.choices)
    catch_up_policy = forms.ChoiceField(label="Of what was missed while down, run", choices=CatchUp.choices)
    catch_up_window_seconds = SpanField(label="Catch up on the last", help_text="Counts with “All within a window”.")
    retry_interrupted = forms.BooleanField(label="Try an interrupted run once more", required=False)
    repeat_every_seconds = SpanField(
        label="Remind every", required=False, help_text="While it stays true. Empty: told once, and again on a change."
    )
    cool_down_seconds = SpanField(label="Stay quiet after an alert for")
    alert_channels = forms.MultipleChoiceField(
        label="Channels", required=False, widget=forms.CheckboxSelectMultiple, help_text="None ticked: all of them."
    )
    max_cost_per_run_usd = forms.DecimalField(
        label="At most in US dollars for one run",
        max_digits=10,
        decimal_places=4,
        min_value=0,
        widget=forms.TextInput(attrs={"inputmode": "decimal"}),
    )
    follow_ups = forms.MultipleChoiceField(
        label="When it succeeds, run", required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(
        self,
        data: Any = None,
        *,
        channels: Sequence[tuple[str, str]] = (),
        follow_ups: Sequence[tuple[str, str]] = (),
        initial: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(data, initial=dict(initial or {}))
        self.fields["alert_channels"].choices = list(channels)  # type: ignore[attr-defined]
        self.fields["follow_ups"].choices = list(follow_ups)  # type: ignore[attr-defined]
        self.fields["timezone"].widget.attrs["list"] = "time-zones"
        for name in _LIVE:
            trigger = "change" if name == "spaced" else "input changed delay:400ms"
            self.fields[name].widget.attrs |= {
                "hx-get": reverse_lazy("automation_outlook"),
                "hx-trigger": trigger,
                "hx-target": "#outlook",
                "hx-swap": "outerHTML",
                "hx-include": _SHOWN_WITH,
            }

    @classmethod
    def typed(cls, data: Any, **choices: Any) -> AutomationForm:
        """What was typed as it was typed, and nothing said of it: for an answer that saves nothing."""
        raw = {name: field.widget.value_from_datadict(data, {}, name) for name, field in cls.base_fields.items()}
        return cls(initial={name: value for name, value in raw.items() if value is not None}, **choices)

    @property
    def values(self) -> dict[str, Any]:
        """As the services take them."""
        data = dict(self.cleaned_data)
        data["timezone"] = data["timezone"] or "UTC"
        data["follow_ups"] = [UUID(one) for one in data["follow_ups"]]
        return data

    def place(self, errors: Sequence[FieldError]) -> None:
        """Put what a service found wrong onto its field; the inputs' and the alert's are shown by others."""
        for error in errors:
            name = error.path.strip("/").split("/")[0]
            if name in self.fields:
                self.add_error(name, error.message)
            elif name not in {"inputs", "alert_conditions", "capability_name"}:
                self.add_error(None, error.message)


class ShareForm(forms.Form):
    """One more person or role that is let in."""

    kind = forms.ChoiceField(label="Let in", choices=[("person", "a person"), ("group", "everybody with the role")])
    who = forms.CharField(label="Username or role", max_length=150)
    level = forms.ChoiceField(label="Who", choices=ShareLevel.choices)


class RhythmForm(forms.Form):
    """The helper beside the schedule: a rhythm as one says it."""

    rhythm_every = forms.ChoiceField(label="Every", choices=PRESETS, required=False)
    rhythm_at = forms.TimeField(
        label="At", required=False, widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"), initial=time(8)
    )
    rhythm_day = forms.ChoiceField(
        label="On", required=False, choices=[(str(at), day) for at, day in enumerate(_WEEKDAYS)], initial="1"
    )

    @property
    def cron(self) -> str:
        """Five fields; eight in the morning where no time was given."""
        data = self.cleaned_data
        at = data["rhythm_at"] or time(8)
        if data["rhythm_every"] == "hour":
            return f"{at.minute} * * * *"
        days = {"weekday": "* * 1-5", "week": f"* * {data['rhythm_day'] or 1}", "month": "1 * *"}
        return f"{at.minute} {at.hour} {days.get(data['rhythm_every'], '* * *')}"


def initial_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """The form's start from values as the services have them."""
    shown = {name: values[name] for name in AutomationForm.base_fields if name in values}
    if isinstance(cost := shown.get("max_cost_per_run_usd"), Decimal):
        shown["max_cost_per_run_usd"] = f"{cost.normalize():f}"
    for name in ("alert_channels", "follow_ups"):
        shown[name] = [str(one) for one in shown.get(name, ())]
    return shown


def values_of(automation: Automation, *, follow_ups: Sequence[UUID] = ()) -> dict[str, Any]:
    """What the form is about, as it is kept now."""
    found = {name: getattr(automation, name) for name in AutomationForm.base_fields if name != "follow_ups"}
    return {
        **found,
        "follow_ups": sorted(follow_ups),
        "capability_name": automation.capability.name,
        "inputs": automation.inputs,
        "alert_conditions": automation.alert_conditions,
    }


@cache
def time_zones() -> list[str]:
    """Every zone that this machine knows, to choose from."""
    return sorted(available_timezones())


def read_json(text: str) -> Any:
    """Raises a ValidationError with the line and the column."""
    try:
        found = json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise forms.ValidationError(
            f"This is not valid JSON: {error.msg.lower()}, in line {error.lineno}, column {error.colno}."
        ) from None
    except (ValueError, RecursionError):
        raise forms.ValidationError("This is not valid JSON.") from None
    try:
        inputs_forms.require_storable(found)
    except ValueError as error:
        raise forms.ValidationError(str(error)) from None
    return found


def shown_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) if value else ""


def _refuse(constant: str) -> Any:
    raise ValueError(constant)
