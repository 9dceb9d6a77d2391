"""Pages about the installation itself."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from donna_skills import inforce
from donna_skills.accounts.roles import Permission, may
from donna_skills.llm import routing


@login_required
def settings_in_force(request: HttpRequest) -> HttpResponse:
    if not may(request.user, Permission.MANAGE_SETTINGS):
        raise PermissionDenied("Admins may read the settings.")
    context = {
        "groups": inforce.groups(),
        "environment": inforce.environment(),
        "models": routing.status()["aliases"],
    }
    return render(request, "settings_in_force.html", context)
