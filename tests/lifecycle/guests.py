"""An invented kind of work that repeats: notes of guests, sorted to teams. For tests of drafting."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from random import Random
from typing import Any

from django.utils import timezone

from lifecycle.models import Candidate, Capability, RunPath, RunStatus, SkillRun
from lifecycle.services import candidates
from tests import builders

NOTE_IN = {
    "type": "object",
    "required": ["text"],
    "properties": {"text": {"type": "string", "minLength": 1}},
    "additionalProperties": False,
}
NOTE_OUT = {
    "type": "object",
    "required": ["team", "ticket", "seats"],
    "properties": {
        "team": {"enum": ["venue", "billing", "travel"]},
        "ticket": {"type": "string"},
        "seats": {"type": "integer"},
        "day": {"type": "string"},
    },
    "additionalProperties": False,
}
SAID = {
    "venue": "The hall needs more chairs, ticket {ticket}, seats: {seats}.",
    "billing": "The invoice for ticket {ticket} was charged twice, seats: {seats}.",
    "travel": "Our train is late on {day}, ticket {ticket}, seats: {seats}.",
}


def note(chance: Random) -> tuple[dict[str, Any], dict[str, Any]]:
    """A note, and the right answer to it."""
    team = chance.choice(list(SAID))
    day = (date(2026, 11, 1) + timedelta(days=chance.randrange(28))).isoformat()
    ticket, seats = f"T-{chance.randrange(10_000):04}", chance.randint(1, 400)
    output = {"team": team, "ticket": ticket, "seats": seats, **({"day": day} if team == "travel" else {})}
    return {"text": SAID[team].format(ticket=ticket, seats=seats, day=day)}, output


def capability(name: str = "guest_notes", **fields: Any) -> Capability:
    given = {
        "description": f"Sorts a guest's note to the team that handles it, as {name}.",
        "input_schema": NOTE_IN,
        "output_schema": NOTE_OUT,
        **fields,
    }
    return builders.capability(name, **given)


def answer(of: Capability, *, count: int = 100, cost_usd: str = "0.10", at: datetime | None = None) -> None:
    """So many notes, answered by the reference model."""
    chance, at = Random(11), at or timezone.now()
    rows = []
    for _ in range(count):
        inputs, output = note(chance)
        rows.append(native(of, inputs, output, cost_usd=cost_usd, at=at))
    SkillRun.objects.bulk_create(rows)


def native(of: Capability, inputs: Any, output: Any, *, cost_usd: str, at: datetime) -> SkillRun:
    return SkillRun(
        capability=of,
        skill=of.skill,
        path=RunPath.NATIVE,
        status=RunStatus.SUCCEEDED,
        outcome=RunStatus.SUCCEEDED,
        inputs=inputs,
        output=output,
        cost_usd=cost_usd,
        created_at=at,
        finished_at=at,
    )


def candidate(of: Capability | None = None, *, cost_usd: str = "0.10") -> Candidate:
    """An open candidate, found by the detection from a hundred answers."""
    of = of or capability()
    answer(of, cost_usd=cost_usd)
    candidates.detect(timezone.now())
    return Candidate.objects.for_page().get(capability=of)
