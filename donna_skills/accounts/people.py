"""People's accounts, where they are not made by hand in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group
from django.db import transaction

from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import User
from donna_skills.accounts.roles import Role
from donna_skills.audit import services as audit

DEMO_PASSWORD = "donna-demo"  # noqa: S105 -- printed and known on purpose


@transaction.atomic
def create_demo_users(*, password: str, by: Actor) -> list[tuple[User, bool]]:
    """One user per role, named like it; says for each whether it is new. Those that exist stay as they are."""
    return [_demo_user(role, password=password, by=by) for role in Role]


def _demo_user(role: Role, *, password: str, by: Actor) -> tuple[User, bool]:
    if present := User.objects.filter(username=role.value).first():
        return present, False
    # Staff may open the admin; what they see and change there is up to the role.
    user = User(username=role.value, email=f"{role.value}@example.org", first_name=role.label, is_staff=True)
    user.set_password(password)
    user.save(force_insert=True)
    user.groups.add(Group.objects.get(name=role.value))
    audit.record(
        "user.created",
        actor=by,
        subject_type="user",
        subject_id=user.pk,
        data={"username": role.value, "role": role.value},
    )
    return user, True


@transaction.atomic
def record_saved(user: User, *, created: bool, changes: Any, by: Actor) -> None:
    """Somebody added or changed a person in the admin: note what they may do now. `changes` are Django's own words."""
    audit.record(
        "user.created" if created else "user.changed",
        actor=by,
        subject_type="user",
        subject_id=user.pk,
        data={
            "username": user.username,
            "roles": sorted(user.groups.values_list("name", flat=True)),
            "is_active": user.is_active,
            "is_staff": user.is_staff,
            "is_superuser": user.is_superuser,
            "changes": changes,
        },
    )


@transaction.atomic
def record_role_changed(role: Group, *, by: Actor) -> None:
    """Somebody changed what a role grants: note what it grants now."""
    granted = role.permissions.values_list("content_type__app_label", "codename")
    audit.record(
        "role.changed",
        actor=by,
        subject_type="role",
        subject_id=role.pk,
        data={"name": role.name, "grants": sorted(".".join(pair) for pair in granted)},
    )
