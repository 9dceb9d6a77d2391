"""Triggers that refuse change: of whole rows, or of some columns, made anew when they are lost or outdated."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.apps import apps
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import QuerySet

from donna_skills.accounts.models import User
from donna_skills.audit import append_only
from tests.accounts.people import make_person


@pytest.fixture
def protected_names(transactional_db: None) -> Iterator[None]:
    """People whose username and e-mail address never change, and who cannot be deleted."""
    append_only.protect("accounts.User", columns=["username", "email"])
    append_only.ensure_triggers()
    yield
    with append_only.lifted():
        del append_only._protections["accounts.User"]


def test_named_columns_keep_their_values_and_others_may_change(protected_names: None) -> None:
    anna = make_person("anna", email="anna@example.org")
    anna.first_name = "Anna"
    anna.save()  # writes every column, the protected ones with the values they have
    for change in ({"username": "hannah"}, {"email": ""}):
        with pytest.raises(IntegrityError, match="username, email cannot be changed"), transaction.atomic():
            User.objects.filter(pk=anna.pk).update(**change)
    with pytest.raises(IntegrityError), transaction.atomic():
        _delete(User.objects.filter(pk=anna.pk))
    anna.refresh_from_db()
    assert (anna.username, anna.first_name) == ("anna", "Anna")


def test_a_table_that_may_be_deleted_from_still_refuses_updates(transactional_db: None) -> None:
    append_only.protect("accounts.User", delete=False)
    append_only.ensure_triggers()
    make_person("anna")
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.update(first_name="Anna")
    assert _delete(User.objects.all()) == 1
    with append_only.lifted():
        del append_only._protections["accounts.User"]


def test_a_lost_trigger_is_reported_and_made_anew(protected_names: None) -> None:
    assert append_only.missing_triggers() == []
    table = User._meta.db_table
    append_only._drop(table, append_only._existing(table))
    assert [sentence.split()[0] for sentence in append_only.missing_triggers()] == [table]
    append_only.ensure_triggers(apps.get_app_config("accounts"))
    assert append_only.missing_triggers() == []


def test_a_changed_definition_replaces_the_old_trigger(protected_names: None) -> None:
    make_person("anna")
    append_only.protect("accounts.User", columns=["email"])
    append_only.ensure_triggers()
    User.objects.update(username="hannah")
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.update(email="hannah@example.org")


def test_making_them_again_changes_nothing(protected_names: None) -> None:
    table = User._meta.db_table
    before = append_only._existing(table)
    append_only.ensure_triggers()
    assert append_only._existing(table) == before


def test_a_rebuilt_table_is_protected_again_after_migrate(transactional_db: None) -> None:
    """SQLite rebuilds a table for most schema changes, and loses its triggers on the way."""
    model = apps.get_model("audit.AuditEvent")
    table = model._meta.db_table
    if connection.vendor == "sqlite":
        with connection.schema_editor() as editor:
            editor._remake_table(model)
        assert append_only.missing_triggers()
    append_only.ensure_triggers(apps.get_app_config("audit"))
    assert append_only.missing_triggers() == []
    assert append_only._existing(table)


@pytest.mark.django_db(transaction=True)
def test_postgresql_refuses_to_empty_the_table_at_once() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no TRUNCATE; its DELETE is refused row by row")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("TRUNCATE audit_auditevent")


def _delete(rows: QuerySet[User]) -> int:
    """The bare DELETE, without Django's look at every table that refers to a person."""
    return rows._raw_delete(using="default")
