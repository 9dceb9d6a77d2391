"""Routes for candidates and drafts: what would be worth a skill, the no to it, the draft of it, what is in draft."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema, Status
from pydantic import Field

from donna_skills.accounts.models import Scope
from donna_skills.errors import NotFound
from donna_skills.rest import pages
from donna_skills.rest.auth import ApiRequest, scope
from donna_skills.rest.idempotency import idempotent
from lifecycle import draft_selectors
from lifecycle.api import shapes
from lifecycle.models import Candidate, CandidateStatus
from lifecycle.services import candidates, drafts

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


class DraftNowOut(Schema):
    job_id: UUID = Field(description="GET jobs/{job_id} says how far it is, and in its report what came of it.")
    status: str


class DraftSourceOut(Schema):
    id: UUID
    expected_savings_usd: shapes.Money
    volume: int
    mean_cost_usd: shapes.Money


class DraftReasonOut(Schema):
    code: str
    message: str
    status: Literal["HOLD", "BLOCK"]


class DraftOut(Schema):
    skill_id: UUID
    capability: str
    version: int
    version_digest: str
    author_kind: str
    author: str | None
    created_at: datetime
    candidate: DraftSourceOut | None = Field(description="What it was drafted from; null for what a person handed in.")
    verdict: Literal["PASS", "HOLD", "BLOCK"] | None = Field(description="Null while no gate has looked at it.")
    gate_decision_id: UUID | None
    reasons: list[DraftReasonOut]
    stage: Literal["waiting_for_review", "blocked", "nothing_asked"]
    review_needed: bool
    review_id: UUID | None
    why: str


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
    found = _candidate(candidate_id)
    given = body or DismissIn(reason=None, not_a_skill=False)
    return candidate_out(
        candidates.dismiss(found, by=request.actor, reason=given.reason or "", not_a_skill=given.not_a_skill)
    )


@router.post(
    "/skill-candidates/{candidate_id}/draft-now",
    auth=scope(Scope.CANDIDATES_WRITE),
    operation_id="draft_candidate",
    response={202: DraftNowOut},
    summary="Draft a skill for an open candidate at once, or get the job that is on it",
)
@idempotent
def draft_candidate(
    request: ApiRequest, response: HttpResponse, candidate_id: UUID, body: shapes.NothingIn | None = None
) -> Any:
    job = drafts.ask_for(_candidate(candidate_id), by=request.actor)
    response["Location"] = f"/api/v1/jobs/{job.pk}"
    return Status(202, {"job_id": job.pk, "status": job.status})


@router.get(
    "/skill-drafts",
    auth=scope(Scope.SKILLS_READ),
    operation_id="list_drafts",
    response=pages.Page[DraftOut],
    summary="Skills in draft: where each came from, what the gates say, and what it waits for",
)
def list_drafts(request: HttpRequest, query: Query[pages.PageQuery]) -> Any:
    found = draft_selectors.in_draft()
    return pages.page(found, query=query, order="-state_entered_at", serialize=draft_selectors.draft_of)


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


def _candidate(candidate_id: UUID) -> Candidate:
    found = Candidate.objects.filter(pk=candidate_id).first()
    if found is None:
        raise NotFound("There is no such candidate.")
    return found
