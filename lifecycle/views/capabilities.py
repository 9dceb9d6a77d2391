"""Capabilities: what can be asked for, and one of them with its contract and who answers."""

from __future__ import annotations

from dataclasses import asdict

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from donna_skills.accounts.actors import Actor
from donna_skills.accounts.roles import Permission, may
from donna_skills.errors import DonnaError
from lifecycle import capability_pages
from lifecycle.forms_capabilities import DescribeForm
from lifecycle.models import Capability, CapabilityStatus
from lifecycle.services import capabilities

PAGE = 50


@login_required
def capability_list(request: HttpRequest) -> HttpResponse:
    status, text = request.GET.get("status", ""), request.GET.get("q", "").replace("\x00", "")[:200]
    status = status if status in CapabilityStatus.values else ""
    found = capability_pages.capability_list(status=status, text=text)
    filters = [
        {"name": "q", "label": "Name or description", "value": text},
        {"name": "status", "label": "Status", "choices": CapabilityStatus.choices, "value": status},
    ]
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    return render(request, "lifecycle/capability_list.html", {"page": page, "filters": filters})


@login_required
def capability_detail(request: HttpRequest, name: str) -> HttpResponse:
    capability = _capability(name)
    return _shown(request, capability, form=DescribeForm.of(capability))


@login_required
@require_POST
def describe_capability(request: HttpRequest, name: str) -> HttpResponse:
    """Change its words, never its contract."""
    capability, form = _capability(name), DescribeForm(request.POST)
    if not form.is_valid():
        return _shown(request, capability, form=form, status=422)
    by = Actor.person(request.user)  # type: ignore[arg-type]
    try:
        capabilities.describe(capability, actor=by, **form.cleaned_data)
    except DonnaError as error:
        for found in error.errors:
            form.add_error(found.path if found.path in form.fields else None, found.message)
        if not error.errors:
            messages.error(request, error.message)
        return _shown(request, capability, form=form, status=error.status)
    messages.success(request, f"{capability.name} is described anew.")
    return redirect("capability_detail", name=name)


def _capability(name: str) -> Capability:
    return get_object_or_404(Capability.objects.select_related("skill__current_version"), name=name)


def _shown(request: HttpRequest, capability: Capability, *, form: DescribeForm, status: int = 200) -> HttpResponse:
    page = capability_pages.capability_page(capability, now=timezone.now())
    context = {
        "capability": capability,
        "page": page,
        "answered": asdict(page.answered),
        "form": form,
        "may_describe": may(request.user, Permission.EDIT_SKILLS),
    }
    return render(request, "lifecycle/capability_detail.html", context, status=status)
