"""What happened (the outbox and change feed), who is told (the inbox), and on which way (channels and deliveries)."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils import timezone

from donna_skills.accounts.roles import Role
from donna_skills.entities import Entity, one_of
from donna_skills.jobs.leases import Leased


class Level(models.TextChoices):
    INFO = "info", "Information"
    SUCCESS = "success", "Success"
    WARNING = "warning", "Warning"
    ERROR = "error", "Error"


class ChannelKind(models.TextChoices):
    EMAIL = "email", "E-mail"
    APPRISE = "apprise", "Apprise"
    WEBHOOK = "webhook", "Webhook"


class Way(models.TextChoices):
    """Where a person may not want to hear of something: the inbox, or a kind of channel."""

    INBOX = "inbox", "Inbox"
    EMAIL = ChannelKind.EMAIL.value, ChannelKind.EMAIL.label
    APPRISE = ChannelKind.APPRISE.value, ChannelKind.APPRISE.label
    WEBHOOK = ChannelKind.WEBHOOK.value, ChannelKind.WEBHOOK.label


class DeliveryStatus(models.TextChoices):
    QUEUED = "queued", "Queued"
    SENT = "sent", "Sent"
    FAILED = "failed", "Failed"
    SUPPRESSED = "suppressed", "Suppressed"


class Event(Entity):
    """One thing that happened, written in the transaction that made it true. Never changed, never deleted.

    `seq` has no gaps and is visible in its order: a reader who has seen 8 has been able to see 7.
    """

    seq = models.BigIntegerField(unique=True)
    kind = models.CharField(max_length=80)
    subject_type = models.CharField(max_length=80)
    subject_id = models.CharField(max_length=80)
    payload = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    dedup_key = models.CharField(max_length=200, blank=True, default="")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["seq"]
        indexes = [
            models.Index(fields=["subject_type", "subject_id", "seq"], name="event_subject"),
            models.Index(fields=["dedup_key", "-seq"], condition=~models.Q(dedup_key=""), name="event_dedup"),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.kind}"


class Notification(Entity):
    """One line in one person's inbox. A changed reason under the same key updates it, and does not ring again."""

    VIEW_ROLES: ClassVar[tuple[Role, ...]] = (Role.ADMIN,)

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notifications")
    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="notifications")
    dedup_key = models.CharField(max_length=200, blank=True, default="")
    title = models.CharField(max_length=200)
    body = models.TextField(blank=True, default="")
    url = models.CharField(max_length=500, blank=True, default="")
    level = models.CharField(max_length=8, choices=Level.choices, default=Level.INFO)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-updated_at", "-id"]
        constraints = [
            one_of("level", Level, name="notification_level"),
            models.UniqueConstraint(
                fields=["person", "dedup_key"], condition=~models.Q(dedup_key=""), name="notification_once_per_key"
            ),
        ]
        indexes = [
            models.Index(fields=["person", "-updated_at", "-id"], name="notification_inbox"),
            models.Index(fields=["person"], condition=models.Q(read_at__isnull=True), name="notification_unread"),
        ]

    def __str__(self) -> str:
        return self.title


