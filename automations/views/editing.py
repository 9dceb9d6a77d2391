"""Make and change an automation: one form, with help that saves nothing (preview, rehearsal, a test of a channel)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_POST

from automations import automation_pages, forms_conflicts, selectors, sheets
from automations.forms import time_zones
from automations.services import access, automations, proposals
from automations.sheets import Desk, Sheet
from automations.views import asking, helping
from donna_skills import fragments
from donna_skills.errors import DonnaError, PreconditionFailed
from lifecycle.models import Capability
from lifecycle.selectors import active_capabilities


@login_required
def create(request: HttpRequest) -> HttpResponse:
    """GET an empty form; POST one of the form's acts, of which `save` alone writes."""
    desk = _new_desk(request)
    if request.method != "POST":
        wanted = _capability(request.GET.get("capability", ""))
        return _page(request, sheets.of(desk, sheets.start_values(wanted), wanted, fresh=True))
    capability = _capability(request.POST.get("capability_name", ""))
    if request.POST.get("act", "save") != "save":
        return _page(request, *helping.help_with(request, desk, capability))
    sheet, values = sheets.read(desk, request.POST, capability)
    if values is None:
        return _page(request, sheet, status=422)
    try:
        made = automations.create(values, actor=desk.actor, via=sheet.via)  # type: ignore[arg-type]
    except DonnaError as error:
        sheet.place(error)
        return _page(request, sheet, {"refusal": error.message}, status=error.status)
    messages.success(request, f"{made.name} is made and {made.get_status_display().lower()}.")
    return redirect("automation_detail", automation_id=made.pk)


@login_required
@require_POST
def from_words(request: HttpRequest) -> HttpResponse:
    """A filled form to look at, never a saved automation; what the words leave open is asked for."""
    desk = _new_desk(request)
    text = request.POST.get("text", "").replace("\x00", "")
    try:
        found = proposals.from_text(text)
    except DonnaError as error:
        sheet = sheets.of(desk, sheets.start_values(None), None, fresh=True)
        return _page(request, sheet, {"text": text, "text_error": error.message}, status=error.status)
    capability = _capability(str(found.fields.get("capability_name", "")))
    values = {**sheets.start_values(capability), **found.fields}
    sheet = sheets.of(desk, values, capability, fresh=True)
    sheet.via = "text"
    for one in sheet.inputs:
        asked = [missing.question for missing in found.missing if missing.field == f"/inputs/{one['key']}"]
        one["error"] = " ".join(asked)
    return _page(request, sheet, {"text": text, "questions": [one.question for one in found.missing]})


@login_required
def edit(request: HttpRequest, automation_id: UUID) -> HttpResponse:
    """GET the form as the automation is kept; POST an act. What another changed meanwhile is shown, never undone."""
    automation = asking.changeable(request, automation_id)
    desk = Desk(automation.owner, asking.actor(request), automation)
    if request.method != "POST":
        return _page(request, sheets.kept(desk, automation, automation.capability))
    capability = _capability(request.POST.get("capability_name", "")) or automation.capability
    if request.POST.get("act", "save") != "save":
        return _page(request, *helping.help_with(request, desk, capability))
    sheet, values = sheets.read(desk, request.POST, capability)
    if values is None:
        return _page(request, sheet, status=422)
    changes = forms_conflicts.changed(values, forms_conflicts.read_snapshot(sheet.seen))
    try:
        changed = automations.update(automation, changes, actor=desk.actor, seen_revision=sheet.revision)
    except PreconditionFailed:
        return _overtaken(request, desk, values, seen=sheet.seen)
    except DonnaError as error:
        sheet.place(error)
        return _page(request, sheet, {"refusal": error.message}, status=error.status)
    messages.success(request, f"{changed.name} is changed." if changes else f"{changed.name} stays as it was.")
    return redirect("automation_detail", automation_id=changed.pk)


@login_required
def outlook(request: HttpRequest) -> HttpResponse:
    """The live part beside the schedule: what it means in words, its next starts, and what a month of it costs."""
    if not fragments.wanted(request):
        return redirect("automation_create")
    capability = _capability(request.GET.get("capability_name", ""))
    response = render(request, "automations/_outlook.html", {"outlook": helping.outlook(request.GET, capability)})
    patch_vary_headers(response, ["HX-Request"])
    return response


def _overtaken(request: HttpRequest, desk: Desk, values: Mapping[str, Any], *, seen: str) -> HttpResponse:
    """409: what the other person changed, with everything that this one typed; saving again is then deliberate."""
    assert desk.automation is not None
    newest = asking.automation(request, desk.automation.pk)
    kept = sheets.kept_values(newest)
    merged = forms_conflicts.merge(values, forms_conflicts.read_snapshot(seen), kept)
    capability = _capability(str(merged.values["capability_name"])) or newest.capability
    sheet = sheets.of(desk, merged.values, capability)
    sheet.revision, sheet.seen = newest.revision, forms_conflicts.snapshot(kept)
    told = {"differences": merged.differences, "newest": newest, "change": automation_pages.last_change(newest)}
    return _page(request, sheet, told, status=409)


def _page(
    request: HttpRequest, sheet: Sheet, more: Mapping[str, Any] | None = None, *, status: int = 200
) -> HttpResponse:
    automation = sheet.desk.automation
    url = reverse("automation_edit", args=[automation.pk]) if automation else reverse("automation_create")
    context: dict[str, Any] = {
        "sheet": sheet,
        "automation": automation,
        "capabilities": _choices(sheet.capability),
        "outlook": helping.outlook_of(sheet),
        "cost": selectors.cost_of(automation, timezone.now()) if automation else None,
        "url": url,
        "time_zones": time_zones(),
        **(more or {}),
    }
    page, fragment = "automations/automation_form.html", "automations/_form.html"
    return fragments.either(request, page=page, fragment=fragment, context=context, status=status)


def _choices(chosen: Capability | None) -> list[Capability]:
    """What can be chosen, and what is: a capability that is no longer active stays until somebody chooses another."""
    active = active_capabilities()
    return active if chosen is None or chosen in active else [chosen, *active]


def _new_desk(request: HttpRequest) -> Desk:
    actor = asking.actor(request)
    if not access.may_create(actor):
        raise PermissionDenied("Only operators and admins make automations.")
    return Desk(asking.person(request), actor)


def _capability(name: str) -> Capability | None:
    if not name or "\x00" in name:
        return None
    return Capability.objects.active().select_related("skill").filter(name=name).first()
