"""Forms of the pages of channels: they read what was typed, the services decide."""

from __future__ import annotations

from datetime import time
from typing import Any

from django import forms

from donna_skills.accounts.roles import Role
from donna_skills.errors import DonnaError
from donna_skills.notifications.models import Channel, ChannelKind

_CLOCK = {"type": "time"}


class HoursForm(forms.Form):
    """When messages wait."""

    quiet_from = forms.TimeField(
        label="Quiet from", required=False, widget=forms.TimeInput(attrs=_CLOCK, format="%H:%M")
    )
    quiet_until = forms.TimeField(
        label="Quiet until",
        required=False,
        widget=forms.TimeInput(attrs=_CLOCK, format="%H:%M"),
        help_text="Messages wait until then; none is dropped. Leave both empty for none.",
    )
    zone = forms.CharField(label="Time zone", max_length=64, initial="UTC", help_text="As in Europe/Prague.")

    @classmethod
    def of(cls, channel: Channel) -> HoursForm:
        present = {"quiet_from": channel.quiet_from, "quiet_until": channel.quiet_until, "zone": channel.zone}
        return cls(initial=present, auto_id=f"hours-{channel.pk}-%s")


class ChannelForm(HoursForm):
    """A channel of one's own."""

    name = forms.CharField(label="Name", max_length=100)
    kind = forms.ChoiceField(label="Kind", choices=ChannelKind.choices)
    target = forms.CharField(
        label="Target",
        max_length=1000,
        help_text="An e-mail address, an Apprise URL (as in tgram://token/chat), or the https address of a webhook.",
    )
    field_order = ("name", "kind", "target", "role", "event_kinds", "quiet_from", "quiet_until", "zone")


class SharedChannelForm(ChannelForm):
    """A channel for whoever may change settings to make: also for a role, also one that follows kinds of events."""

    role = forms.ChoiceField(
        label="For",
        required=False,
        choices=[("", "Me"), *((role.value, f"Every {role.label.lower()}") for role in Role)],
    )
    event_kinds = forms.CharField(
        label="Kinds of events",
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Webhooks only, one a line: skill.flagged, skill.*, or * for everything.",
    )

    def clean_event_kinds(self) -> list[str]:
        return str(self.cleaned_data["event_kinds"]).split()


def hours_of(form: HoursForm) -> dict[str, Any]:
    """The keywords that the services take."""
    data: dict[str, time | str | None] = form.cleaned_data
    return {name: data[name] for name in ("quiet_from", "quiet_until", "zone")}


def place(form: forms.Form, error: DonnaError) -> None:
    """Put what a service refused where it belongs in the form."""
    for found in error.errors:
        form.add_error(found.path if found.path in form.fields else None, found.message)
    if not error.errors:
        form.add_error(None, error.message)
