"""What every view of automations asks first: who is there, and which automation may they look at."""

from __future__ import annotations

from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest

from automations import selectors
from automations.models import Automation, AutomationRun
from automations.services import access
from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import User
from donna_skills.errors import NotFound


def person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # login_required lets nobody else this far
    return request.user


def actor(request: HttpRequest) -> Actor:
    return Actor.person(person(request))


def automation(request: HttpRequest, automation_id: UUID) -> Automation:
    """One that the person may look at; 404 for any other."""
    try:
        return access.get(automation_id, actor=actor(request))
    except NotFound as error:
        raise Http404(error.message) from None


def changeable(request: HttpRequest, automation_id: UUID) -> Automation:
    """One that the person may change; 403 where they may only look."""
    found = automation(request, automation_id)
    if not access.may_change(found, actor(request)):
        raise PermissionDenied("Only its owner, operators and admins may change this automation.")
    return found


def run(request: HttpRequest, run_id: UUID) -> AutomationRun:
    try:
        return selectors.get_run(run_id, actor=actor(request))
    except NotFound as error:
        raise Http404(error.message) from None
