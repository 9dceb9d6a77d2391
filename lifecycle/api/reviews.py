"""Routes for reviews: what waits for a person, and the person's answers. They open to people's own tokens alone."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema
from pydantic import Field

from donna_skills.accounts.models import Scope, User
from donna_skills.errors import NotFound
from donna_skills.rest import pages
from donna_skills.rest.auth import ApiRequest, scope
from donna_skills.rest.fields import Moment
from donna_skills.rest.idempotency import idempotent
from lifecycle import review_selectors, review_words
from lifecycle.api import shapes
from lifecycle.models import Review, ReviewKind, ReviewState, RiskTier
from lifecycle.services import approvals, reviews

router = Router(tags=["reviews"])
DECIDE = scope(Scope.REVIEWS_DECIDE)

_WORDS = 10_000
_SEEN = "`seen_digest` of the review as it was read: nothing is decided about what has changed since."
_SEEN_OR_NOW = "The same; without it the answer is about what is there now."


class ReviewFilters(pages.PageQuery):
    state: ReviewState = ReviewState.OPEN
    kind: ReviewKind | None = None
    capability: str | None = Field(None, max_length=64)
    verdict: Literal["PASS", "HOLD", "BLOCK", "none"] | None = None
    risk: Literal["high", "medium", "low"] | None = None
    mine: bool = Field(False, description="Those that the caller has claimed.")
    unassigned: bool = Field(False, description="Those that nobody is looking at.")
    set_aside: bool = Field(False, description="Open ones that wait for a later day, instead of those that wait now.")


class ApproveIn(shapes.In):
    seen_digest: str = Field(max_length=200, description=_SEEN)
    comment: str | None = Field(None, max_length=_WORDS)
    keep_gate: bool = Field(False, description="Ask again before each promotion.")


class RejectIn(shapes.In):
    reason: str = Field(max_length=_WORDS)
    seen_digest: str | None = Field(None, max_length=200, description=_SEEN_OR_NOW)


class ChangesIn(shapes.In):
    comment: str = Field(max_length=_WORDS)
    seen_digest: str | None = Field(None, max_length=200, description=_SEEN_OR_NOW)


class SetAsideIn(shapes.In):
    until: Moment | None = Field(None, strict=False, description="A time ahead, or null to bring it back.")
    comment: str | None = Field(None, max_length=_WORDS)


class ClaimIn(shapes.In):
    take_over: bool = Field(False, description="Also from a colleague who is looking at it; that is recorded.")


class GlassIn(shapes.In):
    reason: str = Field(max_length=_WORDS)
    seen_digest: str = Field(max_length=200, description=_SEEN)


class ClaimOut(Schema):
    by: str
    until: datetime


class ApprovalOut(Schema):
    by: str
    comment: str
    at: datetime


class ReviewOut(Schema):
    id: UUID
    kind: str
    state: str
    capability: str
    skill_id: UUID | None
    version: int | None
    verdict: str | None
    risk: str
    risk_reasons: list[shapes.ReasonOut]
    summary: str
    asked_by: str | None
    opened_at: datetime
    claim: ClaimOut | None
    set_aside_until: datetime | None
    decided_by: str | None
    decided_at: datetime | None
    comment: str
    glass_broken: bool
    follow_up_of: UUID | None


class ReviewDetailOut(ReviewOut):
    subject_digest: str
    seen_digest: str
    skill_state: str | None
    evidence: dict[str, Any]
    needs_two: bool
    approvals: list[ApprovalOut]
    if_approved: str
    if_rejected: str
    happened: str


@router.get(
    "/reviews",
    auth=DECIDE,
    operation_id="list_reviews",
    response=pages.Page[ReviewOut],
    summary="Questions to people, riskiest first, then oldest",
)
def list_reviews(request: ApiRequest, query: Query[ReviewFilters]) -> Any:
    now = timezone.now()
    found = review_selectors.review_list(
        now=now,
        state=query.state,
        kind=query.kind or "",
        capability=query.capability or "",
        verdict="" if query.verdict == "none" else query.verdict,
        risk=query.risk or "",
        mine=_person(request) if query.mine else None,
        unassigned=query.unassigned,
        set_aside=query.set_aside,
    )
    return pages.page(found, query=query, order="risk", serialize=lambda review: review_out(review, now=now))


@router.get(
    "/reviews/{review_id}",
    auth=DECIDE,
    operation_id="get_review",
    response=ReviewDetailOut,
    summary="One review, what it is bound to and what an answer would do",
)
def get_review(request: HttpRequest, review_id: UUID) -> Any:
    return review_detail_out(_review(review_id))


@router.post(
    "/reviews/{review_id}/approve",
    auth=DECIDE,
    operation_id="approve_review",
    response=ReviewDetailOut,
    summary="Say yes to exactly what was seen",
)
@idempotent
def approve_review(request: ApiRequest, review_id: UUID, body: ApproveIn) -> Any:
    reviews.approve(
        _review(review_id),
        by=_person(request),
        comment=body.comment or "",
        seen_digest=body.seen_digest,
        keep_gate=body.keep_gate,
    )
    return review_detail_out(_review(review_id))


@router.post(
    "/reviews/{review_id}/reject",
    auth=DECIDE,
    operation_id="reject_review",
    response=ReviewDetailOut,
    summary="Say no, with a reason that the next draft learns from",
)
@idempotent
def reject_review(request: ApiRequest, review_id: UUID, body: RejectIn) -> Any:
    found = _review(review_id)
    seen = body.seen_digest or reviews.seen_digest(found)
    reviews.reject(found, by=_person(request), reason=body.reason, seen_digest=seen)
    return review_detail_out(_review(review_id))


@router.post(
    "/reviews/{review_id}/request-changes",
    auth=DECIDE,
    operation_id="request_changes",
    response=ReviewDetailOut,
    summary="Send a version back with what has to be different; a new version asks again",
)
@idempotent
def request_changes(request: ApiRequest, review_id: UUID, body: ChangesIn) -> Any:
    found = _review(review_id)
    seen = body.seen_digest or reviews.seen_digest(found)
    reviews.request_changes(found, by=_person(request), comment=body.comment, seen_digest=seen)
    return review_detail_out(_review(review_id))


@router.post(
    "/reviews/{review_id}/set-aside",
    auth=DECIDE,
    operation_id="set_review_aside",
    response=ReviewDetailOut,
    summary="Let it wait until a time; it comes back by itself",
)
@idempotent
def set_review_aside(request: ApiRequest, review_id: UUID, body: SetAsideIn) -> Any:
    found, by = _review(review_id), _person(request)
    if body.until is None:
        reviews.bring_back(found, by=by)
    else:
        reviews.set_aside(found, by=by, until=body.until, comment=body.comment or "")
    return review_detail_out(_review(review_id))


@router.post(
    "/reviews/{review_id}/claim",
    auth=DECIDE,
    operation_id="claim_review",
    response=ReviewDetailOut,
    summary="Say that you are looking at it, for 15 minutes",
)
@idempotent
def claim_review(request: ApiRequest, review_id: UUID, body: ClaimIn | None = None) -> Any:
    take = reviews.take_over if body and body.take_over else reviews.claim
    take(_review(review_id), by=_person(request))
    return review_detail_out(_review(review_id))


@router.post(
    "/reviews/{review_id}/release",
    auth=DECIDE,
    operation_id="release_review",
    response=ReviewDetailOut,
    summary="Give your own claim back",
)
@idempotent
def release_review(request: ApiRequest, review_id: UUID, body: shapes.NothingIn | None = None) -> Any:
    reviews.release(_review(review_id), by=_person(request))
    return review_detail_out(_review(review_id))


@router.post(
    "/reviews/{review_id}/break-glass",
    auth=DECIDE,
    operation_id="break_glass",
    response=ReviewDetailOut,
    summary="Approve alone in an emergency; everybody is told, and somebody else looks again",
)
@idempotent
def break_glass(request: ApiRequest, review_id: UUID, body: GlassIn) -> Any:
    reviews.break_glass(_review(review_id), by=_person(request), reason=body.reason, seen_digest=body.seen_digest)
    return review_detail_out(_review(review_id))


def review_out(review: Review, *, now: datetime) -> dict[str, Any]:
    """ReviewOut; what `for_page` joins is loaded."""
    own = ("kind", "state", "summary", "opened_at", "set_aside_until", "decided_at", "comment", "glass_broken")
    is_claimed = review.claimed_until is not None and review.claimed_until > now
    return {
        "id": review.pk,
        "capability": review.capability.name,
        "skill_id": review.skill_id,
        "version": review.version.number if review.version else None,
        "verdict": review.verdict or None,
        "risk": RiskTier(review.risk).label.lower(),
        "risk_reasons": review.risk_reasons,
        "asked_by": _name(review.asked_by),
        "claim": {"by": _name(review.claimed_by), "until": review.claimed_until} if is_claimed else None,
        "decided_by": _name(review.decided_by),
        "follow_up_of": review.follow_up_of_id,
        **{name: getattr(review, name) for name in own},
    }


def review_detail_out(review: Review) -> dict[str, Any]:
    """ReviewDetailOut, of a review from `review_selectors.review`."""
    is_open = review.state == ReviewState.OPEN
    return {
        **review_out(review, now=timezone.now()),
        "subject_digest": review.subject_digest,
        "seen_digest": reviews.seen_digest(review) if is_open else review.subject_digest,
        "skill_state": review.skill.state if review.skill else None,
        "evidence": review.evidence,
        "needs_two": is_open and approvals.takes_two(review),
        "approvals": [
            {"by": one.by.get_username(), "comment": one.comment, "at": one.at} for one in review.approvals.all()
        ],
        "if_approved": review_words.approving(review) if is_open else "",
        "if_rejected": review_words.rejecting(review) if is_open else "",
        "happened": "" if is_open else review_words.happened(review),
    }


def _name(person: User | None) -> str | None:
    return person.get_username() if person else None


def _person(request: ApiRequest) -> User:
    """Whose token it is: the scope lets no bot in."""
    person = request.actor.user
    assert person is not None
    return person


def _review(review_id: UUID) -> Review:
    found = review_selectors.review(review_id)
    if found is None:
        raise NotFound("There is no such review.")
    return found
