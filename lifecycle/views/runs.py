"""Runs: the list, one run with all that it left, and what a person makes of it: a correction, a fixture."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from donna_skills import shortening
from donna_skills.accounts.actors import Actor
from donna_skills.errors import DonnaError
from donna_skills.llm import ledger
from lifecycle import selectors
from lifecycle.models import Fixture, RunPath, RunStatus, SkillRun
from lifecycle.services import corrections, fixtures

PAGE = 50
LONGEST_VALUE = 100_000
LONGEST_FIELD, MOST_FIELDS = 200, 50


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
    return _page(request, _run(run_id))


@login_required
@require_POST
def correct_run(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """One field, and what it should have been: JSON where it reads as JSON, otherwise the text as it was typed."""
    run = _run(run_id)
    typed = {name: request.POST.get(name, "").strip()[:LONGEST_VALUE] for name in ("field", "corrected", "note")}
    try:
        corrections.add(
            run, field=typed["field"], corrected=_value(typed["corrected"]), note=typed["note"], actor=_actor(request)
        )
    except DonnaError as error:
        return _page(request, run, typed=typed, refused="correct", refusal=error, status=error.status)
    messages.success(request, f"The correction of {typed['field']} is recorded.")
    return redirect("run_detail", run_id=run.pk)


@login_required
@require_POST
def capture_run(request: HttpRequest, run_id: UUID) -> HttpResponse:
    run = _run(run_id)
    typed = {"name": request.POST.get("name", "").strip()}
    try:
        fixture = fixtures.capture(run, name=typed["name"], actor=_actor(request))
    except DonnaError as error:
        return _page(request, run, typed=typed, refused="capture", refusal=error, status=error.status)
    messages.success(request, f"Every later version is held against the fixture “{fixture.name}” now.")
    return redirect("run_detail", run_id=run.pk)


def _run(run_id: UUID) -> SkillRun:
    related = ("capability__skill", "version", "skill", "fallback_of", "shadow_of", "token", "requested_by")
    return get_object_or_404(SkillRun.objects.select_related(*related), pk=run_id)


def _page(
    request: HttpRequest,
    run: SkillRun,
    *,
    typed: dict[str, str] | None = None,
    refused: str = "",
    refusal: DonnaError | None = None,
    status: int = 200,
) -> HttpResponse:
    actor = _actor(request)
    steps, corrected = list(run.steps.order_by("index")), list(run.corrections.select_related("by", "token"))
    context = {
        "run": run,
        "steps": steps,
        "tool_calls": run.tool_calls,
        "corrections": corrected,
        "room": shortening.share(len(steps) + len(run.tool_calls) + 2 * len(corrected)),
        "fallback": run.fallbacks.first(),
        "shadowed_by": run.shadows.first(),
        "calls": list(ledger.calls_of(run.pk)[:200]),
        "comparison": selectors.comparison_of(run),
        "captured": list(Fixture.objects.filter(captured_from=run)[:5]),
        "fields": _fields(run.output),
        "may_correct": run.output is not None and corrections.may_correct(actor),
        "may_capture": fixtures.can_capture(run) and fixtures.may_capture(actor),
        "typed": typed or {},
        "refused": refused,
        "refusal": refusal,
    }
    return render(request, "lifecycle/run_detail.html", context, status=status)


def _fields(output: Any) -> list[str]:
    """Names to choose from: those that a person can read and a field can hold."""
    names = sorted(output) if isinstance(output, dict) else []
    return [name for name in names if name.isprintable() and len(name) <= LONGEST_FIELD][:MOST_FIELDS]


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _actor(request: HttpRequest) -> Actor:
    return Actor.person(request.user)  # type: ignore[arg-type]


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
