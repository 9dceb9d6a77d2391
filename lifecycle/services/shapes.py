"""The shape of an output, worked out by the database: rows are counted by shape without being read.

Two outputs have the same shape here if and only if `decisions.candidacy.shape` says so.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Func, TextField


class OutputShape(Func):
    """`OutputShape("output")`: an object's sorted top-level keys, another value's JSON type, as text.

    What JSON calls them differs between the databases, and so do their functions; a missing output is a null.
    """

    arity = 1
    output_field = TextField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        # An aggregate over a subselect that is in order keeps that order; the keys come back quoted, as a JSON array.
        template = """CASE COALESCE(json_type(%(expressions)s), 'null')
            WHEN 'object' THEN (
                SELECT json_group_array(key) FROM (SELECT key FROM json_each(%(expressions)s) ORDER BY key)
            )
            WHEN 'true' THEN 'boolean' WHEN 'false' THEN 'boolean'
            WHEN 'integer' THEN 'number' WHEN 'real' THEN 'number'
            ELSE COALESCE(json_type(%(expressions)s), 'null') END"""
        return self.as_sql(compiler, connection, template=template, **context)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        # A jsonb keeps its keys in an order of its own, which is the same for the same keys.
        template = """CASE COALESCE(jsonb_typeof(%(expressions)s), 'null')
            WHEN 'object' THEN ARRAY(SELECT jsonb_object_keys(%(expressions)s))::text
            ELSE COALESCE(jsonb_typeof(%(expressions)s), 'null') END"""
        return self.as_sql(compiler, connection, template=template, **context)
