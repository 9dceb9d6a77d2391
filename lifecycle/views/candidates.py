"""Candidates: what would be worth a skill, with its arithmetic, and the no to it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from donna_skills.accounts.actors import Actor
from donna_skills.errors import DonnaError
from lifecycle.models import Candidate, CandidateStatus
from lifecycle.services import candidates

PAGE = 25
LONGEST_REASON = 4_000


@login_required
def candidate_list(request: HttpRequest) -> HttpResponse:
    return render(request, "lifecycle/candidate_list.html", _list(request))


@login_required
@require_POST
def dismiss_candidate(request: HttpRequest, candidate_id: UUID) -> HttpResponse:
    """POST acts: with htmx the card comes back in its true state, without it a redirect to the list."""
    candidate = get_object_or_404(Candidate.objects.for_page(), pk=candidate_id)
    reason = request.POST.get("reason", "").strip()[:LONGEST_REASON]
    not_a_skill = request.POST.get("not_a_skill") == "true"
    refusal, status = "", 200
    try:
        candidate = candidates.dismiss(candidate, by=_actor(request), reason=reason, not_a_skill=not_a_skill)
    except DonnaError as error:
        candidate = Candidate.objects.for_page().get(pk=candidate_id)
        refusal, status = error.message, error.status
    else:
        messages.success(request, f"{candidate.capability.name} is dismissed.")
    shown: dict[str, Any] = {"refused": candidate.pk, "refusal": refusal, "reason": reason, "not_a_skill": not_a_skill}
    if request.htmx:  # type: ignore[attr-defined]
        context = {**_may(request), **shown, "candidate": candidate, "open": Candidate.objects.open().count()}
        return render(request, "lifecycle/_candidate_answer.html", context, status=status)
    if refusal:
        messages.error(request, refusal)
        return render(request, "lifecycle/candidate_list.html", {**_list(request), **shown}, status=status)
    return redirect("candidate_list")


def _list(request: HttpRequest) -> dict[str, Any]:
    """The candidates of one status, highest savings first; a status that is none of the choices is the open one."""
    wanted = request.GET.get("status", "")
    status = wanted if wanted in CandidateStatus.values else CandidateStatus.NEW.value
    found = Candidate.objects.for_page().filter(status=status).by_savings()
    return {
        **_may(request),
        "page": Paginator(found, PAGE).get_page(request.GET.get("page")),
        "status": status,
        "statuses": CandidateStatus.choices,
        "open": Candidate.objects.open().count(),
    }


def _may(request: HttpRequest) -> dict[str, bool]:
    actor = _actor(request)
    return {"may_dismiss": candidates.may_dismiss(actor), "may_rule_out": candidates.may_rule_out(actor)}


def _actor(request: HttpRequest) -> Actor:
    return Actor.person(request.user)  # type: ignore[arg-type]
