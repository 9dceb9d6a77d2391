"""Who may see, run and change an automation: one answer for pages, routes, the admin and the services themselves.

A bot acts for the person who answers for it. Owners may do everything to their own, operators and admins to all; whom
an owner lets in may look, or look and run.
"""

from __future__ import annotations

from django.db.models import Q, QuerySet

from automations.models import Automation, AutomationShare, ShareLevel
from donna_skills.accounts import roles
from donna_skills.accounts.actors import Actor, ActorKind
from donna_skills.accounts.models import User
from donna_skills.accounts.roles import Permission
from donna_skills.errors import NotFound, NotPermitted


def behind(actor: Actor) -> User | None:
    """The person that an actor is or acts for; None for the system, and for a bot that nobody answers for."""
    if actor.kind == ActorKind.BOT:
        return actor.token.owner if actor.token else None
    return actor.user


def may_create(actor: Actor) -> bool:
    """Operators and admins, and their bots."""
    return _operates(behind(actor))


def may_change(automation: Automation, actor: Actor) -> bool:
    person = behind(actor)
    if actor.kind == ActorKind.SYSTEM:
        return True
    return person is not None and person.is_active and (automation.owner_id == person.pk or _operates(person))


def may_run(automation: Automation, actor: Actor) -> bool:
    if may_change(automation, actor):
        return True
    person = behind(actor)
    return person is not None and person.is_active and _shares(automation, person, ShareLevel.RUN).exists()


def visible(actor: Actor) -> QuerySet[Automation]:
    """The automations that an actor may look at, deleted ones too."""
    person = behind(actor)
    if actor.kind == ActorKind.SYSTEM or _operates(person):
        return Automation.objects.all()
    if person is None or not person.is_active:
        return Automation.objects.none()
    let_in = AutomationShare.objects.filter(_for(person)).values("automation_id")
    return Automation.objects.filter(Q(owner=person) | Q(pk__in=let_in))


def get(automation_id: object, *, actor: Actor) -> Automation:
    """One that the actor may look at; NotFound for any other, so that nobody learns what there is."""
    found = visible(actor).for_page().filter(pk=automation_id).first()  # type: ignore[attr-defined]
    if found is None:
        raise NotFound("There is no such automation.")
    automation: Automation = found
    return automation


def require_change(automation: Automation, actor: Actor) -> None:
    if not may_change(automation, actor):
        raise NotPermitted("Only its owner, operators and admins may change this automation.")


def require_run(automation: Automation, actor: Actor) -> None:
    if not may_run(automation, actor):
        raise NotPermitted("Only its owner, operators, admins and those it is shared with to run may run it.")


def require_create(actor: Actor) -> User:
    """The owner of what the actor makes."""
    person = behind(actor)
    if person is None:
        raise NotPermitted("Nobody answers for this token, so that what it makes would have no owner.")
    if not _operates(person):
        raise NotPermitted("Only operators and admins, and their bots, may make automations.")
    return person


def _operates(person: User | None) -> bool:
    return person is not None and roles.may(person, Permission.OPERATE_AUTOMATIONS)


def _shares(automation: Automation, person: User, level: ShareLevel) -> QuerySet[AutomationShare]:
    return AutomationShare.objects.filter(_for(person), automation=automation, level=level)


def _for(person: User) -> Q:
    return Q(person=person) | Q(group__in=person.groups.all())
