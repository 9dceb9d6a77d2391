"""The route that starts a night by hand; its job is read like any other."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from ninja import Router, Status
from pydantic import Field

from donna_skills.accounts.models import Scope
from donna_skills.jobs.api import JobOut, job_out
from donna_skills.rest.auth import ApiRequest, scope
from donna_skills.rest.idempotency import idempotent
from lifecycle.api import shapes
from lifecycle.services import nightly

router = Router(tags=["jobs"])


class NightlyIn(shapes.In):
    dry_run: bool = Field(False, description="Change nothing and spend nothing; the report says what would be.")


@router.post(
    "/jobs/nightly",
    auth=scope(Scope.CANDIDATES_WRITE),
    operation_id="start_nightly",
    response={202: JobOut},
    summary="Start the night's work now, or get the one that is under way",
)
@idempotent
def start_nightly(request: ApiRequest, response: HttpResponse, body: NightlyIn | None = None) -> Any:
    job = nightly.request(by=request.actor, dry_run=body.dry_run if body else False)
    response["Location"] = f"/api/v1/jobs/{job.pk}"
    return Status(202, job_out(job))
