"""Open reviews whose question is gone: the skill has moved on, or the evidence no longer holds."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from django.utils import timezone

from donna_skills.accounts.actors import Actor
from donna_skills.audit import services as audit
from lifecycle.models import Review, ReviewKind, ReviewState

ABOUT_A_STATE = (ReviewKind.PROMOTION, ReviewKind.FLAG, ReviewKind.ROLLBACK)
"""These ask about the state that the skill is in; any move answers or ends them."""


def withdraw(skill_id: UUID, *, kinds: Collection[ReviewKind], why: str, actor: Actor) -> int:
    """Close the open reviews of these kinds as superseded, inside the caller's transaction; returns how many."""
    waiting = Review.objects.open().filter(skill_id=skill_id, kind__in=kinds)
    withdrawn = 0
    for review in waiting:
        closed = Review.objects.filter(pk=review.pk, state=ReviewState.OPEN).update(
            state=ReviewState.SUPERSEDED, decided_at=timezone.now(), comment=why
        )
        if closed:
            facts = {"kind": review.kind, "why": why}
            audit.record("review.withdrawn", actor=actor, subject_type="review", subject_id=review.pk, data=facts)
        withdrawn += closed
    return withdrawn
