"""Reads of jobs for pages and the API."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from donna_skills.errors import NotFound
from donna_skills.jobs.models import JobRun


def job_list(*, status: str = "", kind: str = "") -> QuerySet[JobRun]:
    """Jobs of a status and a kind, or all, the newest first."""
    found = JobRun.objects.all()
    if status:
        found = found.filter(status=status)
    if kind:
        found = found.filter(kind=kind)
    return found


def job(job_id: UUID) -> JobRun:
    """One job, or NotFound."""
    found = JobRun.objects.filter(pk=job_id).first()
    if found is None:
        raise NotFound(f"There is no job {job_id}.")
    return found


def kinds() -> list[str]:
    """The kinds of job that this installation can carry out."""
    return sorted(settings.JOB_HANDLERS)


def name(kind: str) -> str:
    """What a page calls a kind of job; one without a name in settings.JOB_NAMES keeps its code."""
    return str(settings.JOB_NAMES.get(kind, kind))


def last(kind: str) -> JobRun | None:
    """The newest job of a kind, over or not."""
    return JobRun.objects.filter(kind=kind).first()
