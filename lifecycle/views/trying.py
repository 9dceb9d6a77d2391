"""Try a skill from the browser: the capability's schema makes the form, the answer takes the way of a bot's."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from donna_skills import shell
from donna_skills.accounts.actors import Actor
from donna_skills.accounts.roles import Permission, may
from donna_skills.errors import DonnaError, NotPermitted
from lifecycle import forms, selectors
from lifecycle.models import Capability, SkillRun
from lifecycle.services import runs, waiting

WAIT_S = 30.0
FIRST_CHOICE = "parse_task"


@login_required
def try_skill(request: HttpRequest) -> HttpResponse:
    capabilities = selectors.active_capabilities()
    if request.method == "POST":
        capability = get_object_or_404(Capability.objects.active(), name=request.POST.get("capability", ""))
        return _run(request, capability, capabilities)
    chosen = _chosen(request, capabilities)
    context: dict[str, Any] = {"capabilities": capabilities, "capability": chosen}
    if chosen is not None:
        run = _own_run(request)
        context["fields"] = forms.fields(chosen, inputs=run.inputs if run else None)
        context |= _result(request, run)
    return render(request, "lifecycle/try.html", context)


def _run(request: HttpRequest, capability: Capability, capabilities: list[Capability]) -> HttpResponse:
    """POST acts: with htmx the form and the answer come back, without it a redirect to a page that shows both."""
    inputs, fields = forms.read(capability, request.POST)
    context: dict[str, Any] = {"capabilities": capabilities, "capability": capability, "fields": fields}
    status = 422
    if not any(field["error"] for field in fields):
        try:
            run = _answer(request, capability, inputs)
        except DonnaError as error:
            context["form_error"], status = error.message, error.status
            forms.place_errors(fields, error.errors)
        else:
            if not request.htmx:  # type: ignore[attr-defined]
                return redirect(f"{reverse('try_skill')}?capability={capability.name}&run={run.pk}#try-result")
            context |= _result(request, run)
            status = 200
    template = "lifecycle/_try.html" if request.htmx else "lifecycle/try.html"  # type: ignore[attr-defined]
    # htmx swaps 2xx, 409 and 422; whatever else the service says is shown in the form with 422.
    return render(request, template, context, status=status if status in {200, 409, 422} else 422)


def _answer(request: HttpRequest, capability: Capability, inputs: dict[str, Any]) -> SkillRun:
    if not may(request.user, Permission.RUN_SKILLS):
        raise NotPermitted("Viewers cannot run skills; ask an administrator for the role operator.")
    asked = runs.Request(actor=Actor.person(request.user), user_id=request.user.get_username())  # type: ignore[arg-type]
    run = waiting.answer(capability.name, inputs=inputs, request=asked, wait_s=WAIT_S)
    if run.is_open:
        messages.info(
            request, "It takes longer than half a minute and goes on; its page shows the answer when it is done."
        )
    return run


def _result(request: HttpRequest, run: SkillRun | None) -> dict[str, Any]:
    """What the answer's fragment shows: the run that the skill made, and the reference's answer where it stepped in."""
    if run is None:
        return {}
    first = run.fallback_of or run
    body = {"capability": run.capability.name, "inputs": run.inputs}
    return {
        "run": first,
        "fallback": run if run.fallback_of_id else None,
        "steps": list(run.steps.order_by("index")),
        "curl": shell.curl_line(request, "/api/v1/runs", body=body),
    }


def _own_run(request: HttpRequest) -> SkillRun | None:
    """The run named in the address, if it is this person's: what a form sent without JavaScript comes back to."""
    try:
        run_id = UUID(request.GET.get("run", ""))
    except ValueError:
        return None
    found = SkillRun.objects.select_related("capability", "fallback_of__capability")
    return found.filter(pk=run_id, requested_by=request.user).first()  # type: ignore[misc]


def _chosen(request: HttpRequest, capabilities: list[Capability]) -> Capability | None:
    by_name = {capability.name: capability for capability in capabilities}
    wanted = by_name.get(request.GET.get("capability", "")) or by_name.get(FIRST_CHOICE)
    return wanted or (capabilities[0] if capabilities else None)
