"""Keep the groups behind the roles as the code expects them. Run after every `migrate`; harmless to repeat."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.contrib.auth.models import Group
from django.contrib.auth.models import Permission as StoredPermission

from donna_skills.accounts.roles import ROLE_PERMISSIONS, Role
from donna_skills.entities import Entity

# What an administrator may do in the admin beyond looking: (app label, codename).
ADMIN_GRANTS = (
    ("accounts", "add_apitoken"),
    ("accounts", "change_apitoken"),
    ("accounts", "add_user"),
    ("accounts", "change_user"),
    ("auth", "view_group"),
)


def sync(app_config: AppConfig, **_signal: Any) -> None:
    """Connected to post_migrate.

    1. A group that is not there is made with its role's permissions. One that is there keeps what an installation
       granted or took away.
    2. Each role may look at our tables: a new table must not be invisible to those who were there before it.
    """
    if app_config.label == "accounts":
        _make_missing_groups()
        _grant(Role.ADMIN, ADMIN_GRANTS)
    for model in app_config.get_models():
        if issubclass(model, Entity):
            grants = [(app_config.label, f"view_{model._meta.model_name}")]
            for role in getattr(model, "VIEW_ROLES", tuple(Role)):
                _grant(role, grants)


def _make_missing_groups() -> None:
    for role, permissions in ROLE_PERMISSIONS.items():
        _, created = Group.objects.get_or_create(name=role.value)
        if created:
            _grant(role, [("accounts", permission.value) for permission in sorted(permissions)])


def _grant(role: str, grants: Any) -> None:
    group = Group.objects.filter(name=str(role)).first()
    if group is None:
        return
    for app_label, codename in grants:
        found = StoredPermission.objects.filter(content_type__app_label=app_label, codename=codename)
        group.permissions.add(*found)
