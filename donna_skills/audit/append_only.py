"""Tables whose rows nobody can change or delete, because the database refuses.

An app says in its AppConfig.ready which of its models these are. The triggers are made after every `migrate` from that
list, and not by migrations: SQLite drops a table's triggers whenever a later migration rebuilds the table, and a list
that is compared with the database each time heals that by itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.apps import AppConfig, apps
from django.db import connection, models, transaction

_PREFIX = "append_only_"
_FUNCTION = "append_only_refuse"


@dataclass(frozen=True)
class Protection:
    """`columns` empty: no UPDATE at all. Otherwise only those columns keep their values, and the rest may change."""

    model_label: str
    columns: tuple[str, ...] = ()
    delete: bool = True

    @property
    def model(self) -> type[models.Model]:
        return apps.get_model(self.model_label)


_protections: dict[str, Protection] = {}


def protect(model_label: str, *, columns: Sequence[str] | None = None, delete: bool = True) -> None:
    """Call in AppConfig.ready: `protect("lifecycle.StateTransition")`, or with the fields that never change."""
    _protections[model_label] = Protection(model_label, tuple(columns or ()), delete)


def ensure_triggers(app_config: AppConfig | None = None, **_signal: Any) -> None:
    """Make what is missing and drop what is outdated; connected to post_migrate, harmless to repeat."""
    with transaction.atomic():
        for protection in _of(app_config):
            _apply(protection)


def missing_triggers() -> list[str]:
    """Which protections the database does not have as sentences; empty when all are in force."""
    found = []
    for protection in _of(None):
        table = protection.model._meta.db_table
        if absent := _wanted(protection).keys() - _existing(table):
            found.append(f"{table} lacks {len(absent)} of its triggers: run `manage.py migrate`.")
    return found


@contextmanager
def lifted() -> Iterator[None]:
    """Without the triggers, for a data migration that must rewrite history, and for emptying a test database."""
    with transaction.atomic():
        for protection in _of(None):
            table = protection.model._meta.db_table
            _drop(table, _existing(table))
    try:
        yield
    finally:
        ensure_triggers()


def _of(app_config: AppConfig | None) -> list[Protection]:
    """The protections of one app or of all, without tables that no migration has made yet or that one took back."""
    every = list(_protections.values())
    asked = every if app_config is None else [one for one in every if one.model._meta.app_config is app_config]
    tables = set(connection.introspection.table_names()) if asked else set()
    return [one for one in asked if one.model._meta.db_table in tables]


def _apply(protection: Protection) -> None:
    table = protection.model._meta.db_table
    wanted, existing = _wanted(protection), _existing(table)
    _drop(table, existing - wanted.keys())
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql" and wanted.keys() - existing:
            cursor.execute(_FUNCTION_SQL)
        for name in sorted(wanted.keys() - existing):
            cursor.execute(wanted[name])


def _drop(table: str, names: set[str]) -> None:
    with connection.cursor() as cursor:
        for name in sorted(names):
            on_table = f" ON {_quoted(table)}" if connection.vendor == "postgresql" else ""
            cursor.execute(f"DROP TRIGGER IF EXISTS {_quoted(name)}{on_table}")


def _existing(table: str) -> set[str]:
    statement = (
        "SELECT tgname FROM pg_trigger WHERE tgrelid = to_regclass(%s) AND NOT tgisinternal AND tgenabled <> 'D'"
        if connection.vendor == "postgresql"
        else "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [_quoted(table) if connection.vendor == "postgresql" else table])
        return {name for (name,) in cursor.fetchall() if name.startswith(_PREFIX)}


def _wanted(protection: Protection) -> dict[str, str]:
    """Name and statement of each trigger. A name ends in its definition's digest, so a changed one is made anew."""
    statements = _postgresql(protection) if connection.vendor == "postgresql" else _sqlite(protection)
    named = {}
    for statement in statements:
        name = f"{_PREFIX}{hashlib.sha256(statement.encode()).hexdigest()[:16]}"
        named[name] = statement.replace("{name}", _quoted(name), 1)
    return named


def _sqlite(protection: Protection) -> list[str]:
    table = _quoted(protection.model._meta.db_table)
    refuse = f"BEGIN SELECT RAISE(ABORT, '{_sentence(protection)}'); END"
    changed = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in _columns(protection))
    when = f" WHEN {changed}" if changed else ""
    found = [f"CREATE TRIGGER {{name}} BEFORE UPDATE ON {table}{when} {refuse}"]
    if protection.delete:
        found.append(f"CREATE TRIGGER {{name}} BEFORE DELETE ON {table} {refuse}")
    return found


def _postgresql(protection: Protection) -> list[str]:
    table = _quoted(protection.model._meta.db_table)
    call = f"EXECUTE FUNCTION {_FUNCTION}('{_sentence(protection)}')"
    changed = " OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in _columns(protection))
    when = f" WHEN ({changed})" if changed else ""
    found = [f"CREATE TRIGGER {{name}} BEFORE UPDATE ON {table} FOR EACH ROW{when} {call}"]
    if protection.delete:
        found.append(f"CREATE TRIGGER {{name}} BEFORE DELETE ON {table} FOR EACH ROW {call}")
        found.append(f"CREATE TRIGGER {{name}} BEFORE TRUNCATE ON {table} FOR EACH STATEMENT {call}")
    return found


# Class 23 is what both drivers report as IntegrityError.
_FUNCTION_SQL = f"""
CREATE OR REPLACE FUNCTION {_FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION USING MESSAGE = TG_ARGV[0], ERRCODE = 'restrict_violation'; END $$
"""


def _columns(protection: Protection) -> list[str]:
    meta = protection.model._meta
    return [_quoted(str(meta.get_field(name).column)) for name in protection.columns]  # type: ignore[union-attr]


def _sentence(protection: Protection) -> str:
    what = ", ".join(protection.columns) if protection.columns else "its rows"
    return f"{protection.model._meta.db_table} is append-only: {what} cannot be changed or deleted."


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)
