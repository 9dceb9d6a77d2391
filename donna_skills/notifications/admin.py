"""What happened, who was told, and on which way, in the admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.enums import ActionVariant

from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import User
from donna_skills.accounts.roles import Permission, Role
from donna_skills.adminacts import Act, ActForm, Done
from donna_skills.adminbase import WindowAdmin, badge
from donna_skills.notifications import channels, delivery
from donna_skills.notifications.models import (
    Channel,
    ChannelKind,
    Delivery,
    Event,
    Notification,
    Preference,
)
from donna_skills.templatetags.console import DELIVERY_TONES, LEVEL_TONES


class ChannelForm(ActForm):
    name = forms.CharField(max_length=100)
    kind = forms.ChoiceField(choices=ChannelKind.choices)
    target = forms.CharField(max_length=1000, help_text="An e-mail address, an Apprise URL, or the URL of a webhook.")
    person = forms.ModelChoiceField(User.objects.filter(is_active=True).order_by("username"), required=False)
    role = forms.ChoiceField(
        choices=[("", "–"), *Role.choices], required=False, help_text="A channel belongs to one person or to one role."
    )
    event_kinds = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Webhooks only, one a line: skill.flagged, skill.*, or * for everything.",
    )
    quiet_from = forms.TimeField(required=False, help_text="As in 22:00. Messages wait until the quiet hours end.")
    quiet_until = forms.TimeField(required=False)
    zone = forms.CharField(max_length=64, initial="UTC", help_text="As in Europe/Prague.")

    def clean_event_kinds(self) -> list[str]:
        return self.cleaned_data["event_kinds"].split()


class ReasonForm(ActForm):
    reason = forms.CharField(max_length=300, widget=forms.Textarea(attrs={"rows": 2}))


def _create(row: None, by: Actor, data: dict[str, Any]) -> Done:
    channel, secret = channels.create(by=by, **data)
    if not secret:
        return Done("The channel is there.", row=channel)
    return Done(_once("The channel is there.", secret), row=channel)


def _begin_rotation(channel: Channel, by: Actor, data: dict[str, Any]) -> Done:
    return Done(_once("The channel has a second secret.", channels.begin_rotation(channel, by=by)))


def _end_rotation(channel: Channel, by: Actor, data: dict[str, Any]) -> Done:
    channels.end_rotation(channel, by=by)
    return Done("The older secret is gone.")


def _enable(channel: Channel, by: Actor, data: dict[str, Any]) -> Done:
    channels.enable(channel, by=by)
    return Done("The channel is switched on.")


def _disable(channel: Channel, by: Actor, data: dict[str, Any]) -> Done:
    channels.disable(channel, reason=data["reason"], by=by)
    return Done("The channel is switched off.")


def _once(what: str, secret: str) -> SafeString:
    words = "Copy its secret now, it is not shown again:"
    return format_html('{} {} <code class="secret">{}</code>', what, words, secret)


@admin.register(Channel)
class ChannelAdmin(WindowAdmin):
    list_display = ("name", "kind", "belongs_to", "to", "enabled", "created_at")
    list_filter = ("kind", "enabled", "role")
    list_select_related = ("person",)
    search_fields = ("name", "person__username", "role")
    search_help_text = "Name, person or role"
    see_also = (("Its deliveries", "notifications.Delivery", "channel__id"),)
    # Neither the target, which may hold a password, nor the secrets.
    fields = (
        "id", "name", "kind", "to", "person", "role", "event_kinds", "enabled", "disabled_reason", "signed_by",
        "quiet_from", "quiet_until", "zone", "created_at",
    )  # fmt: skip
    adds = Act(
        name="add",
        label="Add channel",
        explain=lambda row: "A way out of the house, for one person or for everybody with a role.",
        carry_out=_create,
        permission=Permission.MANAGE_SETTINGS,
        form=ChannelForm,
    )
    acts = (
        Act(
            name="enable",
            label="Switch on",
            explain=lambda channel: "New messages go out on it again. What was queued meanwhile stays suppressed.",
            carry_out=_enable,
            permission=Permission.MANAGE_SETTINGS,
            offered=lambda channel: not channel.enabled,
            icon="toggle_on",
        ),
        Act(
            name="begin-rotation",
            label="Add second secret",
            explain=lambda channel: (
                "Every message then carries a signature of each secret, until you drop the older one."
            ),
            carry_out=_begin_rotation,
            permission=Permission.MANAGE_SETTINGS,
            offered=lambda channel: channel.kind == ChannelKind.WEBHOOK and len(channel.secrets) < channels.MAX_SECRETS,
            icon="key",
        ),
        Act(
            name="end-rotation",
            label="Drop older secret",
            explain=lambda channel: "Receivers that still check with the older secret will refuse the messages.",
            carry_out=_end_rotation,
            permission=Permission.MANAGE_SETTINGS,
            offered=lambda channel: len(channel.secrets) == channels.MAX_SECRETS,
            icon="key_off",
        ),
        Act(
            name="disable",
            label="Switch off",
            explain=lambda channel: "Nothing more goes out on it, and what waits for it is suppressed.",
            carry_out=_disable,
            permission=Permission.MANAGE_SETTINGS,
            form=ReasonForm,
            offered=lambda channel: channel.enabled,
            icon="toggle_off",
            variant=ActionVariant.DANGER,
        ),
    )

    @admin.display(description="target")
    def to(self, channel: Channel) -> str:
        return channel.shown_target

    @admin.display(description="for")
    def belongs_to(self, channel: Channel) -> str:
        return str(channel.person) if channel.person else f"every {channel.role}"

    @admin.display(description="signed with")
    def signed_by(self, channel: Channel) -> str:
        count = len(channel.secrets)
        return f"{count} secret{'s' if count > 1 else ''}" if count else "–"


@admin.register(Delivery)
class DeliveryAdmin(WindowAdmin):
    list_display = ("id", "title", "channel", "status_badge", "dead", "attempts", "reason", "created_at")
    list_filter = ("status", "dead", "level")
    list_select_related = ("channel",)
    search_fields = ("title", "channel__name", "reason")
    search_help_text = "Title, channel or reason"
    acts = (
        Act(
            name="redeliver",
            label="Send again",
            explain=lambda row: f"“{row.title}” is queued anew for {row.channel}, with all its attempts.",
            carry_out=lambda row, by, data: _redeliver(row, by),
            permission=Permission.MANAGE_SETTINGS,
            offered=lambda row: row.dead and row.channel.enabled,
            icon="forward_to_inbox",
        ),
    )
    fieldsets = (
        (None, {"fields": ("id", "title", "body", "url", "level", "channel", "event", "notification")}),
        (
            "Sending",
            {"fields": ("status_badge", "reason", "dead", "attempts", "next_attempt_at", "sent_at", "created_at")},
        ),
        ("Last answer", {"fields": ("response_status", "last_error", "lease_owner", "lease_until")}),
    )

    @admin.display(description="status", ordering="status")
    def status_badge(self, row: Delivery) -> SafeString:
        return badge(row.status, row.get_status_display(), DELIVERY_TONES)


def _redeliver(row: Delivery, by: Actor) -> Done:
    delivery.redeliver(row, by=by)
    return Done("It is queued again.")


@admin.register(Event)
class EventAdmin(WindowAdmin):
    list_display = ("seq", "kind", "subject_type", "subject_id", "at")
    search_fields = ("kind", "subject_id")
    search_help_text = "Kind, or the id of a subject"
    see_also = (
        ("Who was told", "notifications.Notification", "event__id"),
        ("Deliveries", "notifications.Delivery", "event__id"),
    )
    fields = ("seq", "id", "kind", "subject_type", "subject_id", "payload", "dedup_key", "at")

    def get_search_results(self, request: Any, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """A subject's id is text here, so that an id finds all that happened to it."""
        rows, duplicates = super().get_search_results(request, queryset, search_term)
        return rows | queryset.filter(subject_id=search_term.strip().lower()), duplicates


@admin.register(Notification)
class NotificationAdmin(WindowAdmin):
    list_display = ("id", "title", "person", "level_badge", "updated_at", "read_at")
    list_filter = ("level",)
    list_select_related = ("person",)
    search_fields = ("title", "person__username")
    search_help_text = "Title or person"
    fields = (
        "id", "person", "title", "body", "url", "level_badge", "event", "dedup_key", "created_at", "updated_at",
        "read_at",
    )  # fmt: skip

    @admin.display(description="level", ordering="level")
    def level_badge(self, row: Notification) -> SafeString:
        return badge(row.level, row.get_level_display(), LEVEL_TONES)


@admin.register(Preference)
class PreferenceAdmin(WindowAdmin):
    list_display = ("person", "what", "way", "enabled")
    list_filter = ("way", "enabled")
    list_select_related = ("person",)
    search_fields = ("person__username", "kind")
    search_help_text = "Person or kind of event"

    @admin.display(description="kind", ordering="kind")
    def what(self, row: Preference) -> str:
        return row.kind or "everything"
