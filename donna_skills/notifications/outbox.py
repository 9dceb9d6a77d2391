"""The outbox: which channels an event goes out on, as delivery rows, in the transaction of the event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from django.contrib.auth.models import Group
from django.db.models import Q

from donna_skills.accounts.models import User
from donna_skills.notifications import inbox, quiet
from donna_skills.notifications.models import Channel, ChannelKind, Delivery, DeliveryStatus, Event, Notification

if TYPE_CHECKING:
    from donna_skills.notifications.events import Notice


def queue(event: Event, *, notice: Notice | None, told: Sequence[Notification], fresh: bool) -> list[Delivery]:
    """Queue what goes out: to the people newly told, to their roles, and to the webhooks that follow this kind.

    1. A channel gets an event once, for whatever reason it gets it.
    2. What a person switched off is a row too, suppressed with its reason: "why did nobody call me" has an answer.
    3. A text that changed quietly also changes in what still waits to be sent.
    """
    deliveries: dict[object, Delivery] = {}
    if notice:
        _refresh_waiting(event, notice=notice)
        for delivery in [*_for_people(event, notice, told), *_for_roles(event, notice)]:
            deliveries[delivery.channel_id] = delivery
    if fresh:
        for channel in _followers(event.kind):
            deliveries.setdefault(channel.pk, _delivery(event, channel, notice=notice))
    # A channel is not told about itself: news of its failing would be the next thing to fail.
    return Delivery.objects.bulk_create(
        delivery for delivery in deliveries.values() if str(delivery.channel_id) != event.subject_id
    )


def follows(event_kinds: Sequence[str], kind: str) -> bool:
    """Whether a webhook's list of kinds ("skill.flagged", "skill.*", "*") has this one."""
    return any(
        wanted in (kind, "*") or (wanted.endswith(".*") and kind.startswith(wanted[:-1])) for wanted in event_kinds
    )


def _for_people(event: Event, notice: Notice, told: Sequence[Notification]) -> list[Delivery]:
    """One delivery for each channel of each person who was newly told."""
    lines: dict[UUID | None, Notification] = {line.person_id: line for line in told}
    if not lines:
        return []
    found = Channel.objects.filter(person__in=[line.person_id for line in told], enabled=True)
    channels = list(found if notice.channels is None else found.filter(pk__in=notice.channels))
    people = User.objects.in_bulk([line.person_id for line in told]) if channels else {}
    unwilling = {
        kind: inbox.unwilling(people.values(), event_kind=event.kind, way=kind)
        for kind in sorted({channel.kind for channel in channels})
    }
    deliveries = []
    for channel in channels:
        delivery = _delivery(event, channel, notice=notice)
        delivery.notification = lines[channel.person_id]
        if channel.person_id in unwilling[channel.kind]:
            _suppress(delivery, f"Switched off: no {channel.get_kind_display()} for {event.kind}.")
        deliveries.append(delivery)
    return deliveries


def _for_roles(event: Event, notice: Notice) -> list[Delivery]:
    """One delivery for each channel of a role whose people the notice is for, unless the key went out there before."""
    if not notice.permission:
        return []
    roles = Group.objects.filter(
        permissions__codename=notice.permission, permissions__content_type__app_label="accounts"
    ).values("name")
    channels = Channel.objects.filter(enabled=True, role__in=roles)
    if event.dedup_key:
        channels = channels.exclude(
            pk__in=Delivery.objects.filter(event__dedup_key=event.dedup_key).values("channel_id")
        )
    return [_delivery(event, channel, notice=notice) for channel in channels]


def _followers(kind: str) -> list[Channel]:
    hooks = Channel.objects.filter(kind=ChannelKind.WEBHOOK, enabled=True).exclude(event_kinds=[])
    return [channel for channel in hooks if follows(channel.event_kinds, kind)]


def _delivery(event: Event, channel: Channel, *, notice: Notice | None) -> Delivery:
    at = quiet.release_at(event.at, quiet_from=channel.quiet_from, quiet_until=channel.quiet_until, zone=channel.zone)
    text = {"title": event.kind} if notice is None else _text(notice)
    reason = "Held back until the quiet hours end." if at > event.at else ""
    return Delivery(event=event, channel=channel, next_attempt_at=at, reason=reason, created_at=event.at, **text)


def _suppress(delivery: Delivery, reason: str) -> None:
    delivery.status, delivery.reason, delivery.next_attempt_at = DeliveryStatus.SUPPRESSED, reason, None


def _refresh_waiting(event: Event, *, notice: Notice) -> None:
    """What was queued under this key and is not sent yet will say what is true now."""
    if event.dedup_key:
        waiting = Q(event__dedup_key=event.dedup_key, status=DeliveryStatus.QUEUED)
        Delivery.objects.filter(waiting).exclude(event=event).update(**_text(notice))


def _text(notice: Notice) -> dict[str, str]:
    return {
        "title": notice.title[: inbox.TITLE_LENGTH],
        "body": notice.body,
        "url": notice.url,
        "level": notice.level,
    }
