"""Skills: the list, and one skill with its versions, runs, fixtures and history."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from lifecycle import selectors
from lifecycle.models import Skill

PAGE = 50
SHOWN = 50


@login_required
def skill_list(request: HttpRequest) -> HttpResponse:
    found = selectors.skill_list(state=request.GET.get("state", ""), text=request.GET.get("q", "")[:200])
    skills = Paginator(found.order_by("capability__name"), PAGE).get_page(request.GET.get("page"))
    return render(request, "lifecycle/skill_list.html", {"skills": skills})


@login_required
def skill_detail(request: HttpRequest, name: str) -> HttpResponse:
    skill = get_object_or_404(Skill.objects.for_page(), capability__name=name)
    why_not = selectors.why_not(skill)
    context = {
        "skill": skill,
        "versions": list(skill.versions.select_related("author").order_by("-number")[:SHOWN]),
        "transitions": list(skill.transitions.select_related("person")[:SHOWN]),
        "runs": selectors.recent_runs(skill=skill),
        "fixtures": list(skill.fixtures.order_by("name")[:SHOWN]),
        "files": selectors.text_files(skill.current_version),
        "why_not": why_not if why_not.next_state else None,
    }
    return render(request, "lifecycle/skill_detail.html", context)
