"""Who is looking at a review, and what waits for another day. A claim is a courtesy: it decides nothing."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import User
from donna_skills.accounts.roles import Permission, may
from donna_skills.audit import services as audit
from donna_skills.errors import AlreadyDecided, Conflict, FieldError, Invalid, NotPermitted
from donna_skills.notifications import events
from lifecycle.models import Review, ReviewState

CLAIM_FOR = timedelta(minutes=15)
LONGEST_SET_ASIDE = timedelta(days=366)


def claim(review: Review, *, by: User, now: datetime | None = None) -> Review:
    """Say that this person is looking, for 15 minutes; claiming again begins them anew.

    Conflict (code `claimed`) that names the colleague who is looking already. Deciding needs no claim.
    """
    require_may_decide(by)
    at = now or timezone.now()
    mine_or_free = Q(claimed_by=by) | Q(claimed_until__isnull=True) | Q(claimed_until__lte=at)
    taken = Review.objects.open().filter(mine_or_free, pk=review.pk)
    if not taken.update(claimed_by=by, claimed_until=at + CLAIM_FOR):
        truth = _open(review)
        minutes = -(-(truth.claimed_until - at).total_seconds() // 60) if truth.claimed_until else 0
        raise Conflict(
            f"{truth.claimed_by} is looking at it, for another {minutes:.0f} min; take it over if it cannot wait.",
            code="claimed",
        )
    return _fresh(review)


def take_over(review: Review, *, by: User, now: datetime | None = None) -> Review:
    """Claim it whoever is looking; that somebody was, is recorded."""
    require_may_decide(by)
    at = now or timezone.now()
    with transaction.atomic():
        truth = _open(review, lock=True)
        held = truth.claimed_by if truth.claimed_until and truth.claimed_until > at else None
        Review.objects.open().filter(pk=truth.pk).update(claimed_by=by, claimed_until=at + CLAIM_FOR)
        if held is not None and held != by:
            facts = {"kind": truth.kind, "capability": truth.capability.name, "from": str(held)}
            actor = Actor.person(by)
            audit.record("review.taken_over", actor=actor, subject_type="review", subject_id=truth.pk, data=facts)
            events.publish("review.taken_over", subject_type="review", subject_id=truth.pk, payload=facts)
    return _fresh(review)


def release(review: Review, *, by: User) -> Review:
    """Give one's own claim back; nothing happens where there is none."""
    Review.objects.open().filter(pk=review.pk, claimed_by=by).update(claimed_by=None, claimed_until=None)
    return _fresh(review)


def set_aside(review: Review, *, by: User, until: datetime, comment: str = "", now: datetime | None = None) -> Review:
    """Let it wait until then; it stays open, and comes back by itself. Invalid unless the time lies ahead."""
    require_may_decide(by)
    at = now or timezone.now()
    if not at < until <= at + LONGEST_SET_ASIDE:
        raise Invalid("Say until when.", errors=[FieldError("until", "must lie ahead, within a year")])
    return _put_aside(review, by=by, until=until, comment=comment)


def bring_back(review: Review, *, by: User) -> Review:
    """Let it wait no longer; nothing happens where it is not set aside."""
    require_may_decide(by)
    if _open(review).set_aside_until is None:
        return _fresh(review)
    return _put_aside(review, by=by, until=None, comment="")


def require_may_decide(person: User) -> None:
    if not may(person, Permission.DECIDE_REVIEWS):
        raise NotPermitted("You may not decide reviews; a reviewer or an admin can.")


def already_decided(review: Review) -> AlreadyDecided:
    """That it is, how, and by whom."""
    who = f" by {review.decided_by}" if review.decided_by else ""
    return AlreadyDecided(f"It is {review.get_state_display().lower()} already{who}.")


def _put_aside(review: Review, *, by: User, until: datetime | None, comment: str) -> Review:
    action = "review.set_aside" if until else "review.brought_back"
    with transaction.atomic():
        truth = _open(review, lock=True)
        Review.objects.open().filter(pk=truth.pk).update(set_aside_until=until, claimed_by=None, claimed_until=None)
        facts = {"kind": truth.kind, "capability": truth.capability.name, "until": until, "comment": comment}
        audit.record(action, actor=Actor.person(by), subject_type="review", subject_id=truth.pk, data=facts)
        events.publish(action, subject_type="review", subject_id=truth.pk, payload=facts)
    return _fresh(review)


def _open(review: Review, *, lock: bool = False) -> Review:
    """The row as it is now; AlreadyDecided when it is no longer open."""
    found = Review.objects.for_page()
    truth = (found.select_for_update(of=("self",)) if lock else found).get(pk=review.pk)
    if truth.state != ReviewState.OPEN:
        raise already_decided(truth)
    return truth


def _fresh(review: Review) -> Review:
    return Review.objects.for_page().get(pk=review.pk)
