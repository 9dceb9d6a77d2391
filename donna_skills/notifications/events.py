"""Say that something happened: one row for the change feed, one line in each inbox, one delivery for each channel.

All of it is rows, written in the caller's transaction, so that it is told if and only if it is true. Sending comes
later and elsewhere (see `delivery`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Max
from django.utils import timezone

from donna_skills import sequences
from donna_skills.accounts.models import User
from donna_skills.notifications import inbox, outbox
from donna_skills.notifications.models import Event, Level


@dataclass(frozen=True)
class Notice:
    """What people read of an event, and who: everybody with the permission, and the people named, `but` not who did it.
    `channels` are ids of the people's channels, where not all of theirs are meant."""

    title: str
    body: str = ""
    url: str = ""
    level: str = Level.INFO
    permission: str = ""
    people: tuple[User, ...] = ()
    channels: tuple[str, ...] | None = None
    but: User | None = None


def publish(
    kind: str,
    *,
    subject_type: str,
    subject_id: object,
    payload: Mapping[str, Any] | None = None,
    dedup_key: str = "",
    notify: Notice | None = None,
) -> Event:
    """Record an event and whom it concerns. Call it inside the transaction that makes the event true, after the audit
    row where there is one (see `sequences.serialise`).

    With a `dedup_key`:
    1. the same event with the same payload as last time under this key is no news: the earlier event is returned;
    2. another payload is an event for the feed, but who was told under this key is not told again: the line in the
       inbox changes quietly, read or unread as it was.
    What should ring again when it comes back (PASS, then HOLD, then PASS) needs a key that says which time it is.
    """
    sequences.serialise("events")
    content = json.loads(json.dumps(dict(payload or {}), cls=DjangoJSONEncoder))
    event = _same_as_last(kind, str(subject_id), content, dedup_key)
    fresh = event is None
    if event is None:
        event = Event.objects.create(
            seq=last_seq() + 1,
            kind=kind,
            subject_type=subject_type,
            subject_id=str(subject_id),
            payload=content,
            dedup_key=dedup_key,
            at=timezone.now(),
        )
    told = inbox.tell(event, notice=notify) if notify else []
    outbox.queue(event, notice=notify, told=told, fresh=fresh)
    return event


def last_seq() -> int:
    """The number of the newest event, 0 when there is none."""
    return Event.objects.aggregate(newest=Max("seq"))["newest"] or 0


def _same_as_last(kind: str, subject_id: str, payload: dict[str, Any], dedup_key: str) -> Event | None:
    """The last event under the key, where it says the same."""
    if not dedup_key:
        return None
    last = Event.objects.filter(dedup_key=dedup_key).order_by("-seq").first()
    if last and (last.kind, last.subject_id, last.payload) == (kind, subject_id, payload):
        return last
    return None
