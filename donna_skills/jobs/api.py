"""Routes for jobs: how far a piece of long work is, and how it ended."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema
from pydantic import Field

from donna_skills.accounts.models import Scope
from donna_skills.jobs import selectors
from donna_skills.jobs.models import JobRun, JobStatus
from donna_skills.rest import etags, pages
from donna_skills.rest.auth import scope

router = Router(tags=["jobs"])
READ = scope(Scope.SKILLS_READ)


class ProgressOut(Schema):
    done: int
    total: int = Field(description="0 while it is not known.")
    message: str


class JobLineOut(Schema):
    id: UUID
    kind: str
    status: JobStatus
    subject_type: str
    subject_id: str
    progress: ProgressOut
    error: str
    error_code: str = Field(description="`unexpected` for what nobody foresaw; empty unless it failed.")
    requested_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class JobOut(JobLineOut):
    report: dict[str, Any]


class JobFilters(pages.PageQuery):
    status: JobStatus | None = None
    kind: str | None = Field(None, max_length=80)


@router.get("/jobs", auth=READ, operation_id="list_jobs", response=pages.Page[JobLineOut], summary="Jobs, newest first")
def list_jobs(request: HttpRequest, query: Query[JobFilters]) -> Any:
    found = selectors.job_list(status=query.status or "", kind=query.kind or "").defer("report", "arguments")
    return pages.page(found, query=query, order="-created_at", serialize=job_line_out)


@router.get(
    "/jobs/{uuid:job_id}",
    auth=READ,
    operation_id="get_job",
    response={200: JobOut, 304: None},
    summary="One job with its progress",
)
def get_job(request: HttpRequest, job_id: UUID, response: HttpResponse) -> Any:
    shown = job_out(selectors.job(job_id))
    etag = etags.strong(*shown.values())
    if same := etags.not_modified(request, etag):
        return same
    response["ETag"] = etag
    return shown


def job_out(job: JobRun) -> dict[str, Any]:
    return {**job_line_out(job), "report": job.report}


def job_line_out(job: JobRun) -> dict[str, Any]:
    """Without the report: that of a night is a hundred kilobytes."""
    return {
        "id": job.pk,
        "kind": job.kind,
        "status": job.status,
        "subject_type": job.subject_type,
        "subject_id": job.subject_id,
        "progress": {
            "done": job.progress_done,
            "total": job.progress_total,
            "message": job.progress_message,
        },
        "error": job.error,
        "error_code": job.error_code,
        "requested_by": job.requested_label,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
    }
