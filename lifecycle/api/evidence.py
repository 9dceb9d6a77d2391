"""Routes for evidence: have a version verified, and read what the gates said."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Router, Status

from donna_skills.accounts.models import Scope
from donna_skills.errors import NotFound
from donna_skills.jobs.api import JobOut, job_out
from donna_skills.rest import etags
from donna_skills.rest.auth import ApiRequest, scope
from donna_skills.rest.idempotency import idempotent
from lifecycle.api import shapes
from lifecycle.decisions import gateschema
from lifecycle.models import GateDecision, SkillVersion
from lifecycle.services import evidence, verify

router = Router(tags=["evidence"])
_DOCUMENT = {key: value for key, value in gateschema.schema().items() if not key.startswith("$")}


@router.post(
    "/skills/{skill_id}/versions/{number}/verify",
    auth=scope(Scope.SKILLS_WRITE),
    operation_id="verify_version",
    response={202: JobOut},
    summary="Gather a version's evidence: examples from real runs where there are too few, then every gate, once",
)
@idempotent
def verify_version(
    request: ApiRequest, response: HttpResponse, skill_id: UUID, number: int, body: shapes.NothingIn | None = None
) -> Any:
    job = verify.ask(_version(skill_id, number), by=request.actor)
    response["Location"] = f"/api/v1/jobs/{job.pk}"
    return Status(202, job_out(job))


@router.get(
    "/gate-decisions/{decision_id}",
    auth=scope(Scope.SKILLS_READ),
    operation_id="get_gate_decision",
    response={200: dict[str, Any], 304: None},
    summary="What the gates said to one set of files, as gate_decision.json (schema version 5)",
    openapi_extra={"responses": {200: {"content": {"application/json": {"schema": _DOCUMENT}}}}},
)
def get_gate_decision(request: HttpRequest, decision_id: UUID, response: HttpResponse) -> Any:
    found = GateDecision.objects.select_related("skill__capability").filter(pk=decision_id).first()
    if found is None:
        raise NotFound("There is no such gate decision.")
    etag = etags.strong(found.pk)
    if same := etags.not_modified(request, etag):
        return same
    response["ETag"] = etag
    return evidence.document_of(found)


def _version(skill_id: UUID, number: int) -> SkillVersion:
    found = SkillVersion.objects.select_related("skill").filter(skill_id=skill_id, number=number).first()
    if found is None:
        raise NotFound(f"This skill has no version {number}.")
    return found
