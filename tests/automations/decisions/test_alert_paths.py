"""Conditions against the schema of a capability's outputs: a path that cannot exist is refused, one that may is not."""

from __future__ import annotations

from typing import Any

import pytest

from automations.decisions import alerts
from automations.decisions.alerts import InvalidAlertCondition

PRICES = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "price": {"type": ["number", "null"]},
        "shop": {"$ref": "#/$defs/shop"},
        "items": {"type": "array", "items": {"$ref": "#/$defs/item"}},
        "pair": {"type": "array", "prefixItems": [{"type": "string"}, {"$ref": "#/$defs/item"}], "items": False},
        "extra": {"type": "object", "properties": {"a": {}}, "additionalProperties": True},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "either": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/item"}]},
        "all": {"allOf": [{"type": "object"}, {"$ref": "#/$defs/item"}]},
        "anything": True,
        "never": False,
    },
    "$defs": {
        "shop": {"type": "object", "properties": {"city": {"type": "string"}, "parent": {"$ref": "#/$defs/shop"}}},
        "item": {"type": "object", "properties": {"price": {"type": "number"}}, "additionalProperties": False},
    },
}


def refusal(field: str, schema: Any = PRICES) -> str | None:
    try:
        alerts.validate({"all_of": [{"field": field, "op": "exists"}]}, schema)
    except InvalidAlertCondition as error:
        assert (error.path, error.key) == ("/all_of/0", "field")
        return error.message
    return None


@pytest.mark.parametrize(
    "field",
    [
        "price",
        "shop.city",
        "shop.parent.parent.city",
        "items",
        "items.0.price",
        "items.*.price",
        "pair.0",
        "pair.1.price",
        "pair.*.price",
        "extra.a",
        "extra.b.c.d",
        "labels.anything",
        "either.price",
        "all.price",
        "anything",
        "anything.0.x",
    ],
)
def test_a_path_that_may_exist_is_accepted(field: str) -> None:
    assert refusal(field) is None


@pytest.mark.parametrize(
    "field",
    [
        "prices",
        "price.amount",
        "price.0",
        "shop.citi",
        "shop.parent.x",
        "items.price",
        "items.0.cost",
        "items.*.cost",
        "items.0.price.x",
        "pair.2",
        "pair.0.x",
        "labels.a.b",
        "either.cost",
        "all.cost",
        "shop.*",
        "*",
        "0",
    ],
)
def test_a_path_that_cannot_exist_is_refused_at_its_node(field: str) -> None:
    assert str(refusal(field)).startswith("Outputs never have")


def test_a_refusal_says_what_there_is_instead() -> None:
    message = refusal("items.0.cost")
    assert message == "Outputs never have `cost` at `items.0`; they have price."


@pytest.mark.parametrize(
    ("schema", "field", "accepted"),
    [
        (None, "x", True),
        ({}, "x.y", True),
        (True, "x", True),
        ({"type": "object"}, "x.y", True),
        ({"type": "string"}, "x", False),
        ({"type": "array", "items": {"type": "integer"}}, "*", True),
        ({"type": "array", "items": {"type": "integer"}}, "*.x", False),
        ({"type": "array", "items": [{"type": "integer"}], "additionalItems": False}, "1", False),
        ({"properties": {"a": {}}}, "b", False),
        ({"properties": {"a": {}}, "additionalProperties": True}, "b", True),
        ({"properties": {"a": {}}, "patternProperties": {"^b": {}}}, "b", True),
        ({"anyOf": [{"type": "string"}, {"type": "object"}]}, "b", True),
        ({"oneOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]}, "b", True),
        ({"oneOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]}, "c", False),
        ({"properties": {"a": {}}, "if": {}, "then": {"properties": {"b": {}}}}, "b", True),
        ({"$ref": "#"}, "a", True),
        ({"allOf": [{"$ref": "#"}, {"$ref": "#"}]}, "a", True),
        ({"properties": {"a": {"$ref": "#"}}}, "a.a.a.a.b", False),
        ({"properties": {"a": {"$ref": "https://example.org/other"}}}, "a.b", True),
        ({"$defs": {"x/y": {"properties": {"a": {}}}}, "$ref": "#/$defs/x~1y"}, "b", False),
        ({"type": 5, "properties": [], "items": 3, "allOf": {}}, "b.0", True),
    ],
)
def test_schemas_of_every_make_are_read(schema: Any, field: str, accepted: bool) -> None:
    assert (refusal(field, schema) is None) is accepted
