"""What the API and the command line read of reviews: a constant number of queries each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Prefetch, QuerySet

from lifecycle.models import (
    DraftAttempt,
    Review,
    ReviewApproval,
    ReviewKind,
    ReviewState,
    SkillVersion,
    VersionStatus,
)

ABOUT_DRAFTS = (ReviewKind.DRAFT, ReviewKind.EVOLUTION)


@dataclass(frozen=True)
class DraftLine:
    """A version on its way: what the gates said, where its skill stands, and whether a person has to look."""

    review: Review
    version: SkillVersion
    candidate: str
    manual: bool
    why: str


def review_list(
    *,
    now: datetime,
    state: str = ReviewState.OPEN,
    kind: str = "",
    capability: str = "",
    verdict: str | None = None,
    risk: str = "",
    mine: Any = None,
    unassigned: bool = False,
    set_aside: bool = False,
) -> QuerySet[Review]:
    """Reviews in one state; of the open ones those that wait, or those that are set aside.

    `verdict` is empty for reviews without one, None for all; `mine` is a person who is looking at them now.
    """
    found = Review.objects.for_page().defer("evidence", "basis").filter(state=state)
    if state == ReviewState.OPEN:
        found = found.filter(set_aside_until__gt=now) if set_aside else found.waiting(now)
    found = found.narrowed(kind=kind, capability=capability, risk=risk, verdict=verdict)
    if mine is not None:
        found = found.claimed_by(mine, now)
    return found.unclaimed(now) if unassigned else found


def review(review_id: Any) -> Review | None:
    """One review with everything that its page and its route tell."""
    given = Prefetch("approvals", ReviewApproval.objects.select_related("by"))
    related = ("skill__capability", "version__skill__current_version", "follow_up_of")
    return Review.objects.for_page().select_related(*related).prefetch_related(given).filter(pk=review_id).first()


def drafts(*, pending: bool = False, capability: str = "") -> list[DraftLine]:
    """Versions that have not served yet, riskiest first; `pending` are those that wait for a decision now."""
    states = [ReviewState.OPEN] if pending else [ReviewState.OPEN, ReviewState.CHANGES_REQUESTED, ReviewState.APPROVED]
    attempts = Prefetch("version__drafted_in", DraftAttempt.objects.only("id", "version_id", "candidate_id"))
    found = Review.objects.for_page().filter(
        kind__in=ABOUT_DRAFTS,
        state__in=states,
        version__released_at__isnull=True,
        version__status__in=[VersionStatus.DRAFT, VersionStatus.APPROVED],
    )
    if capability:
        found = found.filter(capability__name=capability)
    newest: dict[Any, Review] = {}
    for one in found.prefetch_related(attempts).order_by("id"):
        newest[one.version_id] = one
    return [_line(one) for one in sorted(newest.values(), key=lambda one: (one.risk, one.pk))]


def manual_review(review: Review) -> tuple[bool, str]:
    """Whether a person still has to look before the version gets on, and why."""
    if review.state == ReviewState.OPEN:
        return True, "waits for a decision"
    if review.state == ReviewState.CHANGES_REQUESTED:
        return True, "changes were requested; a new version asks again"
    if review.skill is not None and review.skill.requires_human_gate:
        return True, "a person is asked before each promotion"
    return False, "the gates decide about promotions"


def _line(review: Review) -> DraftLine:
    version = review.version
    assert version is not None
    attempt = next(iter(version.drafted_in.all()), None)
    manual, why = manual_review(review)
    return DraftLine(review, version, str(attempt.candidate_id) if attempt else "", manual, why)
