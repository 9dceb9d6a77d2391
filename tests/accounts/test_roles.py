"""Roles, permissions and actors."""

from __future__ import annotations

from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth.models import AnonymousUser, Group
from django.contrib.auth.models import Permission as StoredPermission
from django.db import IntegrityError, transaction

from donna_skills.accounts import groups, roles
from donna_skills.accounts.actors import Actor, ActorKind
from donna_skills.accounts.models import User
from donna_skills.accounts.roles import ROLE_PERMISSIONS, Permission, Role
from tests.accounts.people import make_bot_token, make_own_token, make_person


@pytest.mark.parametrize("role", list(Role))
def test_a_role_may_exactly_what_the_table_says(db: None, role: Role) -> None:
    person = make_person("somebody", role)
    assert {permission for permission in Permission if roles.may(person, permission)} == ROLE_PERMISSIONS[role]


def test_only_an_administrator_may_break_glass() -> None:
    assert [role for role in Role if Permission.BREAK_GLASS in ROLE_PERMISSIONS[role]] == [Role.ADMIN]


def test_the_migration_makes_the_groups_that_the_table_names() -> None:
    migration = import_module("donna_skills.accounts.migrations.0002_role_groups")
    assert {role: set(names) for role, names in migration.GROUPS.items()} == {
        role.value: {permission.value for permission in granted} for role, granted in ROLE_PERMISSIONS.items()
    }
    assert dict(Permission.choices) == migration.PERMISSIONS


def test_somebody_without_a_role_may_nothing(anna: User) -> None:
    assert not any(roles.may(anna, permission) for permission in Permission)
    assert not roles.may(AnonymousUser(), Permission.RUN_SKILLS)
    assert not roles.may(None, Permission.RUN_SKILLS)


def test_somebody_inactive_may_nothing_whatever_the_role(db: None) -> None:
    gone = make_person("gone", "admin", is_active=False, is_superuser=True)
    assert not any(roles.may(gone, permission) for permission in Permission)


def test_a_superuser_may_everything(db: None) -> None:
    chief = make_person("chief", is_superuser=True)
    assert all(roles.may(chief, permission) for permission in Permission)


def test_an_installation_can_grant_differently(db: None) -> None:
    permission = StoredPermission.objects.get(codename="pause_skills", content_type__app_label="accounts")
    Group.objects.get(name="viewer").permissions.add(permission)
    assert roles.may(make_person("watcher", "viewer"), Permission.PAUSE_SKILLS)


def test_syncing_again_keeps_what_an_installation_took_away_and_makes_a_lost_group_anew(db: None) -> None:
    operators = Group.objects.get(name="operator")
    operators.permissions.remove(StoredPermission.objects.get(codename="pause_skills"))
    Group.objects.get(name="author").delete()
    for _ in range(2):
        groups.sync(apps.get_app_config("accounts"))
    assert not operators.permissions.filter(codename="pause_skills").exists()
    assert roles.may(make_person("writer", "author"), Permission.EDIT_SKILLS)


def test_every_role_may_look_at_our_tables_except_where_a_model_says_who(db: None) -> None:
    viewers = set(Group.objects.get(name="viewer").permissions.values_list("codename", flat=True))
    administrators = set(Group.objects.get(name="admin").permissions.values_list("codename", flat=True))
    assert "view_user" in viewers
    assert not viewers & {"view_apitoken", "view_auditevent", "view_idempotencyrecord"}
    assert {"view_apitoken", "add_apitoken", "change_apitoken", "add_user", "change_user"} <= administrators
    assert not any(name.startswith("delete_") for name in administrators)


def test_only_people_have_permissions(administrator: User) -> None:
    token, _ = make_bot_token(owner=administrator)
    own, _ = make_own_token(administrator)
    for permission in Permission:
        assert Actor.person(administrator).may(permission)
        assert Actor.person(administrator, own).may(permission)
        assert not Actor.bot(token).may(permission)
        assert not Actor.system("nightly").may(permission)


def test_an_actor_describes_itself(administrator: User) -> None:
    token, _ = make_bot_token()
    assert Actor.system("nightly").describe() == "system nightly"
    assert Actor.person(administrator).describe() == "person root"
    assert Actor.bot(token).describe() == f"bot planner (dsk_{token.prefix})"
    assert [Actor.person(administrator).is_person, Actor.bot(token).is_person] == [True, False]


def test_the_database_knows_the_kinds_of_tokens(db: None, administrator: User) -> None:
    token, _ = make_bot_token()
    for change in ({"kind": "robot"}, {"person": administrator}, {"kind": "person"}, {"replaced_by": token}):
        with pytest.raises(IntegrityError), transaction.atomic():
            type(token).objects.filter(pk=token.pk).update(**change)
    assert set(ActorKind.values) == {"system", "person", "bot"}
