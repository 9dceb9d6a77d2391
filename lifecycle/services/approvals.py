"""Who may say yes: nobody alone to their own work, and two persons to high risk where that is asked for."""

from __future__ import annotations

from dataclasses import replace

from django.utils import timezone

from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import User
from donna_skills.accounts.roles import Permission, may
from donna_skills.errors import Conflict, NotPermitted
from lifecycle.configuration import knobs
from lifecycle.models import Review, ReviewApproval, ReviewKind
from lifecycle.services import risks, subjects

_ASKED_FOR = (ReviewKind.DRAFT, ReviewKind.EVOLUTION, ReviewKind.ROLLBACK, ReviewKind.CAPABILITY)
"""Who puts such a question wants the yes; who flags a skill, or the system that promotes it, is no party to it."""


def require_other_work(review: Review, *, by: User) -> None:
    """NotPermitted (code `own_work`) for what the person wrote, triggered or owns the bot for, admins included."""
    if why := _own(review, by=by):
        raise NotPermitted(f"{why}; somebody else has to approve it.", code="own_work")


def takes_two(review: Review) -> bool:
    """Whether two persons have to approve it, by its risk as of now."""
    if not knobs().two_person_high_risk or review.kind == ReviewKind.FOLLOW_UP:
        return False
    kind = ReviewKind(review.kind)
    return risks.assess(kind, capability=review.capability, version=review.version).tier == "high"


def add(review: Review, *, by: User, comment: str, keep_gate: bool) -> list[ReviewApproval]:
    """Keep this approval of exactly what is there now; returns those that others gave of the same before.

    Conflict (code `second_approval_needed`) for somebody who has given theirs. The caller holds the review's lock, so
    that of two first approvals one comes second.
    """
    digest = subjects.bound_to(review)
    earlier = list(review.approvals.filter(digest=digest).select_related("by"))
    if any(one.by_id == by.pk for one in earlier):
        raise Conflict(
            "You have approved it already; its risk is high, so that a second person has to.",
            code="second_approval_needed",
        )
    ReviewApproval.objects.create(
        review=review, by=by, digest=digest, comment=comment, keep_gate=keep_gate, at=timezone.now()
    )
    return earlier


def in_emergency(person: User) -> Actor:
    """The person as one who breaks the glass; NotPermitted for those who may not."""
    if not may(person, Permission.BREAK_GLASS):
        raise NotPermitted("You may not override a rule in an emergency; an administrator can.")
    return replace(Actor.person(person), in_emergency=True)


def require_glass(review: Review, *, by: User) -> None:
    """Conflict (code `glass_not_needed`) where nothing is in the way that breaking the glass would clear."""
    if review.kind == ReviewKind.FOLLOW_UP:
        raise Conflict("A follow-up is for somebody else to decide, emergency or not.")
    if not _own(review, by=by) and not takes_two(review):
        raise Conflict("Nothing stands in your way: approve it.", code="glass_not_needed")


def _own(review: Review, *, by: User) -> str:
    """Why it is the person's own, or nothing."""
    version = review.version
    if version is not None and version.author_id == by.pk:
        return f"You wrote or triggered version {version.number} yourself"
    if review.kind in _ASKED_FOR and review.asked_by_id == by.pk:
        return "You asked for it yourself"
    if review.follow_up_of is not None and review.follow_up_of.decided_by_id == by.pk:
        return "You broke the glass yourself"
    return ""
