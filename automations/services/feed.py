"""Events that start automations: those that somebody posts, and the platform's own from the change feed.

The feed is read in order, from where the last reader stopped; an event starts an automation once, whoever reads it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q

from automations.decisions import alerts as decisions
from automations.models import Automation, AutomationRun, FeedCursor, RunTrigger, Status, Trigger
from automations.services import access, cadence, queue
from donna_skills.accounts.actors import Actor
from donna_skills.errors import FieldError, Invalid
from donna_skills.notifications import events
from donna_skills.notifications.models import Event

logger = logging.getLogger(__name__)

NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,71}", re.ASCII)
POSTED = "posted."
"""Before the name of an event that somebody posted, in the feed."""
_OURS = ("automation.", POSTED)
_CURSOR = "automations"
_AT_ONCE = 200


def post(name: str, payload: Mapping[str, Any], *, actor: Actor) -> list[AutomationRun]:
    """Put an event into the feed and start the automations that wait for it and that the actor may run."""
    if not NAME.fullmatch(name):
        raise Invalid(
            "An event's name has lower-case letters, digits, dots, dashes and underscores.",
            errors=[FieldError("name", "such as `parcel.arrived`, at most 72 characters")],
        )
    with transaction.atomic():
        event = events.publish(
            f"{POSTED}{name}", subject_type="event", subject_id=name, payload={"payload": dict(payload)}
        )
        return _start(_waiting_for(name), event, payload, by=actor)


def read(now: datetime) -> int:
    """A duty: what is new in the feed; the number of events read.

    1. A skill's move brings the floor of its automations in line.
    2. Every other event starts the automations that wait for its kind. Automations' own events start none, so that
       nothing goes round in a circle, and posted ones have done so already.
    """
    after = _position()
    fresh = list(Event.objects.filter(seq__gt=after).order_by("seq")[:_AT_ONCE])
    for event in fresh:
        if event.kind == "skill.state_changed":
            cadence.follow(event.subject_id, now=now)
        if not event.kind.startswith(_OURS):
            _start_by_platform(event)
    if fresh:
        FeedCursor.objects.filter(name=_CURSOR, seq__lt=fresh[-1].seq).update(seq=fresh[-1].seq)
    return len(fresh)


def _position() -> int:
    """Where to read on; the first reader of an installation begins at the end, for the past starts nothing."""
    known = FeedCursor.objects.filter(name=_CURSOR).values_list("seq", flat=True).first()
    if known is not None:
        return int(known)
    FeedCursor.objects.bulk_create([FeedCursor(name=_CURSOR, seq=events.last_seq())], ignore_conflicts=True)
    return int(FeedCursor.objects.values_list("seq", flat=True).get(name=_CURSOR))


def _start_by_platform(event: Event) -> None:
    """One event that cannot be handled holds up no other."""
    try:
        with transaction.atomic():
            _start(_waiting_for(event.kind), event, event.payload, by=None)
    except Exception:
        logger.exception("An event could not start its automations.", extra={"seq": event.seq, "kind": event.kind})


def _waiting_for(name: str) -> list[Automation]:
    """By their event's name: this one, or a family of it as `skill.*`."""
    parts = name.split(".")
    families = [".".join(parts[:number]) + ".*" for number in range(1, len(parts))]
    wanted = Q(event_name=name) | Q(event_name__in=families)
    rows = Automation.objects.filter(wanted, trigger=Trigger.ON_EVENT, status=Status.ACTIVE)
    return list(rows.select_related("capability", "owner").order_by("pk"))


def _start(
    automations: list[Automation], event: Event, payload: Mapping[str, Any], *, by: Actor | None
) -> list[AutomationRun]:
    started = []
    for automation in automations:
        if by is not None and not access.may_run(automation, by):
            continue
        if automation.event_filter and not _fits(automation, payload):
            continue
        run = queue.add(
            automation,
            trigger=RunTrigger.EVENT,
            now=event.at,
            by=by,
            cause=f"event:{event.pk}",
            payload=payload,
            may_skip=True,
        )
        started += [run] if run is not None else []
    if started:
        queue.ring_after_commit(len(started))
    return started


def _fits(automation: Automation, payload: Mapping[str, Any]) -> bool:
    """An event that cannot be judged starts nothing."""
    try:
        return decisions.evaluate(automation.event_filter, dict(payload)).alert
    except ValueError:
        logger.warning("An event's filter could not be judged.", extra={"automation": str(automation.pk)})
        return False
