"""Reads of the inbox, the change feed and the dead letters."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.db.models import OuterRef, Q, QuerySet, Subquery

from donna_skills.accounts.models import User
from donna_skills.notifications.models import Channel, Delivery, Event, Notification, Preference, Way


def inbox(person: User, *, unread_only: bool = False) -> QuerySet[Notification]:
    """The person's lines, the last changed first."""
    found = Notification.objects.filter(person=person).select_related("event")
    return found.filter(read_at__isnull=True) if unread_only else found


def unread(person: User) -> int:
    """The number on the badge."""
    return Notification.objects.filter(person=person, read_at__isnull=True).count()


def feed(after: int, limit: int) -> list[Event]:
    """The next events of the change feed, in their order. None is ever skipped: numbers become visible in sequence."""
    return list(Event.objects.filter(seq__gt=after).order_by("seq")[:limit])


def channels_for(person: User, *, all_roles: bool) -> list[Channel]:
    """The person's own channels and, for who manages those, the ones of roles; each with its newest delivery as
    `newest` (two queries)."""
    mine = Q(person=person) | Q(person__isnull=True) if all_roles else Q(person=person)
    found = list(Channel.objects.filter(mine).select_related("person").order_by("role", "name", "id"))
    newest = Delivery.objects.filter(channel=OuterRef("pk")).order_by("-created_at", "-id").values("pk")[:1]
    ids = Channel.objects.filter(pk__in=[one.pk for one in found]).annotate(newest_id=Subquery(newest))
    last = {one.channel_id: one for one in Delivery.objects.filter(pk__in=ids.values("newest_id"))}
    for one in found:
        one.newest = last.get(one.pk)  # type: ignore[attr-defined]
    return found


def dead_letters(person: User | None = None, *, all_roles: bool = True) -> QuerySet[Delivery]:
    """Deliveries that were given up and can be sent again: of every channel, or of those that `channels_for` gives."""
    found = Delivery.objects.filter(dead=True).select_related("channel__person", "event").order_by("-created_at", "-id")
    if person is None:
        return found
    mine = Q(channel__person=person) | Q(channel__person__isnull=True) if all_roles else Q(channel__person=person)
    return found.filter(mine)


@dataclass(frozen=True)
class Choice:
    """One kind of event on the page of preferences: {way: wanted}."""

    kind: str
    label: str
    ways: dict[str, bool]


def choices(person: User) -> list[Choice]:
    """What the person wants to hear on which way: the kinds that people are told of, then everything else.

    A kind that settings.NOTICE_KINDS does not name shows as soon as the person was told of one (two queries).
    """
    told = Notification.objects.filter(person=person).order_by().values_list("event__kind", flat=True).distinct()
    chosen = {(one.kind, one.way): one.enabled for one in Preference.objects.filter(person=person)}
    kinds = {*told, *settings.NOTICE_KINDS, *(kind for kind, _ in chosen if kind)}
    rest = {way: chosen.get(("", way), True) for way in Way.values}
    found = [
        Choice(
            kind,
            settings.NOTICE_KINDS.get(kind, kind),
            {way: chosen.get((kind, way), rest[way]) for way in Way.values},
        )
        for kind in sorted(kinds)
    ]
    return [*found, Choice("", "Everything else", rest)]
