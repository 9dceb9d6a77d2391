"""Candidates: what would be worth a skill, with its arithmetic, the draft of it, and the no to it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from donna_skills import fragments
from donna_skills.accounts.actors import Actor
from donna_skills.errors import DonnaError
from lifecycle import draft_selectors
from lifecycle.models import Candidate, CandidateStatus
from lifecycle.services import candidates, drafts

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
    shown = {"refusal": refusal, "reason": reason, "not_a_skill": not_a_skill, "tried": "dismiss"}
    return _answer(request, candidate, shown, status=status)


@login_required
@require_POST
def draft_candidate(request: HttpRequest, candidate_id: UUID) -> HttpResponse:
    """Have it drafted; the card then shows how far the job is."""
    candidate = get_object_or_404(Candidate.objects.for_page(), pk=candidate_id)
    refusal, status = "", 200
    try:
        drafts.ask_for(candidate, by=_actor(request))
    except DonnaError as error:
        refusal, status = error.message, error.status
    else:
        messages.success(request, f"A skill for {candidate.capability.name} is being drafted.")
    candidate = Candidate.objects.for_page().get(pk=candidate_id)
    return _answer(request, candidate, {"refusal": refusal, "tried": "draft"}, status=status)


@login_required
def draft_progress(request: HttpRequest, candidate_id: UUID) -> HttpResponse:
    """For htmx how far the drafting is; once it is over, the whole card in its true state. The list for all others."""
    candidate = get_object_or_404(Candidate.objects.for_page(), pk=candidate_id)
    if not fragments.wanted(request):
        return redirect("candidate_list")
    drafting = draft_selectors.of_candidate(candidate)
    if drafting.under_way:
        return render(request, "lifecycle/_draft_progress.html", {"candidate": candidate, "drafting": drafting})
    came = "a draft waits for review" if candidate.status == CandidateStatus.DRAFTED else "no draft came of it"
    messages.info(request, f"{candidate.capability.name}: {came}.")
    response = _answer(request, candidate, {"refusal": ""})
    response["HX-Retarget"], response["HX-Reswap"] = f"#candidate-{candidate.pk}", "outerHTML"
    return response


def _answer(request: HttpRequest, candidate: Candidate, shown: dict[str, Any], *, status: int = 200) -> HttpResponse:
    """After a POST: with htmx the card as it is now; without it the list, with the refusal where there is one."""
    shown = {"refused": candidate.pk, **shown}
    if request.htmx:  # type: ignore[attr-defined]
        _with_drafting([candidate])
        context = {**_may(request), **shown, "candidate": candidate, "open": Candidate.objects.open().count()}
        return render(request, "lifecycle/_candidate_answer.html", context, status=status)
    if shown["refusal"]:
        messages.error(request, shown["refusal"])
        return render(request, "lifecycle/candidate_list.html", {**_list(request), **shown}, status=status)
    return redirect("candidate_list")


def _list(request: HttpRequest) -> dict[str, Any]:
    """The candidates of one status, highest savings first; a status that is none of the choices is the open one."""
    wanted = request.GET.get("status", "")
    status = wanted if wanted in CandidateStatus.values else CandidateStatus.NEW.value
    found = Candidate.objects.for_page().filter(status=status).by_savings()
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    page.object_list = _with_drafting(list(page.object_list))
    return {
        **_may(request),
        "page": page,
        "status": status,
        "statuses": CandidateStatus.choices,
        "open": Candidate.objects.open().count(),
    }


def _may(request: HttpRequest) -> dict[str, bool]:
    actor = _actor(request)
    return {
        "may_dismiss": candidates.may_dismiss(actor),
        "may_rule_out": candidates.may_rule_out(actor),
        "may_draft": drafts.may_ask(actor),
    }


def _with_drafting(shown: list[Candidate]) -> list[Candidate]:
    """Each card's candidate with what is known about its drafting."""
    drafting = draft_selectors.of_candidates(shown)
    for candidate in shown:
        candidate.drafting = drafting[candidate.pk]  # type: ignore[attr-defined]
    return shown


def _actor(request: HttpRequest) -> Actor:
    return Actor.person(request.user)  # type: ignore[arg-type]
