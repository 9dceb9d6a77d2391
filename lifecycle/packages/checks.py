"""The costly checks of a package, schemas and templates, within a budget for the package as a whole.

One schema or one template is cheap whatever its author does; thousands of the largest are not. Each is checked once,
and when the budget is used up that is the finding.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from lifecycle.execution import templates
from lifecycle.packages import schema_rules

MAX_SCHEMA_PARTS = 12_000
MAX_TEMPLATE_COST = 60_000

_CODE = re.compile(r"\{[{%](?:.*?[%}]\}|.*)", re.DOTALL)
_COST_OF_ONE = 50
"""What compiling the shortest template takes, in characters of template code."""


class Checks:
    """The checks of one package. Each method gives a sentence, else None."""

    def __init__(self) -> None:
        self._schema_parts = 0
        self._template_cost = 0
        self._schemas: dict[int, tuple[Any, str | None]] = {}

    def schema(self, schema: Mapping[str, Any]) -> str | None:
        """Steps that share a file share its schema, so that it is known by its identity (and kept alive with it)."""
        if id(schema) in self._schemas:
            return self._schemas[id(schema)][1]
        self._schema_parts += schema_rules.parts(schema)
        if self._schema_parts > MAX_SCHEMA_PARTS:
            return f"All schemas of the package together have more than {MAX_SCHEMA_PARTS:,} parts."
        problem = schema_rules.problem(schema)
        self._schemas[id(schema)] = (schema, problem)
        return problem

    def template(self, text: str, names: Collection[str]) -> str | None:
        if "{" not in text:
            return None
        return self._over_budget(sum(map(len, _CODE.findall(text)))) or templates.check_template(text, known=names)

    def expression(self, text: str, names: Collection[str]) -> str | None:
        return self._over_budget(len(text)) or templates.check_expression(text, known=names)

    def _over_budget(self, code: int) -> str | None:
        self._template_cost += _COST_OF_ONE + code
        if self._template_cost <= MAX_TEMPLATE_COST:
            return None
        return "All templates and expressions of the package together are too long."


def texts(place: tuple[str | int, ...], value: Any) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every text in a tool's arguments, with where it stands."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from texts((*place, key), item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from texts((*place, index), item)