class Preference(Entity):
    """What a person wants to hear on which way. `kind` is an event kind, or empty for all; the narrower one counts."""

    VIEW_ROLES: ClassVar[tuple[Role, ...]] = (Role.ADMIN,)

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="preferences")
    kind = models.CharField(max_length=80, blank=True, default="")
    way = models.CharField(max_length=8, choices=Way.choices)
    enabled = models.BooleanField()

    class Meta:
        ordering = ["person_id", "kind", "way"]
        constraints = [
            one_of("way", Way, name="preference_way"),
            models.UniqueConstraint(fields=["person", "kind", "way"], name="preference_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind or 'everything'} by {self.way}: {'on' if self.enabled else 'off'}"


class Channel(Entity):
    """A way out of the house, for one person or for everybody with a role. `channels` is its only writer."""

    VIEW_ROLES: ClassVar[tuple[Role, ...]] = (Role.ADMIN,)

    name = models.CharField(max_length=100)
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.CASCADE, related_name="channels"
    )
    role = models.CharField(max_length=40, blank=True, default="")
    kind = models.CharField(max_length=8, choices=ChannelKind.choices)
    # An e-mail address, an Apprise URL (which may hold a password: show `shown_target` only), or a webhook's URL.
    target = models.CharField(max_length=1000)
    # Webhooks only: event kinds ("skill.flagged", "skill.*", "*") that it gets whether or not people are told of them.
    event_kinds = models.JSONField(default=list, blank=True)
    # Webhooks only: one signing secret, or two while they are being rotated (the newer first).
    secrets = models.JSONField(default=list, blank=True)
    enabled = models.BooleanField(default=True)
    disabled_reason = models.CharField(max_length=300, blank=True, default="")
    # Between these times of day in this zone, deliveries wait for the end.
    quiet_from = models.TimeField(null=True, blank=True)
    quiet_until = models.TimeField(null=True, blank=True)
    zone = models.CharField(max_length=64, default="UTC")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            one_of("kind", ChannelKind, name="channel_kind"),
            models.CheckConstraint(
                condition=models.Q(person__isnull=False, role="")
                | (models.Q(person__isnull=True) & ~models.Q(role="")),
                name="channel_person_or_role",
            ),
            models.CheckConstraint(
                condition=models.Q(quiet_from__isnull=True, quiet_until__isnull=True)
                | models.Q(quiet_from__isnull=False, quiet_until__isnull=False),
                name="channel_quiet_both_or_none",
            ),
        ]
        indexes = [models.Index(fields=["role"], condition=~models.Q(role=""), name="channel_role")]

    def __str__(self) -> str:
        return self.name

    @property
    def shown_target(self) -> str:
        """The target without what may be a password in it."""
        if self.kind == ChannelKind.EMAIL:
            return self.target
        scheme, separator, rest = self.target.partition("://")
        if not separator:
            return "…"
        host = rest.rpartition("@")[2].split("/")[0].split("?")[0]
        return f"{scheme}://{host}/…" if self.kind == ChannelKind.WEBHOOK else f"{scheme}://…"


class Delivery(Entity, Leased):
    """One message on one channel. Queued in the transaction of its event; `delivery` claims, sends and settles it.

    The id is the message's id for the receiver (`webhook-id`): it stays the same over retries.
    """

    VIEW_ROLES: ClassVar[tuple[Role, ...]] = (Role.ADMIN,)

    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="deliveries")
    notification = models.ForeignKey(
        Notification, null=True, blank=True, on_delete=models.SET_NULL, related_name="deliveries"
    )
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="deliveries")
    title = models.CharField(max_length=200)
    body = models.TextField(blank=True, default="")
    url = models.CharField(max_length=500, blank=True, default="")
    level = models.CharField(max_length=8, choices=Level.choices, default=Level.INFO)
    status = models.CharField(max_length=10, choices=DeliveryStatus.choices, default=DeliveryStatus.QUEUED)
    reason = models.CharField(max_length=300, blank=True, default="")
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True, default="")
    response_status = models.PositiveIntegerField(null=True, blank=True)
    # Given up: a person may look at it and send it again.
    dead = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        verbose_name_plural = "deliveries"
        constraints = [
            one_of("status", DeliveryStatus, name="delivery_status"),
            one_of("level", Level, name="delivery_level"),
            models.UniqueConstraint(fields=["event", "channel"], name="delivery_once_per_channel"),
            models.CheckConstraint(
                condition=~models.Q(status="queued") | models.Q(next_attempt_at__isnull=False),
                name="delivery_queued_has_a_time",
            ),
        ]
        indexes = [
            models.Index(fields=["next_attempt_at"], condition=models.Q(status="queued"), name="delivery_due"),
            models.Index(fields=["-created_at", "-id"], name="delivery_newest"),
            models.Index(fields=["-created_at"], condition=models.Q(dead=True), name="delivery_dead"),
        ]

    def __str__(self) -> str:
        return f"{self.title} ({self.get_status_display()})"
