"""Several reviews of low risk approved at one go: each is decided by itself, and each answer is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from donna_skills.accounts.models import User
from donna_skills.errors import Conflict, DonnaError
from lifecycle.models import Review, RiskTier
from lifecycle.services import reviews

MOST = 50
"""So many at one go, so that a preview can be read."""


@dataclass(frozen=True)
class Answer:
    """What became of one review; `refusal` is empty where it was approved."""

    review: Review
    refusal: str = ""


def approve(seen: Mapping[UUID, str], *, by: User, comment: str = "") -> list[Answer]:
    """Say yes to each review (id -> the digest that was shown) on its own, in the order given.

    What may not be approved, has changed or is not of low risk is left as it is and says why; the others go on.
    Conflict when there are too many. A review that does not exist is left out.
    """
    if len(seen) > MOST:
        raise Conflict(f"At most {MOST} can be approved at one go.", code="too_many")
    found = Review.objects.for_page().in_bulk(list(seen))
    return [_decide(found[pk], by=by, comment=comment, seen_digest=seen[pk]) for pk in seen if pk in found]


def _decide(review: Review, *, by: User, comment: str, seen_digest: str) -> Answer:
    try:
        if review.risk != RiskTier.LOW:
            raise Conflict("It is not of low risk: open it and decide it by itself.", code="not_low_risk")
        return Answer(reviews.approve(review, by=by, comment=comment, seen_digest=seen_digest))
    except DonnaError as error:
        return Answer(Review.objects.for_page().get(pk=review.pk), error.message)
