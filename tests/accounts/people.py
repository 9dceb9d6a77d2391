"""Make people and tokens for tests."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group

from donna_skills.accounts import tokens
from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import ApiToken, TokenKind, User

SYSTEM = Actor.system("test")


def make_person(username: str, *roles: str, **fields: Any) -> User:
    user = User.objects.create(username=username, **fields)
    user.groups.add(*Group.objects.filter(name__in=roles))
    return user


def make_bot_token(*scopes: str, owner: User | None = None, **fields: Any) -> tuple[ApiToken, str]:
    return tokens.create(
        name="planner", owner=owner, scopes=scopes or ["runs:read"], kind=TokenKind.BOT, by=SYSTEM, **fields
    )


def make_own_token(person: User, *scopes: str) -> tuple[ApiToken, str]:
    return tokens.create(
        name="laptop", owner=person, scopes=scopes or ["runs:read"], kind=TokenKind.PERSON, person=person, by=SYSTEM
    )
