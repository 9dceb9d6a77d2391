"""Many rows of one table, or one row many times a second: the statement is built once per process.

Django's `save` and `bulk_create` build it anew for each call, which for a wide table costs more than the insert itself.
The values still go through the fields' own `pre_save` and converters, and the database's constraints hold as always.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, IntegrityError, connection, connections, models

from donna_skills.lookups import prepared

M = TypeVar("M", bound=models.Model)


class PreparedInsert(Generic[M]):
    """`PreparedInsert(SkillRun)`, made at module level. A row that a unique constraint refuses is left out quietly.

    `computed` names columns that the database fills in itself, each with an expression that holds one `%s`, and the
    field whose value goes there: what another table says at that moment costs no question of its own.
    """

    def __init__(self, model: type[M], *, computed: Mapping[str, tuple[str, str]] | None = None) -> None:
        self._model = model
        self._computed = dict(computed or {})

    def insert(self, instance: M) -> bool:
        """Store the row; False when a row that is there already stood in its way."""
        with prepared() as cursor:
            cursor.execute(self._statement, self._values(instance))
            stored: bool = cursor.rowcount == 1
        return stored

    def create(self, instance: M) -> M:
        """Store the row, as `objects.create` does but for signals. Raises IntegrityError when another is in its way."""
        if not self.insert(instance):
            raise IntegrityError(f"A row that is there already stands in the way of {instance!r}.")
        instance._state.adding, instance._state.db = False, DEFAULT_DB_ALIAS
        return instance

    def insert_many(self, instances: Iterable[M]) -> None:
        """Store the rows, without those that a row which is there already stands in the way of."""
        rows = [self._values(instance) for instance in instances]
        if rows:
            with prepared() as cursor:
                cursor.executemany(self._statement, rows)

    def insert_like(self, example: M, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Store rows that are as the example but for the fields named, whose values each row holds in that order:
        ids, times, numbers, texts.

        For thousands of rows that have most in common: what they share is made ready for the database once.
        """
        shared = self._values(example)
        places = [[field.name for field in self._fields].index(name) for name in names]
        fields, database = [self._sources[place] for place in places], connections[DEFAULT_DB_ALIAS]
        ready: list[dict[Any, Any]] = [{} for _ in names]  # rows have times in common, and making one ready is dear
        values = []
        for row in rows:
            one = shared.copy()
            for place, field, value, known in zip(places, fields, row, ready, strict=True):
                if value not in known:
                    known[value] = field.get_db_prep_save(value, database)
                one[place] = known[value]
            values.append(one)
        if values:
            with prepared() as cursor:
                cursor.executemany(self._statement, values)

    def _values(self, instance: M) -> list[Any]:
        database = connections[DEFAULT_DB_ALIAS]  # the connection itself: its proxy costs a look-up at each attribute
        return [field.get_db_prep_save(field.pre_save(instance, True), database) for field in self._sources]

    @cached_property
    def _fields(self) -> list[models.Field[Any, Any]]:
        return list(self._model._meta.concrete_fields)

    @cached_property
    def _sources(self) -> list[models.Field[Any, Any]]:
        """For each column, the field whose value is sent for it: its own, or the one that it is computed from."""
        named: dict[str, Any] = {field.name: field for field in self._fields}
        return [named[self._computed[name][1]] if name in self._computed else field for name, field in named.items()]

    @cached_property
    def _statement(self) -> str:
        quote = connection.ops.quote_name
        columns = ", ".join(quote(str(field.column)) for field in self._fields)
        places = ", ".join(self._computed.get(field.name, ("%s",))[0] for field in self._fields)
        table = quote(self._model._meta.db_table)
        return f"INSERT INTO {table} ({columns}) VALUES ({places}) ON CONFLICT DO NOTHING"  # noqa: S608
