"""Which conditions are refused, at which node; the published JSON Schema says the same."""

from __future__ import annotations

import json
from pathlib import Path
from time import thread_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from automations.decisions import alert_schema, alerts, conditions
from automations.decisions.alerts import InvalidAlertCondition

PUBLISHED = Path(__file__).resolve().parents[3] / "docs" / "alert-conditions.schema.json"
OK = {"field": "price", "op": "<", "value": 100}


@pytest.mark.parametrize(
    ("condition", "path", "key"),
    [
        (None, "", None),
        ([], "", None),
        ("price < 3", "", None),
        ({"field": "price"}, "", "op"),
        ({"op": "<", "value": 3}, "", "field"),
        ({"field": "price", "op": "<"}, "", "value"),
        ({"field": "price", "op": "~", "value": 1}, "", "op"),
        ({"field": "price", "op": ["<"], "value": 1}, "", "op"),
        ({"field": 5, "op": "<", "value": 1}, "", "field"),
        ({"field": "", "op": "<", "value": 1}, "", "field"),
        ({"field": "a..b", "op": "<", "value": 1}, "", "field"),
        ({"field": "a." * 40 + "b", "op": "<", "value": 1}, "", "field"),
        ({"field": "a" * 301, "op": "<", "value": 1}, "", "field"),
        ({**OK, "unit": "€"}, "", None),
        ({**OK, "all_of": []}, "", None),
        ({"all_of": [], "any_of": []}, "", None),
        ({"all_of": OK}, "", "all_of"),
        ({"any_of": None}, "", "any_of"),
        ({"not": [OK]}, "/not", None),
        ({"something": 1}, "", None),
        ({"all_of": [OK, 5]}, "/all_of/1", None),
        (
            {"all_of": [OK, {"any_of": [OK, {"not": {"field": "a", "op": "=", "value": 1}}]}]},
            "/all_of/1/any_of/1/not",
            "op",
        ),
        ({"on": "success"}, "", "on"),
        ({"on": ["failure"]}, "", "on"),
        ({"on": "failure", "field": "x"}, "", None),
        ({**OK, "value": True}, "", "value"),
        ({**OK, "value": None}, "", "value"),
        ({**OK, "value": [1]}, "", "value"),
        ({**OK, "value": float("nan")}, "", "value"),
        ({**OK, "op": "==", "value": float("inf")}, "", "value"),
        ({**OK, "op": "==", "value": {1, 2}}, "", "value"),
        ({**OK, "op": "==", "value": {1: 2}}, "", "value"),
        ({**OK, "op": "==", "value": "x" * 10_001}, "", "value"),
        ({**OK, "op": "==", "value": [0] * 1001}, "", "value"),
        ({**OK, "op": "==", "value": json.loads("[" * 40 + "]" * 40)}, "", "value"),
        ({**OK, "op": "exists", "value": False}, "", "value"),
        ({**OK, "op": "changed", "value": 1}, "", "value"),
        ({**OK, "op": "between", "value": 5}, "", "value"),
        ({**OK, "op": "between", "value": [1, 2, 3]}, "", "value"),
        ({**OK, "op": "between", "value": [2, 1]}, "", "value"),
        ({**OK, "op": "between", "value": [1, "2"]}, "", "value"),
        ({**OK, "op": "between", "value": [False, True]}, "", "value"),
        ({**OK, "op": "matches", "value": 5}, "", "value"),
        ({**OK, "op": "matches", "value": "(a+)+$"}, "", "value"),
        ({**OK, "op": "matches", "value": r"(a)\1"}, "", "value"),
        ({**OK, "op": "matches", "value": "(?=a)"}, "", "value"),
        ({**OK, "op": "matches", "value": "["}, "", "value"),
        ({**OK, "op": "increased_by", "value": 0}, "", "value"),
        ({**OK, "op": "increased_by", "value": -1}, "", "value"),
        ({**OK, "op": "increased_by", "value": True}, "", "value"),
        ({**OK, "op": "decreased_by", "value": "10"}, "", "value"),
        ({**OK, "op": "decreased_by", "value": "0.0%"}, "", "value"),
        ({**OK, "op": "decreased_by", "value": "1e9%"}, "", "value"),
        ({**OK, "for": 3}, "", "for"),
        ({**OK, "for": {"of": 3}}, "", "for"),
        ({**OK, "for": {"runs": 0}}, "", "for"),
        ({**OK, "for": {"runs": True}}, "", "for"),
        ({**OK, "for": {"runs": 1.5}}, "", "for"),
        ({**OK, "for": {"runs": 3, "of": 2}}, "", "for"),
        ({**OK, "for": {"runs": 3, "of": 101}}, "", "for"),
        ({**OK, "for": {"runs": 3, "minutes": 5}}, "", "for"),
        ({"any_of": [{"not": {**OK, "for": {"runs": 2}}}], "for": {"runs": 2}}, "/any_of/0/not", "for"),
    ],
)
def test_a_malformed_condition_names_the_node(condition: Any, path: str, key: str | None) -> None:
    with pytest.raises(InvalidAlertCondition, match=r"\.") as caught:
        alerts.validate(condition)
    assert (caught.value.path, caught.value.key) == (path, key)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    "condition",
    [
        {},
        OK,
        {"all_of": []},
        {"all_of": [OK, {}]},
        {"not": OK},
        {"on": "failure"},
        {"on": "no_data", "for": {"runs": 3}},
        {"field": "items.*.price", "op": "missing"},
        {"field": "name", "op": "exists", "value": True},
        {"field": "price", "op": "between", "value": [1, 1.0]},
        {"field": "day", "op": ">=", "value": "2026-01-01"},
        {"field": "price", "op": "decreased_by", "value": "12.5%", "for": {"runs": 2, "of": 3}},
        {"any_of": [OK], "for": {"runs": 100}},
        {"field": "name", "op": "==", "value": {"a": [None, True, 1.5, "x"]}},
    ],
)
def test_a_well_formed_condition_is_accepted_and_fits_the_published_schema(condition: Any) -> None:
    alerts.validate(condition)
    assert published().is_valid(condition)


