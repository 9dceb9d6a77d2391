"""Skills: the list, one skill with its versions, runs, fixtures and history, its comparisons, and its switches."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from donna_skills import shell
from donna_skills.accounts.actors import Actor
from donna_skills.accounts.roles import Permission, may
from donna_skills.errors import DonnaError
from lifecycle import agreement, evolution_selectors, selectors, skill_pages
from lifecycle.models import Skill
from lifecycle.services import skills as service
from lifecycle.states import STATES, State

PAGE = 50
SHOWN = 50
LONGEST_TEXT = 200


@login_required
def skill_list(request: HttpRequest) -> HttpResponse:
    wanted = request.GET.get("state", "")
    state = wanted if wanted in State.values else ""
    text = request.GET.get("q", "").replace("\0", "").strip()[:LONGEST_TEXT]
    found = selectors.skill_list(state=state, text=text).order_by("capability__name")
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": skill_pages.rows(list(page), timezone.now()),
        "filters": [
            {"name": "state", "label": "State", "choices": State.choices, "value": state},
            {"name": "q", "label": "Name or description", "value": text},
        ],
        "narrowed": bool(state or text),
    }
    return render(request, "lifecycle/skill_list.html", context)


@login_required
def skill_detail(request: HttpRequest, name: str) -> HttpResponse:
    skill = get_object_or_404(Skill.objects.for_page(), capability__name=name)
    body = {"capability": name, "inputs": skill_pages.example_inputs(skill)}
    context = {
        "skill": skill,
        "meaning": STATES[State(skill.state)].meaning,
        "chart": agreement.chart(skill),
        "outlook": skill_pages.outlook(skill, selectors.why_not(skill)),
        "may_pause": may(request.user, Permission.PAUSE_SKILLS),
        "may_lift_gate": may(request.user, Permission.DECIDE_REVIEWS),
        "bettering": evolution_selectors.of_skill(skill, actor=Actor.person(request.user)),  # type: ignore[arg-type]
        "curl": shell.curl_line(request, "/api/v1/runs", body=body),
        "versions": list(skill.versions.select_related("author").order_by("-number")[:SHOWN]),
        "transitions": list(skill.transitions.select_related("person")[:SHOWN]),
        "runs": selectors.recent_runs(skill=skill),
        "comparisons": skill_pages.comparisons(skill),
        "fixtures": list(skill.fixtures.order_by("name")[:SHOWN]),
        "files": selectors.text_files(skill.current_version),
    }
    return render(request, "lifecycle/skill_detail.html", context)


@login_required
def comparison_list(request: HttpRequest, name: str) -> HttpResponse:
    skill = get_object_or_404(Skill.objects.for_page(), capability__name=name)
    wanted = request.GET.get("kind", "")
    kind = wanted if wanted in dict(agreement.KINDS) else ""
    found = Paginator(agreement.comparisons(skill, kind=kind), PAGE)
    context = {
        "skill": skill,
        "chart": agreement.chart(skill),
        "page": found.get_page(request.GET.get("page")),
        "filters": [{"name": "kind", "label": "Show", "choices": agreement.KINDS, "value": kind}],
        "kind": kind,
    }
    return render(request, "lifecycle/comparison_list.html", context)


@login_required
@require_POST
def switch_skill(request: HttpRequest, name: str) -> HttpResponse:
    """One switch a POST: pause, resume, close or lift the human gate."""
    skill = get_object_or_404(Skill.objects.for_page(), capability__name=name)
    actor, note = Actor.person(request.user), request.POST.get("note", "").strip()[:2_000]  # type: ignore[arg-type]
    try:
        match request.POST.get("switch"):
            case "pause":
                service.pause(skill, actor=actor, note=note)
                said = "It is paused: the reference model answers until somebody resumes it."
            case "resume":
                service.resume(skill, actor=actor, note=note)
                said = "It goes on as before."
            case "close_gate":
                service.set_human_gate(skill, True, actor=actor)
                said = "A person is asked before each promotion."
            case "lift_gate":
                service.set_human_gate(skill, False, actor=actor)
                said = "It is promoted on its evidence from now on."
            case _:
                return redirect("skill_detail", name=name)
    except DonnaError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, said)
    return redirect("skill_detail", name=name)
