"""One row by one value, for the few reads that every request makes.

Django builds the statement anew for each query, which costs several times what the database needs for such a read. Here
it is built once per process, and the row still becomes a model instance through the fields' own converters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, cached_property
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db import connection, models
from django.db.backends.utils import CursorWrapper

M = TypeVar("M", bound=models.Model)
_MARK = "\N{WHITE MEDIUM STAR} the value that is asked for"
ANY_ID = UUID(int=2**128 - 1)


@contextmanager
def prepared() -> Iterator[CursorWrapper]:
    """A cursor on the thread's connection whose statements the database keeps ready where it can.

    PostgreSQL plans a statement anew each time that Django sends it with its values inside; this one sends them apart,
    and the server keeps the plan. Transactions, errors and the log of queries are Django's as always.
    """
    if connection.vendor != "postgresql":
        with connection.cursor() as cursor:
            yield cursor
        return
    connection.ensure_connection()
    own = _prepared_cursor_class()(connection.connection)
    with connection.make_debug_cursor(own) if connection.queries_logged else connection.make_cursor(own) as cursor:
        yield cursor


@cache
def _prepared_cursor_class() -> Any:
    """psycopg's server-side binding; imported here, because SQLite installations need no driver."""
    import psycopg

    class PreparedCursor(psycopg.Cursor):
        def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
            return super().execute(query, params, **{**options, "prepare": True})

    return PreparedCursor


class UniqueLookup(Generic[M]):
    """`UniqueLookup(ApiToken, "digest").get(value)`; make it at module level, so that it is prepared once.

    With `lock` the row is held until the transaction ends, where the database can hold one row.
    """

    def __init__(self, model: type[M], field: str, *, lock: bool = False) -> None:
        self._model, self._field, self._lock = model, field, lock

    def get(self, value: Any) -> M | None:
        """The instance, or None."""
        statement, names, converters = self._prepared
        column = self._model._meta.get_field(self._field)
        with prepared() as cursor:
            cursor.execute(statement, [column.get_db_prep_value(value, connection)])  # type: ignore[union-attr]
            row = cursor.fetchone()
        if row is None:
            return None
        values = list(row)
        for index, convert in converters:
            values[index] = convert(values[index])
        return self._model.from_db(connection.alias, names, values)

    @cached_property
    def _prepared(self) -> tuple[str, list[str], list[tuple[int, Callable[[Any], Any]]]]:
        fields = self._model._meta.concrete_fields
        quote = connection.ops.quote_name
        columns = ", ".join(quote(str(field.column)) for field in fields)
        wanted = quote(str(self._model._meta.get_field(self._field).column))  # type: ignore[union-attr]
        statement = f"SELECT {columns} FROM {quote(self._model._meta.db_table)} WHERE {wanted} = %s"  # noqa: S608
        if self._lock and connection.features.has_select_for_update:
            statement += " FOR UPDATE"
        converters = [(index, convert) for index, field in enumerate(fields) for convert in _converters(field)]
        return statement, [str(field.attname) for field in fields], converters


class PreparedRow:
    """Some columns of one row that may come from several tables: `PreparedRow(lambda name: Skill.objects.filter(
    capability__name=name).values_list("state", "paused"))`.

    The values are the database's own, so ask for texts, numbers and booleans (0 and 1 on SQLite), not for dates or ids.
    """

    def __init__(self, build: Callable[[Any], models.QuerySet[Any, Any]], *, mark: str | UUID = _MARK) -> None:
        """`mark` stands for the value while the statement is built: give an id where an id is asked for."""
        self._build, self._mark = build, mark

    def get(self, value: Any) -> tuple[Any, ...] | None:
        statement, parameters = self._prepared
        with prepared() as cursor:
            cursor.execute(statement, [self._filled(given, value) for given in parameters])
            row: tuple[Any, ...] | None = cursor.fetchone()
        return row

    def _filled(self, given: Any, value: Any) -> Any:
        if isinstance(self._mark, UUID) and given == self._mark.hex:
            return value.hex  # SQLite keeps ids as text
        return value if given == self._mark else given

    @cached_property
    def _prepared(self) -> tuple[str, tuple[Any, ...]]:
        return self._build(self._mark).order_by()[:1].query.sql_with_params()


def _converters(field: models.Field[Any, Any]) -> list[Callable[[Any], Any]]:
    """What turns the database's value into Python's, as in a query by Django itself."""
    expression = field.get_col(field.model._meta.db_table)
    found = [*connection.ops.get_db_converters(expression), *expression.get_db_converters(connection)]
    return [_bound(convert, expression) for convert in found]


def _bound(convert: Callable[..., Any], expression: models.Expression) -> Callable[[Any], Any]:
    return lambda value: convert(value, expression, connection)
