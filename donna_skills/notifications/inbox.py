"""The inbox: who is told of an event, what they have read, and what they do not want to hear."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from donna_skills.accounts.models import User
from donna_skills.notifications.models import Event, Notification, Preference, Way

if TYPE_CHECKING:
    from donna_skills.notifications.events import Notice

TITLE_LENGTH = 200


def tell(event: Event, *, notice: Notice) -> list[Notification]:
    """Put the notice into the inbox of everybody it is for; the answer is the lines that are new.

    The caller holds the lock of `events.publish`, so that two events under one key cannot both find nothing.
    """
    people = recipients(notice)
    known = set()
    if event.dedup_key:
        earlier = Notification.objects.filter(dedup_key=event.dedup_key, person__in=people)
        known = set(earlier.values_list("person_id", flat=True))
        _change_quietly(earlier, event=event, notice=notice)
    strangers = [person for person in people if person.pk not in known]
    unwanted = unwilling(strangers, event_kind=event.kind, way=Way.INBOX)
    return Notification.objects.bulk_create(
        Notification(
            person=person,
            event=event,
            dedup_key=event.dedup_key,
            title=notice.title[:TITLE_LENGTH],
            body=notice.body,
            url=notice.url,
            level=notice.level,
            created_at=event.at,
            updated_at=event.at,
            # Who wants nothing in the inbox still has the line, which the channels and the key need, but no badge.
            read_at=event.at if person.pk in unwanted else None,
        )
        for person in strangers
    )


def recipients(notice: Notice) -> list[User]:
    """The active people that a notice is for, each once, in a stable order."""
    found = {person.pk: person for person in notice.people if person.is_active}
    if notice.permission:
        allowed = User.objects.with_perm(f"accounts.{notice.permission}", backend=_BACKEND)
        found |= {person.pk: person for person in allowed}
    if notice.but is not None:
        found.pop(notice.but.pk, None)
    return [found[pk] for pk in sorted(found)]


def unwilling(people: Iterable[User], *, event_kind: str, way: str) -> set[UUID]:
    """Who of the people has switched this off. A preference for the kind counts before the one for everything."""
    answers: dict[UUID, bool] = {}
    chosen = Preference.objects.filter(Q(kind=event_kind) | Q(kind=""), person__in=list(people), way=way)
    for preference in chosen.order_by("kind"):  # the empty kind comes first, so that the narrower one overrules it
        answers[preference.person_id] = preference.enabled
    return {person_id for person_id, wants in answers.items() if not wants}


def mark_read(
    person: User, *, ids: Iterable[UUID] | None = None, until: datetime | None = None, now: datetime | None = None
) -> int:
    """Mark these lines of the person's as read, or all of them; the answer is how many were unread.

    `until` leaves alone what came or changed after the person's page was made: nobody has read that.
    """
    unread = Notification.objects.filter(person=person, read_at__isnull=True)
    if ids is not None:
        unread = unread.filter(pk__in=list(ids))
    if until is not None:
        unread = unread.filter(updated_at__lte=until)
    return unread.update(read_at=now or timezone.now())


def prefer(person: User, *, way: Way, enabled: bool, event_kind: str = "") -> Preference:
    """Switch a way on or off for one kind of event, or for all."""
    preference, _ = Preference.objects.update_or_create(
        person=person, kind=event_kind, way=way, defaults={"enabled": enabled}
    )
    return preference


@transaction.atomic
def choose(person: User, *, wanted: Mapping[tuple[str, str], bool]) -> None:
    """Keep a whole table of choices, {(kind, way): wanted}; the empty kind stands for every kind that is not in it.

    A kind that is wanted as all others are has no row of its own, so that a later change of those is its change too.
    """
    for (kind, way), enabled in wanted.items():
        if kind and enabled == wanted.get(("", way), True):
            Preference.objects.filter(person=person, kind=kind, way=way).delete()
        else:
            prefer(person, way=Way(way), enabled=enabled, event_kind=kind)


_BACKEND = "django.contrib.auth.backends.ModelBackend"


def _change_quietly(earlier: Iterable[Notification], *, event: Event, notice: Notice) -> None:
    """Bring lines that say something else up to date, and leave the others and every read mark alone."""
    text = {"title": notice.title[:TITLE_LENGTH], "body": notice.body, "url": notice.url, "level": notice.level}
    changed = [line for line in earlier if any(getattr(line, field) != value for field, value in text.items())]
    if changed:
        Notification.objects.filter(pk__in=[line.pk for line in changed]).update(
            **text, event=event, updated_at=timezone.now()
        )
