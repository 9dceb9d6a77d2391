"""Follow-ups: automations that run when another has succeeded. Chains are of bounded length and never closed."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from automations.configuration import knobs
from automations.models import Automation, FollowUp
from automations.services import access
from donna_skills import sequences
from donna_skills.accounts.actors import Actor
from donna_skills.errors import FieldError, Invalid

MOST = 20


def replace(automation: Automation, wanted: Sequence[UUID], *, actor: Actor) -> bool:
    """Make these the automation's follow-ups; False when they were already. Raises Invalid with the position.

    Inside the caller's transaction. One writer at a time, so that two halves of a circle cannot be drawn at once.
    """
    sequences.serialise("automations.follow_ups")
    before = set(FollowUp.objects.filter(automation=automation).values_list("then_id", flat=True))
    if set(wanted) == before:
        return False
    _check(automation, list(wanted), actor=actor)
    FollowUp.objects.filter(automation=automation).exclude(then_id__in=wanted).delete()
    FollowUp.objects.bulk_create(
        FollowUp(automation=automation, then_id=then) for then in dict.fromkeys(wanted) if then not in before
    )
    return True


def _check(automation: Automation, wanted: list[UUID], *, actor: Actor) -> None:
    if len(wanted) > MOST:
        raise Invalid("Too many follow-ups.", errors=[FieldError("follow_ups", f"At most {MOST}.")])
    there = {one.pk: one for one in access.visible(actor).exclude(status="deleted").filter(pk__in=wanted)}
    errors = []
    for number, pk in enumerate(wanted):
        place = f"/follow_ups/{number}"
        if pk not in there:
            errors.append(FieldError(place, "There is no such automation."))
        elif not access.may_run(there[pk], actor):
            errors.append(FieldError(place, "You may not run this automation.", code="not_permitted"))
    edges = _edges()
    edges[automation.pk] = set(wanted)
    if not errors and automation.pk in _reached(edges, automation.pk):
        errors.append(FieldError("follow_ups", "The follow-ups would go round in a circle.", code="cycle"))
    most = knobs().follow_up_depth
    if not errors and _longest_through(edges, automation.pk) > most:
        errors.append(
            FieldError("follow_ups", f"A chain has at most {most} automations after the first.", code="depth")
        )
    if errors:
        raise Invalid("The follow-ups cannot be kept like this.", errors=errors)


def _edges() -> dict[UUID, set[UUID]]:
    found: dict[UUID, set[UUID]] = {}
    for before, then in FollowUp.objects.values_list("automation_id", "then_id"):
        found.setdefault(before, set()).add(then)
    return found


def _reached(edges: dict[UUID, set[UUID]], start: UUID) -> set[UUID]:
    seen: set[UUID] = set()
    waiting = list(edges.get(start, ()))
    while waiting:
        here = waiting.pop()
        if here not in seen:
            seen.add(here)
            waiting += edges.get(here, ())
    return seen


def _longest_through(edges: dict[UUID, set[UUID]], start: UUID) -> int:
    """The number of steps of the longest chain that goes through an automation, in a graph without circles."""
    backwards: dict[UUID, set[UUID]] = {}
    for before, after in edges.items():
        for then in after:
            backwards.setdefault(then, set()).add(before)
    return _depth(edges, start, {}) + _depth(backwards, start, {})


def _depth(edges: dict[UUID, set[UUID]], start: UUID, known: dict[UUID, int]) -> int:
    if start not in known:
        known[start] = max((1 + _depth(edges, then, known) for then in edges.get(start, ())), default=0)
    return known[start]
