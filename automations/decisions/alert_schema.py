"""The language of alert conditions as a JSON Schema, for other programs: `docs/alert-conditions.schema.json`.

It says what a schema can say. That a pattern is a safe one, that `between` goes from low to high, that a path can
exist, and how large a tree may be, `alerts.validate` checks besides.
"""

from __future__ import annotations

from typing import Any

from automations.decisions import conditions, paths, patterns

ADDRESS = "urn:donna-skills:alert-conditions"


def schema() -> dict[str, Any]:
    """The document, ready to be written as JSON."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ADDRESS,
        "title": "Alert condition",
        "description": "When an automation alerts; {} never does. A missing field makes all but `missing` false.",
        "$ref": "#/$defs/condition",
        "$defs": {
            "condition": {
                "oneOf": [
                    {"type": "object", "maxProperties": 0},
                    _node({"all_of": _list()}),
                    _node({"any_of": _list()}),
                    _node({"not": {"$ref": "#/$defs/condition"}}),
                    _node({"on": {"enum": list(conditions.STATUSES)}}),
                    {"$ref": "#/$defs/leaf"},
                ]
            },
            "leaf": {"oneOf": [_leaf(operators, value) for operators, value in _values()]},
            "field": {
                "description": "Dots between steps; a number is an index of a list, * is any element of one.",
                "type": "string",
                "maxLength": paths.LONGEST_FIELD,
                "pattern": r"^[^.]+(\.[^.]+)" + f"{{0,{paths.MOST_SEGMENTS - 1}}}$",
            },
            "held": {
                "description": "True in `runs` of the last `of` runs; in as many in a row without `of`.",
                "type": "object",
                "required": ["runs"],
                "additionalProperties": False,
                "properties": {name: _whole_runs() for name in ("runs", "of")},
            },
            "ordered": {"type": ["number", "string"], "maxLength": conditions.LONGEST_TEXT},
        },
    }


def _values() -> list[tuple[tuple[str, ...], dict[str, Any] | None]]:
    """Operators that take the same kind of value; None for none."""
    return [
        (("==", "!=", "contains"), {}),
        (conditions.ORDER, {"$ref": "#/$defs/ordered"}),
        (("between",), {"type": "array", "minItems": 2, "maxItems": 2, "items": {"$ref": "#/$defs/ordered"}}),
        (("matches",), {"type": "string", "minLength": 1, "maxLength": patterns.LONGEST_PATTERN}),
        (conditions.MOVES, {"oneOf": [{"type": "number", "exclusiveMinimum": 0}, _percentage()]}),
        (conditions.VALUELESS, None),
    ]


def _leaf(operators: tuple[str, ...], value: dict[str, Any] | None) -> dict[str, Any]:
    properties = {"field": {"$ref": "#/$defs/field"}, "op": {"enum": list(operators)}}
    if value is None:
        return _node({**properties, "value": {"enum": [None, True]}}, optional=("value",))
    return _node({**properties, "value": value})


def _node(properties: dict[str, Any], *, optional: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "type": "object",
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
        "properties": {**properties, "for": {"$ref": "#/$defs/held"}},
    }


def _list() -> dict[str, Any]:
    return {"type": "array", "maxItems": conditions.MOST_LEAVES, "items": {"$ref": "#/$defs/condition"}}


def _whole_runs() -> dict[str, Any]:
    return {"type": "integer", "minimum": 1, "maximum": conditions.MOST_RUNS}


def _percentage() -> dict[str, Any]:
    """Above zero: no text of zeros and a dot alone."""
    return {"type": "string", "pattern": r"^(?![0.]*%)[0-9]{1,9}(\.[0-9]{1,9})?%$"}
