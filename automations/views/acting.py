"""What a person does to an automation: run it, pause it, go on, copy it, share it, delete it; and cancel a run."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from automations.forms import ShareForm
from automations.models import Automation
from automations.services import automations, settlement
from automations.services.automations import Share
from automations.views import asking, looking
from donna_skills import fragments
from donna_skills.accounts.actors import Actor
from donna_skills.errors import DonnaError


@login_required
@require_POST
def run_now(request: HttpRequest, automation_id: UUID) -> HttpResponse:
    """With htmx the line that follows the run; without it a redirect to the run's page."""
    automation = asking.automation(request, automation_id)
    try:
        run = automations.run_now(automation, actor=asking.actor(request))
    except DonnaError as error:
        if fragments.wanted(request):
            return render(request, "automations/_run_line.html", {"refusal": error}, status=_swapped(error))
        return looking.detail(request, automation, refusal=error)
    if fragments.wanted(request):
        return render(request, "automations/_run_line.html", {"run": run})
    return redirect("automation_run", run_id=run.pk)


@login_required
@require_POST
def change(request: HttpRequest, automation_id: UUID, act: str) -> HttpResponse:
    """One of ACTS; what the service refuses is said on the page, with the automation as it is."""
    automation = asking.automation(request, automation_id)
    if act not in ACTS:
        raise Http404(f"An automation cannot {act}.")
    try:
        done, said = ACTS[act](automation, asking.actor(request))
    except DonnaError as error:
        return looking.detail(request, asking.automation(request, automation_id), refusal=error)
    messages.success(request, said)
    return redirect("automation_detail", automation_id=done.pk)


@login_required
def delete(request: HttpRequest, automation_id: UUID) -> HttpResponse:
    """GET asks once more and says what will be; POST does it."""
    if request.method != "POST":
        automation = asking.changeable(request, automation_id)
        follows = list(automation.follows.select_related("automation"))
        waiting = automation.runs.filter(status="queued").count()
        context = {"automation": automation, "follows": follows, "waiting": waiting}
        return render(request, "automations/automation_delete.html", context)
    automation = asking.automation(request, automation_id)
    try:
        automations.delete(automation, actor=asking.actor(request))
    except DonnaError as error:
        return looking.detail(request, asking.automation(request, automation_id), refusal=error)
    messages.success(request, f"{automation.name} is deleted. Its runs stay readable.")
    return redirect("automation_list")


@login_required
@require_POST
def share(request: HttpRequest, automation_id: UUID) -> HttpResponse:
    """Let one more in, or take one out: the services take the whole list."""
    automation = asking.automation(request, automation_id)
    out = request.POST.get("out", "")
    rows = [one for one in automation.shares.select_related("person", "group") if str(one.pk) != out]
    wanted = [
        Share(
            one.level, person=one.person.get_username() if one.person else "", group=one.group.name if one.group else ""
        )
        for one in rows
    ]
    form = ShareForm(request.POST)
    if not out:
        if not form.is_valid():
            return _unshared(request, automation, form)
        who, kind = form.cleaned_data["who"], form.cleaned_data["kind"]
        named = [one for one in wanted if (one.person if kind == "person" else one.group) != who]
        added = Share(form.cleaned_data["level"], **{kind: who})
        wanted = [*named, added]
    try:
        automations.share(automation, wanted, actor=asking.actor(request))
    except DonnaError as error:
        if error.errors and not out:
            form.add_error("who", " ".join(one.message for one in error.errors))
            return _unshared(request, automation, form)
        return looking.detail(request, automation, refusal=error)
    messages.success(request, "They are let in." if not out else "They are no longer let in.")
    return redirect("automation_detail", automation_id=automation.pk)


@login_required
@require_POST
def cancel_run(request: HttpRequest, run_id: UUID) -> HttpResponse:
    run = asking.run(request, run_id)
    try:
        settlement.cancel(run, actor=asking.actor(request))
    except DonnaError as error:
        return looking.shown_run(request, asking.run(request, run_id), refusal=error)
    if fragments.wanted(request):
        return looking.shown_run(request, asking.run(request, run_id))
    messages.success(request, "The run is cancelled.")
    return redirect("automation_run", run_id=run.pk)


def _unshared(request: HttpRequest, automation: Automation, form: ShareForm) -> HttpResponse:
    response = looking.detail(request, automation, share=form)
    response.status_code = 422
    return response


def _pause(automation: Automation, actor: Actor) -> tuple[Automation, str]:
    return automations.pause(automation, actor=actor), f"{automation.name} is paused. A run that is on goes on."


def _resume(automation: Automation, actor: Actor) -> tuple[Automation, str]:
    return automations.resume(automation, actor=actor), f"{automation.name} goes on."


def _duplicate(automation: Automation, actor: Actor) -> tuple[Automation, str]:
    made = automations.duplicate(automation, actor=actor)
    return made, f"{made.name} is made and paused: change it, then resume it."


ACTS: dict[str, Callable[[Automation, Actor], tuple[Automation, str]]] = {
    "pause": _pause,
    "resume": _resume,
    "duplicate": _duplicate,
}


def _swapped(error: DonnaError) -> int:
    """htmx swaps 2xx, 409 and 422; whatever else a service says is shown in the place with 422."""
    return error.status if error.status in {409, 422} else 422
