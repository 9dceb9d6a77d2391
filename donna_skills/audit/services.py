"""Write the audit log, and prove that nobody changed it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone

from donna_skills import entities, logs, sequences
from donna_skills.accounts.actors import Actor
from donna_skills.audit.models import AuditEvent

CHUNK = 2_000
# Beyond this every float is a whole number, which PostgreSQL gives back as an integer.
_WHOLE_FLOATS_FROM = 1e15


@dataclass(frozen=True)
class VerifyReport:
    """What a walk along the chain found; `broken_seq` and `why` name the first break."""

    events: int
    head_seq: int
    head_hash: str
    broken_seq: int | None = None
    why: str = ""

    @property
    def intact(self) -> bool:
        return not self.why


def record(
    action: str, *, actor: Actor, subject_type: str, subject_id: object, data: Mapping[str, Any] | None = None
) -> AuditEvent:
    """Append one event, inside the transaction that makes it true.

    1. Wait for the chain: one writer at a time, until that writer's transaction ends.
    2. Take the number after the head and the head's hash.
    3. Hash the new event together with that, and store it.
    """
    sequences.serialise("audit")
    head = AuditEvent.objects.order_by("-seq").values_list("seq", "hash").first()
    seq, previous_hash = head or (0, "")
    event = AuditEvent(
        id=entities.new_id(),
        seq=seq + 1,
        at=timezone.now(),
        actor_kind=actor.kind,
        actor_user=actor.user,
        actor_token=actor.token,
        actor_label=_text(actor.label)[:200],
        action=action,
        subject_type=subject_type,
        subject_id=_text(str(subject_id))[:200],
        data=_storable(data or {}),
        request_id=logs.current_request_id(),
        previous_hash=previous_hash,
    )
    event.hash = _hash(_facts(event))
    event.save(force_insert=True)
    return event


def verify(expect_head: str | None = None, *, on_chunk: Callable[[int], None] | None = None) -> VerifyReport:
    """Walk the whole chain in chunks and stop at the first break.

    `expect_head` is a hash noted down earlier: a log that was cut off at its end, or written anew, no longer has it.
    `on_chunk` hears after each chunk how many events are checked.
    """
    seq, previous, met = 0, "", not expect_head
    for event in _in_order():
        if why := _fault(event, seq=seq + 1, previous_hash=previous):
            return VerifyReport(seq, seq, previous, broken_seq=seq + 1, why=why)
        seq, previous = event.seq, event.hash
        met = met or event.hash == expect_head
        if on_chunk and seq % CHUNK == 0:
            on_chunk(seq)
    if not met:
        why = f"The expected head {expect_head} is not in the log: events were cut off, or all were written anew."
        return VerifyReport(seq, seq, previous, broken_seq=seq + 1, why=why)
    return VerifyReport(seq, seq, previous)


def _in_order() -> Iterator[AuditEvent]:
    after = -(2**63)
    while chunk := list(AuditEvent.objects.filter(seq__gt=after).order_by("seq")[:CHUNK]):
        yield from chunk
        after = chunk[-1].seq


def _fault(event: AuditEvent, *, seq: int, previous_hash: str) -> str:
    """Why this event does not continue the chain, or an empty string."""
    if event.seq != seq:
        return f"Event {seq} is missing: event {event.seq} comes next."
    if event.previous_hash != previous_hash:
        return f"Event {seq} does not carry the hash of the event before it."
    if event.hash != _hash(_facts(event)):
        return f"Event {seq} was changed: its contents no longer have its hash."
    return ""


def _facts(event: AuditEvent) -> dict[str, Any]:
    return {
        "id": str(event.id),
        "seq": event.seq,
        "at": event.at.isoformat(timespec="microseconds"),
        "actor_kind": str(event.actor_kind),
        "actor_user": str(event.actor_user_id or ""),
        "actor_token": str(event.actor_token_id or ""),
        "actor_label": event.actor_label,
        "action": event.action,
        "subject_type": event.subject_type,
        "subject_id": event.subject_id,
        "data": event.data,
        "request_id": event.request_id,
        "previous_hash": event.previous_hash,
    }


def _hash(facts: Mapping[str, Any]) -> str:
    canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _storable(data: Mapping[str, Any]) -> Any:
    """The data as plain JSON that both databases give back unchanged; a hash over anything else would not verify."""
    return json.loads(json.dumps(_plain(data), cls=DjangoJSONEncoder))


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, Mapping):
        return {_text(str(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return value


def _number(value: float) -> float | int | str:
    if not math.isfinite(value):
        return str(value)
    if value == 0:
        return 0.0  # PostgreSQL has no negative zero
    return int(value) if abs(value) >= _WHOLE_FLOATS_FROM else value


def _text(value: str) -> str:
    """Without what PostgreSQL refuses: NUL characters and lone surrogates."""
    return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
