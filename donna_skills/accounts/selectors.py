"""Reads of people and their tokens for the profile."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q, QuerySet

from donna_skills.accounts.models import ApiToken, User
from donna_skills.accounts.roles import Permission


def tokens_of(person: User, *, now: datetime, ended: bool = False) -> QuerySet[ApiToken]:
    """The tokens that act for the person or that the person answers for: those that open the door, or those that no
    longer do."""
    over = Q(revoked_at__isnull=False) | Q(expires_at__lte=now) | Q(overlap_until__lte=now)
    found = ApiToken.objects.filter(Q(person=person) | Q(owner=person)).select_related("person", "owner")
    return found.filter(over) if ended else found.exclude(over)


def permissions_of(person: User) -> list[str]:
    """What the person may do, in words; one query, whatever gives it."""
    held = person.get_all_permissions()
    return [label for value, label in Permission.choices if f"accounts.{value}" in held]
