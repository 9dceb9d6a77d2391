"""Runs: the list, and one run with all that it left."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from donna_skills.llm import ledger
from lifecycle import selectors
from lifecycle.models import RunPath, RunStatus, SkillRun

PAGE = 50


@login_required
def run_list(request: HttpRequest) -> HttpResponse:
    filters = _filters(request)
    found = selectors.run_list(**{f["name"]: f["value"] for f in filters})
    page = Paginator(found.defer("inputs", "state", "output", "tool_calls", "triage").order_by("-id"), PAGE)
    return render(
        request, "lifecycle/run_list.html", {"page": page.get_page(request.GET.get("page")), "filters": filters}
    )


@login_required
def run_detail(request: HttpRequest, run_id: UUID) -> HttpResponse:
    related = ("capability", "version", "skill", "fallback_of", "shadow_of", "token", "requested_by")
    run = get_object_or_404(SkillRun.objects.select_related(*related), pk=run_id)
    context = {
        "run": run,
        "steps": list(run.steps.order_by("index")),
        "tool_calls": run.tool_calls,
        "corrections": list(run.corrections.select_related("by", "token")),
        "fallback": run.fallbacks.first(),
        "shadowed_by": run.shadows.first(),
        "calls": list(ledger.calls_of(run.pk)[:200]),
    }
    return render(request, "lifecycle/run_detail.html", context)


def _filters(request: HttpRequest) -> list[dict[str, Any]]:
    """The list's filters with what is chosen; a value that is none of the choices is no filter."""
    choices = {
        "status": ("Status", RunStatus.choices),
        "path": ("Answered by", RunPath.choices),
        "capability": ("Capability", [(c.name, c.name) for c in selectors.active_capabilities()]),
    }
    found = []
    for name, (label, options) in choices.items():
        value = request.GET.get(name, "")
        known = value if value in {option for option, _ in options} else ""
        found.append({"name": name, "label": label, "choices": options, "value": known})
    return found
