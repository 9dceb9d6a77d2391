"""Updates of one row that are made many times a second: the statement is built once per process.

Django builds the statement anew for each `update`, which costs several times what the database needs for it. Values
still go through the fields' own converters, and the database's constraints hold as always.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from django.db import connection, models

from donna_skills.lookups import prepared


class PreparedUpdate:
    """`PreparedUpdate(Run, set=["status"], add=["count"], where=["id", "status"])`, made at module level.

    It sets the fields of `set`, adds to those of `add`, in the rows in which those of `where` are as given. Fields are
    named as `update` names them, foreign keys by their `_id` too.
    """

    def __init__(
        self, model: type[models.Model], *, set: Sequence[str], where: Sequence[str], add: Sequence[str] = ()
    ) -> None:
        self._model, self._set, self._add, self._where = model, tuple(set), tuple(add), tuple(where)

    def run(self, values: Mapping[str, Any], *, where: Mapping[str, Any]) -> int:
        """The number of rows that were as asked for, and are changed. Raises KeyError for a value that is missing."""
        changed, kept = self._fields
        given = [_value(field, values[name]) for name, field in changed.items()]
        given += [_value(field, where[name]) for name, field in kept.items()]
        with prepared() as cursor:
            cursor.execute(self._statement, given)
            return int(cursor.rowcount)

    @cached_property
    def _fields(self) -> tuple[dict[str, models.Field[Any, Any]], dict[str, models.Field[Any, Any]]]:
        named: dict[str, Any] = {field.name: field for field in self._model._meta.concrete_fields}
        named |= {field.attname: field for field in self._model._meta.concrete_fields}
        return {name: named[name] for name in (*self._set, *self._add)}, {name: named[name] for name in self._where}

    @cached_property
    def _statement(self) -> str:
        quote = connection.ops.quote_name
        changed, kept = self._fields
        columns = [(quote(str(field.column)), name in self._add) for name, field in changed.items()]
        changes = ", ".join(f"{column} = {column} + %s" if added else f"{column} = %s" for column, added in columns)
        conditions = " AND ".join(f"{quote(str(field.column))} = %s" for field in kept.values())
        return f"UPDATE {quote(self._model._meta.db_table)} SET {changes} WHERE {conditions}"  # noqa: S608


def _value(field: models.Field[Any, Any], value: Any) -> Any:
    return field.get_db_prep_save(value, connection)
