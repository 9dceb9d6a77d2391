"""The alert builder: rows to a condition and back, and errors at the row that they are about."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st

from automations import forms_alerts
from automations.decisions import alerts
from automations.forms_alerts import Builder, Row
from donna_skills.errors import FieldError

SCHEMA = {
    "type": "object",
    "properties": {
        "price": {"type": ["number", "null"]},
        "code": {"type": "string"},
        "shop": {"type": "object", "properties": {"city": {"type": "string"}}},
        "items": {"type": "array", "items": {"type": "object", "properties": {"cost": {"type": "number"}}}},
    },
}
PRICE = {"field": "price", "op": "<=", "value": 100}


def test_fields_of_an_answer_go_one_level_down():
    names = [name for name, _ in forms_alerts.answer_fields(SCHEMA)]
    assert names == ["price", "code", "shop", "shop.city", "items", "items.*.cost"]
    assert forms_alerts.answer_fields(None) == forms_alerts.answer_fields({"properties": 5}) == []


@pytest.mark.parametrize(
    ("row", "leaf"),
    [
        (Row("price", "<=", "100"), PRICE),
        (Row("price", "<", "9.5"), {"field": "price", "op": "<", "value": 9.5}),
        (Row("code", "==", "100"), {"field": "code", "op": "==", "value": "100"}),
        (Row("x", "==", "true"), {"field": "x", "op": "==", "value": True}),
        (Row("x", "==", "NaN"), {"field": "x", "op": "==", "value": "NaN"}),
        (Row("price", "between", "5, 10"), {"field": "price", "op": "between", "value": [5, 10]}),
        (Row("price", "decreased_by", "10 %"), {"field": "price", "op": "decreased_by", "value": "10%"}),
        (Row("price", "changed", "left over"), {"field": "price", "op": "changed"}),
        (Row("code", "matches", "^12$"), {"field": "code", "op": "matches", "value": "^12$"}),
    ],
)
def test_a_row_becomes_a_leaf(row: Row, leaf: dict[str, Any]):
    made = forms_alerts.conditions_of(Builder(rows=(Row(), row)), SCHEMA)
    assert (made.conditions, made.failed) == (leaf, False)


@pytest.mark.parametrize(
    "row",
    [
        Row("", "<", "5"),
        Row("price", "<", ""),
        Row("price", "between", "5"),
        Row("price", "nearly", "5"),
        Row("price", "<", "cheap"),
        Row("price", "between", "1, x"),
    ],
)
def test_a_row_that_says_nothing_usable_carries_a_sentence(row: Row):
    made = forms_alerts.conditions_of(Builder(rows=(row,)), SCHEMA)
    assert made.failed and made.builder.rows[0].error


@pytest.mark.parametrize(
    "conditions",
    [
        {},
        PRICE,
        {"on": "failure"},
        {"all_of": [PRICE, {"field": "code", "op": "changed"}]},
        {"any_of": [PRICE, {"field": "price", "op": "between", "value": [1, 2]}]},
        {"any_of": [PRICE, {"field": "code", "op": "changed"}, {"on": "failure"}]},
        {"any_of": [{"all_of": [PRICE, PRICE]}, {"on": "failure"}, {"on": "no_data"}]},
        {"any_of": [{"on": "failure"}, {"on": "no_data"}]},
        {"all_of": [PRICE, PRICE], "for": {"runs": 2, "of": 3}},
        {**PRICE, "for": {"runs": 3}},
    ],
)
def test_rows_say_these_exactly(conditions: dict[str, Any]):
    builder = forms_alerts.builder_of(conditions, SCHEMA)
    assert builder is not None
    assert forms_alerts.conditions_of(builder, SCHEMA).conditions == conditions
    alerts.validate(conditions, SCHEMA)


@pytest.mark.parametrize(
    "conditions",
    [
        {"not": PRICE},
        {"all_of": []},
        {"all_of": [PRICE]},
        {"all_of": [PRICE, {"any_of": [PRICE, PRICE]}]},
        {"field": "price", "op": "==", "value": "100"},
        {"any_of": [{"on": "no_data"}, PRICE]},
        {"all_of": 5},
        {"any_of": [5]},
        {**PRICE, "for": 5},
        [PRICE],
        None,
    ],
)
def test_what_rows_cannot_say_exactly_stays_json(conditions: Any):
    assert forms_alerts.builder_of(conditions, SCHEMA) is None


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["all_of", "any_of", "on", "field", "op", "value", "for"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(_JSON)
def test_nothing_that_is_shown_as_rows_becomes_another_condition(conditions: Any):
    builder = forms_alerts.builder_of(conditions, SCHEMA)
    if builder is not None:
        assert forms_alerts.conditions_of(builder, SCHEMA).conditions == conditions


def test_an_error_stands_at_its_row_and_others_above():
    rows = (Row("price", "<", "5"), Row(), Row("code", "changed"))
    made = forms_alerts.conditions_of(Builder(rows=rows, on=("failure",)), SCHEMA)
    assert made.conditions["any_of"][0]["all_of"][1] == {"field": "code", "op": "changed"}
    wrong = [FieldError("/alert_conditions/any_of/0/all_of/1/field", "No."), FieldError("/alert_conditions", "All.")]
    placed = forms_alerts.place_errors(made, wrong)
    assert [row.error for row in placed.rows] == ["", "", "No."] and placed.error == "All."


@pytest.mark.parametrize(
    ("runs", "of", "fails"), [("3", "", False), ("3", "5", False), ("", "5", True), ("x", "", True)]
)
def test_how_many_runs_is_read_or_refused(runs: str, of: str, fails: bool):
    made = forms_alerts.conditions_of(Builder(rows=(Row("price", "<", "5"),), runs=runs, of=of), SCHEMA)
    assert made.failed == fails
    assert forms_alerts.conditions_of(Builder(runs="3"), SCHEMA).failed


def test_more_rows_than_there_may_be_are_not_read():
    data = QueryDict(mutable=True)
    for name in ("alert_field", "alert_op", "alert_value"):
        data.setlist(name, ["price"] * 50)
    assert len(forms_alerts.read(data).rows) == len(forms_alerts.read(data).with_row().rows) == forms_alerts.MOST_ROWS
