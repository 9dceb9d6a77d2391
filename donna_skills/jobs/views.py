"""Jobs: the list, and one job whose progress shows itself until it is over."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from donna_skills import fragments, readable
from donna_skills.accounts.actors import Actor
from donna_skills.errors import DonnaError
from donna_skills.jobs import selectors, services
from donna_skills.jobs.models import JobRun, JobStatus

PAGE = 50


@login_required
def job_list(request: HttpRequest) -> HttpResponse:
    filters = _filters(request)
    found = selectors.job_list(**{one["name"]: one["value"] for one in filters}).defer("report", "arguments")
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    return render(request, "jobs/job_list.html", {"page": page, "filters": filters})


@login_required
def job_detail(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """The page, or for htmx the part that changes; the last part says that the job is over and asks no more."""
    job = get_object_or_404(JobRun, pk=job_id)
    if fragments.wanted(request) and not job.is_open:
        messages.info(request, f"The job is over: {job.get_status_display().lower()}.")
    return fragments.either(
        request, page="jobs/job_detail.html", fragment="jobs/_answer.html", context=_of(request, job)
    )


@login_required
@require_POST
def cancel_job(request: HttpRequest, job_id: UUID) -> HttpResponse:
    job = get_object_or_404(JobRun, pk=job_id)
    refusal, status = "", 200
    try:
        services.cancel(job, by=Actor.person(request.user))  # type: ignore[arg-type]
    except DonnaError as error:
        refusal, status = error.message, error.status
    else:
        messages.success(request, "The job is cancelled. What it has done until now stays done.")
        if not fragments.wanted(request):
            return redirect("job_detail", job_id=job_id)
    context = {**_of(request, job), "refusal": refusal}
    return fragments.either(
        request, page="jobs/job_detail.html", fragment="jobs/_answer.html", context=context, status=status
    )


def _of(request: HttpRequest, job: JobRun) -> dict[str, Any]:
    by = Actor.person(request.user)  # type: ignore[arg-type]
    return {
        "job": job,
        "report": readable.part(job.report, heading="Report"),
        "may_cancel": job.is_open and services.may_cancel(job, by=by),
    }


def _filters(request: HttpRequest) -> list[dict[str, Any]]:
    """The list's filters with what is chosen; a value that is none of the choices is no filter."""
    choices: dict[str, tuple[str, list[tuple[str, str]]]] = {
        "status": ("Status", [(value, label) for value, label in JobStatus.choices]),
        "kind": ("Kind", [(kind, selectors.name(kind)) for kind in selectors.kinds()]),
    }
    found = []
    for name, (label, options) in choices.items():
        value = request.GET.get(name, "")
        known = value if value in {option for option, _ in options} else ""
        found.append({"name": name, "label": label, "choices": options, "value": known})
    return found
