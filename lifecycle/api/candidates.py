"""Routes for candidates: what would be worth a skill, and the no to it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from donna_skills.accounts.models import Scope
from donna_skills.errors import NotFound
from donna_skills.rest import pages
from donna_skills.rest.auth import ApiRequest, scope
from donna_skills.rest.idempotency import idempotent
from lifecycle.api import shapes
from lifecycle.models import Candidate, CandidateStatus
from lifecycle.services import candidates

router = Router(tags=["candidates"])


class CandidateFilters(pages.PageQuery):
    status: CandidateStatus = CandidateStatus.NEW


class DismissIn(shapes.In):
    reason: str | None = Field(None, max_length=10_000)
    not_a_skill: bool = Field(False, description="Never propose this pattern again; a reviewer's token, and a reason.")


class CandidateOut(Schema):
    id: UUID
    capability: str
    skill_id: UUID
    skill_state: str
    fingerprint: str
    status: str
    expected_savings_usd: shapes.Money
    volume: int
    mean_cost_usd: shapes.Money
    repetitiveness: float
    evidence: dict[str, Any]
    first_seen: datetime
    last_seen: datetime
    dismissed_at: datetime | None
    dismissed_until: datetime | None
    not_a_skill: bool
    dismissed_by: str | None
    reason: str


@router.get(
    "/skill-candidates",
    auth=scope(Scope.SKILLS_READ),
    operation_id="list_candidates",
    response=pages.Page[CandidateOut],
    summary="Work that would be worth a skill, highest expected savings first",
)
def list_candidates(request: HttpRequest, query: Query[CandidateFilters]) -> Any:
    found = Candidate.objects.for_page().filter(status=query.status)
    return pages.page(found, query=query, order="-expected_savings_usd", serialize=candidate_out)


@router.post(
    "/skill-candidates/{candidate_id}/dismiss",
    auth=scope(Scope.CANDIDATES_WRITE),
    operation_id="dismiss_candidate",
    response=CandidateOut,
    summary="Say no to a candidate for 90 days",
)
@idempotent
def dismiss_candidate(request: ApiRequest, candidate_id: UUID, body: DismissIn | None = None) -> Any:
    found = Candidate.objects.filter(pk=candidate_id).first()
    if found is None:
        raise NotFound("There is no such candidate.")
    given = body or DismissIn(reason=None, not_a_skill=False)
    return candidate_out(
        candidates.dismiss(found, by=request.actor, reason=given.reason or "", not_a_skill=given.not_a_skill)
    )


def candidate_out(candidate: Candidate) -> dict[str, Any]:
    """CandidateOut; what `for_page` joins is loaded."""
    own = (
        *("fingerprint", "status", "expected_savings_usd", "volume", "mean_cost_usd", "repetitiveness", "evidence"),
        *("first_seen", "last_seen", "dismissed_at", "dismissed_until", "not_a_skill", "reason"),
    )
    who = candidate.dismissed_by or candidate.token
    return {
        "id": candidate.pk,
        "capability": candidate.capability.name,
        "skill_id": candidate.capability.skill.pk,
        "skill_state": candidate.capability.skill.state,
        **{name: getattr(candidate, name) for name in own},
        "dismissed_by": str(who) if who else None,
    }
