"""The change feed for bots: everything that happened, in order, nothing twice and nothing skipped."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from donna_skills.accounts.models import Scope
from donna_skills.errors import FieldError, Invalid
from donna_skills.notifications import events, selectors
from donna_skills.notifications.models import Event
from donna_skills.rest.auth import scope
from donna_skills.rest.pages import DEFAULT_LIMIT, MAX_LIMIT

router = Router(tags=["events"])
READ = scope(Scope.EVENTS_READ)
_PREFIX = "event:"
_MAX_SEQ = 2**63 - 1


class EventOut(Schema):
    id: UUID
    cursor: str = Field(description="Give it as `after` to go on behind this event.")
    kind: str
    subject_type: str
    subject_id: str
    payload: dict[str, Any]
    at: datetime


class Feed(Schema):
    items: list[EventOut]
    count: int = Field(description="How many events there are after the cursor that was given.")
    next: str | None = Field(
        description="The cursor of the last event that you have now: ask again with it. Null before the first."
    )


class FeedQuery(Schema):
    after: str | None = Field(None, max_length=100, description="The cursor of the last event that you have seen.")
    limit: int = Field(DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description="How many events at most.")


@router.get("/events", auth=READ, operation_id="list_events", response=Feed, summary="What happened after a cursor")
def list_events(request: HttpRequest, query: Query[FeedQuery]) -> Any:
    after = _decode(query.after) if query.after else 0
    items = selectors.feed(after, query.limit)
    return {
        "items": [_event_out(event) for event in items],
        # Numbers have no gaps, so that nobody needs to count.
        "count": max(events.last_seq() - after, 0),
        "next": _encode(items[-1].seq) if items else query.after,
    }


def _event_out(event: Event) -> dict[str, Any]:
    return {
        "id": event.pk,
        "cursor": _encode(event.seq),
        "kind": event.kind,
        "subject_type": event.subject_type,
        "subject_id": event.subject_id,
        "payload": event.payload,
        "at": event.at,
    }


def _encode(seq: int) -> str:
    return base64.urlsafe_b64encode(f"{_PREFIX}{seq}".encode()).decode().rstrip("=")


def _decode(cursor: str) -> int:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
        number = text.removeprefix(_PREFIX)
        if not text.startswith(_PREFIX) or not number.isdigit() or int(number) > _MAX_SEQ:
            raise ValueError("not one of ours")
        return int(number)
    except (binascii.Error, ValueError):
        sentence = "The cursor is not one of this feed: take `next` of the answer before, or leave it out."
        raise Invalid(sentence, code="bad_cursor", errors=[FieldError("after", sentence, "bad_cursor")]) from None
