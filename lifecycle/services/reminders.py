"""Reminders: who is told again that reviews wait, and when that would be a nuisance.

A person hears of it at most once in 24 hours, be it in the inbox or at log-in, and not again while nothing is new and
nothing overdue. The events of kind `review.reminder` are the record of who was reminded when, and of what.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from donna_skills import sequences
from donna_skills.accounts.models import User
from donna_skills.accounts.roles import Permission, may
from donna_skills.notifications import events, inbox
from donna_skills.notifications.models import Event, Notification
from lifecycle.models import GateVerdict, Review, ReviewKind
from lifecycle.services.sweeps import Line, Swept

KIND = "review.reminder"
EVERY = timedelta(hours=24)
OVERDUE_AFTER = timedelta(days=3)
"""A review that waits longer is worth a reminder even if nothing else is new."""

_SLACK = timedelta(minutes=15)
"""One night's reminders may come some minutes earlier than the last night's."""
_SUBJECT = "person"
_URL = "/review/"


class Waiting(NamedTuple):
    """One review that waits for a decision, and whose work it is."""

    pk: UUID
    kind: str
    since: datetime
    author_id: Any
    asked_by_id: Any


def send(now: datetime, *, dry_run: bool = False) -> Swept:
    """Remind everybody who may decide of what waits for them. A handful of queries, and a transaction a reminder.

    Outcomes, a line a person: reminded, quiet (told within a day, or nothing new and nothing overdue), free.
    A dry run says what would be and writes nothing.
    """
    swept, everything = Swept(), _waiting(now)
    people = inbox.recipients(events.Notice(title="", permission=Permission.DECIDE_REVIEWS))
    last = _last_reminders(people)
    for person in people:
        mine = _for_person(everything, person)
        swept.lines.append(_remind(person, mine, last=last.get(str(person.pk)), now=now, dry_run=dry_run))
    return swept


def greet(person: User, *, now: datetime) -> str:
    """What a person is told on the page after log-in: the sentence, or nothing where a reminder would be a nuisance.

    Whoever reads it here has been reminded: the line in the inbox is read, and the next one comes in a day.
    """
    if not may(person, Permission.DECIDE_REVIEWS):
        return ""
    mine = _for_person(_waiting(now), person)
    unread = Notification.objects.filter(person=person, event__kind=KIND, read_at__isnull=True)
    if ids := list(unread.values_list("pk", flat=True)):
        inbox.mark_read(person, ids=ids, now=now)
        return sentence(mine, now=now)
    last = _last_reminders([person]).get(str(person.pk))
    said = _publish(person, mine, now=now, notify=False) if _is_due(mine, last, now) else None
    return said or ""


def sentence(mine: Sequence[Waiting], *, now: datetime) -> str:
    """ "3 drafts and 1 flag wait for you, the oldest for 2 days." Empty when nothing waits."""
    if not mine:
        return ""
    counts = Counter(one.kind for one in mine)
    named = [_counted(number, ReviewKind(kind).label.lower()) for kind, number in counts.most_common()]
    listed = f"{', '.join(named[:-1])} and {named[-1]}" if len(named) > 1 else named[0]
    oldest = _duration(now - min(one.since for one in mine))
    if len(mine) == 1:
        return f"{listed} has waited for you for {oldest}."
    return f"{listed} wait for you, the oldest for {oldest}."


def _remind(person: User, mine: Sequence[Waiting], *, last: Event | None, now: datetime, dry_run: bool) -> Line:
    name = person.get_username()
    if not mine:
        return Line("", name, "free", "Nothing waits.")
    if not _is_due(mine, last, now):
        return Line("", name, "quiet", "Reminded within a day, or nothing is new and nothing overdue.")
    said = sentence(mine, now=now) if dry_run else _publish(person, mine, now=now, notify=True)
    return Line("", name, "reminded", said) if said else Line("", name, "quiet", "Reminded a moment ago.")


def _is_due(mine: Sequence[Waiting], last: Event | None, now: datetime) -> bool:
    if not mine:
        return False
    if last is None:
        return True
    if last.at > now - EVERY + _SLACK:
        return False
    overdue = min(one.since for one in mine) <= now - OVERDUE_AFTER
    return overdue or last.payload.get("digest") != _digest(mine)


def _publish(person: User, mine: Sequence[Waiting], *, now: datetime, notify: bool) -> str | None:
    """The event, and with it the line in the inbox; None where another process was faster."""
    said = sentence(mine, now=now)
    notice = events.Notice(title=said.rstrip("."), url=_URL, people=(person,))
    with transaction.atomic():
        sequences.serialise("events")
        if not _is_due(mine, _last_reminders([person]).get(str(person.pk)), now):
            return None
        events.publish(
            KIND,
            subject_type=_SUBJECT,
            subject_id=person.pk,
            payload={
                "person": person.get_username(),
                "waiting": len(mine),
                "oldest_since": min(one.since for one in mine),
                "digest": _digest(mine),
            },
            notify=notice if notify else None,
        )
    return said


def _waiting(now: datetime) -> list[Waiting]:
    """What somebody has to decide: open, not set aside, and not one that its author has to mend first."""
    rows = Review.objects.waiting(now).exclude(verdict=GateVerdict.BLOCK).order_by("opened_at")
    return [Waiting(*row) for row in rows.values_list("pk", "kind", "opened_at", "version__author_id", "asked_by_id")]


def _for_person(everything: Sequence[Waiting], person: User) -> list[Waiting]:
    """Without their own work, which somebody else has to decide."""
    return [one for one in everything if person.pk not in (one.author_id, one.asked_by_id)]


def _last_reminders(people: Sequence[User]) -> dict[str, Event]:
    """The newest reminder of each person, by the person's id."""
    of_people = Event.objects.filter(
        kind=KIND, subject_type=_SUBJECT, subject_id__in=[str(person.pk) for person in people]
    )
    newest = of_people.order_by().values("subject_id").annotate(newest=Max("seq")).values("newest")
    return {event.subject_id: event for event in Event.objects.filter(seq__in=newest)}


def _digest(mine: Sequence[Waiting]) -> str:
    return hashlib.sha256(" ".join(sorted(str(one.pk) for one in mine)).encode()).hexdigest()


def _counted(number: int, noun: str) -> str:
    if number == 1:
        return f"1 {noun}"
    return f"{number} {noun[:-1]}ies" if noun.endswith("ty") else f"{number} {noun}s"


def _duration(gone: timedelta) -> str:
    """In the largest unit that fits: "2 days", "1 hour", "a few minutes"."""
    for unit, seconds in (("day", 86_400), ("hour", 3_600)):
        if (number := int(gone.total_seconds() // seconds)) >= 1:
            return _counted(number, unit)
    return "a few minutes"