@pytest.mark.parametrize("shape", ["deep lists", "deep not", "wide", "wide and nested", "deep beyond the stack"])
def test_a_tree_that_is_too_large_is_refused_at_once(shape: str) -> None:
    deep: Any = OK
    for level in range(100_000 if shape == "deep beyond the stack" else 100):
        deep = {"not": deep} if shape != "deep lists" else {("all_of", "any_of")[level % 2]: [deep]}
    wide: Any = {"all_of": [dict(OK) for _ in range(10_000)]}
    nested: Any = {"any_of": [{"all_of": [OK] * 100} for _ in range(100)]}
    started = thread_time()
    with pytest.raises(InvalidAlertCondition, match="at most"):
        alerts.validate({"wide": wide, "wide and nested": nested}.get(shape, deep))
    assert thread_time() - started < 1


def test_fifty_levels_are_within_the_limit() -> None:
    tree: Any = OK
    for _ in range(49):
        tree = {"all_of": [tree]}
    alerts.validate(tree)
    assert alerts.evaluate(tree, {"price": 5}).alert


def test_the_published_schema_is_the_one_the_code_makes() -> None:
    assert json.loads(PUBLISHED.read_text(encoding="utf-8")) == alert_schema.schema()
    Draft202012Validator.check_schema(alert_schema.schema())


values = st.sampled_from(
    [None, True, False, 0, 1, -2, 2.5, "", "a", "10%", "0%", "b+", [], [1, 2], ["a", "b"], [1, None], {"a": 1}]
)
runs = st.sampled_from([1, 2, 101, 0, "x", True])
holds = st.fixed_dictionaries({}, optional={"runs": runs, "of": st.just(100), "x": st.just(1)})
nodes = st.recursive(
    st.fixed_dictionaries(
        {"field": st.sampled_from(["a", "a.0.*", "a..b", "", 5])},
        optional={
            "op": st.sampled_from([*conditions.OPERATORS, "~", 1]),
            "value": values,
            "for": holds,
            "x": st.just(1),
        },
    )
    | st.fixed_dictionaries({"on": st.sampled_from(["failure", "no_data", "success"])}, optional={"for": holds})
    | st.sampled_from([{}, None, [], {"x": 1}]),
    lambda inner: st.fixed_dictionaries(
        {}, optional={"all_of": st.lists(inner, max_size=3), "any_of": st.lists(inner, max_size=2), "not": inner}
    ),
    max_leaves=5,
)


@settings(max_examples=400, deadline=None)
@given(nodes)
def test_the_published_schema_and_the_code_accept_the_same_conditions(condition: Any) -> None:
    try:
        alerts.validate(condition)
    except InvalidAlertCondition as error:
        beyond_a_schema = ("from low to high", "within `for`", "no more than")
        assert not published().is_valid(condition) or any(text in error.message for text in beyond_a_schema)
    else:
        assert published().is_valid(condition)
        assert alerts.evaluate(condition, {"a": [{"b": 1}]}).alert in (True, False)


def published() -> Draft202012Validator:
    return Draft202012Validator(alert_schema.schema())
