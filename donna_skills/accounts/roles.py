"""Who may do what: roles are Django groups, and a permission is asked for in one place.

The table below is what an installation starts with. Django's own permissions carry it, so that an administrator can
grant differently without code, and `may` is the one question that buttons and POST checks both ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from django.db import models

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from donna_skills.accounts.models import User


class Role(models.TextChoices):
    """Each value is the name of a group."""

    VIEWER = "viewer", "Viewer"
    OPERATOR = "operator", "Operator"
    AUTHOR = "author", "Author"
    REVIEWER = "reviewer", "Reviewer"
    ADMIN = "admin", "Administrator"


class Permission(models.TextChoices):
    """Each value is the codename of a permission of the app `accounts`."""

    RUN_SKILLS = "run_skills", "Can run skills"
    OPERATE_AUTOMATIONS = "operate_automations", "Can create, change, pause and run automations"
    EDIT_SKILLS = "edit_skills", "Can write drafts and edit skills"
    DECIDE_REVIEWS = "decide_reviews", "Can approve, reject and override"
    PAUSE_SKILLS = "pause_skills", "Can pause and resume skills"
    MANAGE_TOKENS = "manage_tokens", "Can create, rotate and revoke tokens"
    MANAGE_SETTINGS = "manage_settings", "Can change channels and other settings"
    BREAK_GLASS = "break_glass", "Can override a rule in an emergency"
    VIEW_AUDIT = "view_audit", "Can read the audit log"


ROLE_PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.VIEWER: frozenset(),
    Role.OPERATOR: frozenset({Permission.RUN_SKILLS, Permission.OPERATE_AUTOMATIONS, Permission.PAUSE_SKILLS}),
    Role.AUTHOR: frozenset({Permission.RUN_SKILLS, Permission.EDIT_SKILLS}),
    Role.REVIEWER: frozenset(
        {Permission.RUN_SKILLS, Permission.DECIDE_REVIEWS, Permission.PAUSE_SKILLS, Permission.VIEW_AUDIT}
    ),
    Role.ADMIN: frozenset(Permission),
}


def may(user: User | AnonymousUser | None, permission: Permission) -> bool:
    """Whether this person may; nobody inactive may anything, a superuser may everything."""
    return user is not None and user.has_perm(f"accounts.{permission.value}")
