"""The two buttons that better a skill: ask for a better version, go back to an earlier one."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from donna_skills.accounts.actors import Actor
from donna_skills.errors import DonnaError
from lifecycle.models import Skill
from lifecycle.services import evolutions, rollbacks

LONGEST_NOTE = 2_000


@login_required
@require_POST
def improve_skill(request: HttpRequest, name: str) -> HttpResponse:
    """Ask; the page of the job shows how far it is."""
    skill = get_object_or_404(Skill.objects.for_page(), capability__name=name)
    try:
        job = evolutions.improve(skill, actor=_actor(request))
    except DonnaError as error:
        messages.error(request, error.message)
        return redirect("skill_detail", name=name)
    messages.success(request, f"A better version of {name} is being written. It will wait for a reviewer.")
    return redirect("job_detail", job.pk)


@login_required
@require_POST
def roll_skill_back(request: HttpRequest, name: str, number: int) -> HttpResponse:
    """Put one version in force again."""
    skill = get_object_or_404(Skill.objects.for_page(), capability__name=name)
    version = get_object_or_404(skill.versions, number=number)
    note = request.POST.get("note", "").strip()[:LONGEST_NOTE]
    try:
        rollbacks.roll_back(skill, version, actor=_actor(request), note=note)
    except DonnaError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, f"Version {number} serves again, and every answer is compared with the reference.")
    return redirect("skill_detail", name=name)


def _actor(request: HttpRequest) -> Actor:
    return Actor.person(request.user)  # type: ignore[arg-type]
