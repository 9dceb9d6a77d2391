"""The audit log: who did what to what, and whether the log is as it was written."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from donna_skills.accounts.actors import Actor, ActorKind
from donna_skills.accounts.roles import Permission, may
from donna_skills.audit import selectors, verification
from donna_skills.errors import DonnaError

PAGE = 50
LONGEST_SEARCH = 200


@login_required
def audit_log(request: HttpRequest) -> HttpResponse:
    _require_reader(request)
    return _shown(request)


@login_required
@require_POST
def verify_audit(request: HttpRequest) -> HttpResponse:
    """POST asks a worker; the job's page shows how far it is and what it found."""
    _require_reader(request)
    head = request.POST.get("expect_head", "")[:LONGEST_SEARCH]
    try:
        job = verification.ask(by=Actor.person(request.user), expect_head=head)  # type: ignore[arg-type]
    except DonnaError as error:
        messages.error(request, error.message)
        return _shown(request, status=error.status, expect_head=head)
    return redirect("job_detail", job_id=job.pk)


def _shown(request: HttpRequest, *, status: int = 200, expect_head: str = "") -> HttpResponse:
    types = selectors.subject_types()
    chosen = _chosen(request, types)
    found = selectors.events(**chosen)
    context = {
        "page": Paginator(found, PAGE).get_page(request.GET.get("page")),
        "filters": _filters(chosen, types),
        "filtered": any(chosen.values()),
        "standing": verification.latest(),
        "expect_head": expect_head,
    }
    return render(request, "audit/audit_log.html", context, status=status)


def _require_reader(request: HttpRequest) -> None:
    if not may(request.user, Permission.VIEW_AUDIT):
        raise PermissionDenied("Reviewers and admins may read the audit log.")


def _chosen(request: HttpRequest, types: list[str]) -> dict[str, Any]:
    """What the address asks for; what is none of the choices, or no day, is no filter."""
    kind, subject = request.GET.get("actor_kind", ""), request.GET.get("subject_type", "")
    return {
        "actor_kind": kind if kind in ActorKind.values else "",
        "subject_type": subject if subject in types else "",
        "text": request.GET.get("text", "").strip().replace("\x00", "")[:LONGEST_SEARCH],
        "since": _day(request.GET.get("since", "")),
        "until": _day(request.GET.get("until", "")),
    }


def _filters(chosen: dict[str, Any], types: list[str]) -> list[dict[str, Any]]:
    days = [
        {"name": name, "label": label, "type": "date", "value": chosen[name].isoformat() if chosen[name] else ""}
        for name, label in (("since", "From (UTC)"), ("until", "Until (UTC)"))
    ]
    return [
        {"name": "text", "label": "Action, actor or id", "value": chosen["text"]},
        {"name": "actor_kind", "label": "By", "choices": ActorKind.choices, "value": chosen["actor_kind"]},
        {
            "name": "subject_type",
            "label": "About",
            "choices": [(one, one) for one in types],
            "value": chosen["subject_type"],
        },
        *days,
    ]


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None
