"""Routes that better a skill: ask for a better version, see what came of it, go back to an earlier one."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema, Status
from pydantic import Field

from donna_skills.accounts.models import Scope
from donna_skills.errors import NotFound
from donna_skills.jobs.api import JobOut, job_out
from donna_skills.rest import pages
from donna_skills.rest.auth import ApiRequest, scope
from donna_skills.rest.idempotency import idempotent
from lifecycle.api import serialize, shapes
from lifecycle.models import Evolution, Skill, SkillVersion
from lifecycle.services import evolutions, rollbacks

router = Router(tags=["skills"])
READ, WRITE = scope(Scope.SKILLS_READ), scope(Scope.SKILLS_WRITE)


class ImproveIn(shapes.In):
    waive: list[str] = Field(
        [], max_length=100, description="Names of fixtures that may fail with the new version; a reviewer's token."
    )


class RollbackIn(shapes.In):
    version: int = Field(ge=1, le=2_147_483_647, description="Number of a version that was released once.")
    note: str | None = Field(None, max_length=10_000)


class EvolutionOut(Schema):
    id: UUID
    status: str
    from_version: int
    to_version: int | None
    degraded: bool = Field(description="Made for a degraded skill by the night, so that a refusal counts.")
    diagnosis: str
    changelog: str
    targeted: list[str]
    shown_cases: int
    held_out_cases: int
    reasons: list[dict[str, Any]]
    gates: list[dict[str, Any]]
    decision_id: UUID | None
    review_id: UUID | None
    statistics: dict[str, Any]
    cost_usd: shapes.Money
    started_at: datetime
    finished_at: datetime | None


@router.get(
    "/skills/{skill_id}/evolutions",
    auth=READ,
    operation_id="list_evolutions",
    response=pages.Page[EvolutionOut],
    summary="Attempts to write a better version of one skill, newest first",
)
def list_evolutions(request: HttpRequest, skill_id: UUID, query: Query[pages.PageQuery]) -> Any:
    related = ("from_version", "to_version", "decision")
    found = Evolution.objects.filter(skill=_skill(skill_id)).select_related(*related).defer("reply", "files")
    return pages.page(found, query=query, serialize=evolution_out)


@router.post(
    "/skills/{skill_id}/improve",
    auth=WRITE,
    operation_id="improve_skill",
    response={202: JobOut},
    summary="Ask for a better version now; a skill that serves goes on while the new version waits for a person",
)
@idempotent
def improve_skill(request: ApiRequest, skill_id: UUID, response: HttpResponse, body: ImproveIn | None = None) -> Any:
    job = evolutions.improve(_skill(skill_id), actor=request.actor, waived=body.waive if body else ())
    response["Location"] = f"/api/v1/jobs/{job.pk}"
    return Status(202, job_out(job))


@router.post(
    "/skills/{skill_id}/rollback",
    auth=WRITE,
    operation_id="roll_skill_back",
    response=shapes.SkillOut,
    summary="Put a version in force again that was released once; takes a reviewer's token",
)
@idempotent
def roll_skill_back(request: ApiRequest, skill_id: UUID, body: RollbackIn) -> Any:
    skill = _skill(skill_id)
    version = SkillVersion.objects.filter(skill=skill, number=body.version).first()
    if version is None:
        raise NotFound(f"This skill has no version {body.version}.")
    rollbacks.roll_back(skill, version, actor=request.actor, note=body.note or "")
    return serialize.skill_out(_skill(skill_id))


def evolution_out(row: Evolution) -> dict[str, Any]:
    """EvolutionOut; both versions and the decision are loaded. Held-out cases are counted, never named."""
    own = ("status", "diagnosis", "changelog", "targeted", "reasons", "cost_usd", "started_at", "finished_at")
    return {
        "id": row.pk,
        **{name: getattr(row, name) for name in own},
        "from_version": row.from_version.number,
        "to_version": row.to_version.number if row.to_version else None,
        "degraded": row.degraded_by_id is not None,
        "shown_cases": len(row.samples),
        "held_out_cases": len(row.holdout),
        "gates": row.decision.gates if row.decision else [],
        "decision_id": row.decision_id,
        "review_id": row.review_id,
        "statistics": {name: value for name, value in row.statistics.items() if name not in {"asked", "taken_up"}},
    }


def _skill(skill_id: UUID) -> Skill:
    found = Skill.objects.for_page().filter(pk=skill_id).first()
    if found is None:
        raise NotFound("There is no such skill.")
    return found
