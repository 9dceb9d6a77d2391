"""Reads of the inbox, the change feed and the dead letters."""

from __future__ import annotations

from django.db.models import QuerySet

from donna_skills.accounts.models import User
from donna_skills.notifications.models import Delivery, Event, Notification


def inbox(person: User) -> QuerySet[Notification]:
    """The person's lines, the last changed first."""
    return Notification.objects.filter(person=person).select_related("event")


def unread(person: User) -> int:
    """The number on the badge."""
    return Notification.objects.filter(person=person, read_at__isnull=True).count()


def feed(after: int, limit: int) -> list[Event]:
    """The next events of the change feed, in their order. None is ever skipped: numbers become visible in sequence."""
    return list(Event.objects.filter(seq__gt=after).order_by("seq")[:limit])


def dead_letters() -> QuerySet[Delivery]:
    """Deliveries that were given up and can be sent again."""
    return Delivery.objects.filter(dead=True).select_related("channel", "event")
