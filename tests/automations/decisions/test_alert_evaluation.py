"""What a condition means for an output: every operator, paths, missing fields, earlier runs, and the trace."""

from __future__ import annotations

from time import thread_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automations.decisions import alerts, conditions
from automations.decisions.alerts import AlertTooLarge, InvalidAlertCondition, Run

OUTPUT = {
    "price": 80,
    "rate": 0.3,
    "name": "Winter jacket",
    "in_stock": True,
    "note": None,
    "tags": ["red", 1, True, {"a": [1]}],
    "shop": {"city": "Oslo", "0": "zero"},
    "items": [{"price": 20, "n": 1}, {"price": 5, "n": 2}, {"n": 3}],
    "empty": [],
}
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("ab1", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


def leaf(field: str, op: str, *value: Any, **more: Any) -> dict[str, Any]:
    return {"field": field, "op": op, **({"value": value[0]} if value else {}), **more}


def true(condition: Any, output: Any = OUTPUT, **given: Any) -> bool:
    return alerts.evaluate(condition, output, **given).alert


@pytest.mark.parametrize(
    ("field", "op", "value", "verdict"),
    [
        ("price", "==", 80, True),
        ("price", "==", 80.0, True),
        ("price", "==", "80", False),
        ("price", "!=", "80", True),
        ("price", "!=", 80.0, False),
        ("in_stock", "==", True, True),
        ("in_stock", "==", 1, False),
        ("in_stock", "!=", 1, True),
        ("note", "==", None, True),
        ("note", "!=", 5, True),
        ("note", "!=", None, False),
        ("tags.3", "==", {"a": [1.0]}, True),
        ("tags.3", "==", {"a": [True]}, False),
        ("price", "<", 81, True),
        ("price", "<", 80, False),
        ("price", "<=", 80, True),
        ("price", ">", 79.9, True),
        ("price", ">=", 80.5, False),
        ("price", "<", "81", False),
        ("name", "<", "Xmas", True),
        ("name", ">", 5, False),
        ("note", "<", 5, False),
        ("in_stock", "<", 2, False),
        ("in_stock", ">=", True, False),
        ("price", ">", False, False),
        ("tags", "<", [1], False),
        ("price", "between", [80, 90], True),
        ("price", "between", [70, 80], True),
        ("price", "between", [81, 90], False),
        ("in_stock", "between", [0, 2], False),
        ("price", "between", [False, 90], False),
        ("name", "between", ["A", "Z"], True),
        ("name", "between", [0, 9], False),
        ("name", "contains", "jacket", True),
        ("name", "contains", "Jacket", False),
        ("name", "contains", 5, False),
        ("tags", "contains", "red", True),
        ("tags", "contains", 1.0, True),
        ("tags", "contains", 0, False),
        ("tags", "contains", {"a": [1]}, True),
        ("shop", "contains", "city", True),
        ("shop", "contains", "Oslo", False),
        ("price", "contains", 8, False),
        ("name", "matches", r"(?i)JACKET$", True),
        ("name", "matches", r"^jacket", False),
        ("price", "matches", "80", False),
    ],
)
def test_operators_compare_json_values(field: str, op: str, value: Any, verdict: bool) -> None:
    assert true(leaf(field, op, value)) is verdict


@pytest.mark.parametrize(
    "op", ["==", "!=", "<", ">=", "contains", "between", "matches", "exists", "changed", "increased_by"]
)
@pytest.mark.parametrize(
    "field",
    [
        "nothing",
        "price.nothing",
        "tags.9",
        "tags.-1",
        "tags.01",
        "empty.0",
        "empty.*",
        "name.0",
        "shop.*",
        "items.*.nothing",
    ],
)
def test_a_missing_field_is_false_for_every_leaf_but_missing(field: str, op: str) -> None:
    value = {"between": [[0, 9]], "matches": ["a"], "exists": [], "changed": [], "increased_by": [1]}.get(op, [None])
    assert not true(leaf(field, op, *value), previous=OUTPUT)
    assert true(leaf(field, "missing"))


def test_exists_is_true_for_null_and_a_field_that_exists_is_not_missing() -> None:
    assert true(leaf("note", "exists"))
    assert true(leaf("note", "exists", True))
    assert not true(leaf("note", "missing"))


def test_paths_follow_dots_indexes_and_keys_that_look_like_indexes() -> None:
    assert true(leaf("items.1.price", "==", 5))
    assert true(leaf("shop.0", "==", "zero"))
    assert true(leaf("1.price", "==", 5), OUTPUT["items"])
    assert true(leaf("*.price", "<", 6), OUTPUT["items"])


def test_a_star_means_any_element() -> None:
    assert true(leaf("items.*.price", "<", 10))
    assert not true(leaf("items.*.price", "<", 5))
    assert true(leaf("items.*.price", "!=", 20))
    assert true(leaf("items.*.price", "missing"))
    assert not true(leaf("items.*.n", "missing"))
    assert true(leaf("rows.*.*", "==", 4), {"rows": [[1, 2], [], [3, 4]]})


def test_the_empty_condition_and_empty_compounds_never_alert() -> None:
    for condition in (
        {},
        {"all_of": []},
        {"any_of": []},
        {"any_of": [{}, {}]},
        {"all_of": [{}, leaf("note", "exists")]},
    ):
        assert alerts.evaluate(condition, OUTPUT).alert is False
    assert alerts.evaluate({}, OUTPUT).clauses == ()


def test_compounds_combine_their_parts() -> None:
    yes, no = leaf("price", "==", 80), leaf("price", "==", 81)
    assert true({"all_of": [yes, yes]})
    assert not true({"all_of": [yes, no]})
    assert true({"any_of": [no, yes]})
    assert not true({"any_of": [no, no]})
    assert true({"not": {"any_of": [no, {"not": yes}]}})


def test_the_trace_has_every_leaf_in_order_of_the_document_without_short_circuit() -> None:
    condition = {
        "any_of": [
            leaf("price", "<", 100),
            {"all_of": [leaf("price", ">", 100), leaf("gone", "==", 1), {"not": leaf("items.*.price", "<", 10)}]},
            leaf("items.*.price", ">", 50),
        ]
    }
    assert list(alerts.evaluate(condition, OUTPUT).clauses) == [
        {"path": "/any_of/0", "field": "price", "op": "<", "value": 80, "verdict": True},
        {"path": "/any_of/1/all_of/0", "field": "price", "op": ">", "value": 80, "verdict": False},
        {"path": "/any_of/1/all_of/1", "field": "gone", "op": "==", "value": None, "verdict": False},
        {"path": "/any_of/1/all_of/2/not", "field": "items.*.price", "op": "<", "value": 5, "verdict": True},
        {"path": "/any_of/2", "field": "items.*.price", "op": ">", "value": [20, 5], "verdict": False},
    ]
    assert alerts.evaluate(leaf("note", "exists"), OUTPUT).clauses[0]["path"] == ""


@given(json_values, json_values)
def test_equality_is_that_of_json(one: Any, other: Any) -> None:
    output = {"x": one}
    equal, unequal = (true(leaf("x", op, other), output) for op in ("==", "!="))
    assert equal is not unequal
    assert equal is (typed(one) == typed(other))
    assert true(leaf("x", "==", one), output)


@pytest.mark.parametrize(
    ("now", "before", "op", "by", "verdict"),
    [
        (0.3, 0.1, "increased_by", 0.2, True),
        (0.3, 0.1, "increased_by", 0.2000001, False),
        (110, 100, "increased_by", "10%", True),
        (109.99, 100, "increased_by", "10%", False),
        (1.1, 1, "increased_by", "10%", True),
        (-90, -100, "increased_by", "10%", True),
        (5, 0, "increased_by", "10%", False),
        (5, 0, "increased_by", 5, True),
        (90, 100, "increased_by", 1, False),
        (80, 100, "decreased_by", "20%", True),
        (80.01, 100, "decreased_by", "20%", False),
        (-110, -100, "decreased_by", "10%", True),
        (0.1, 0.3, "decreased_by", 0.2, True),
        (100.025, 100, "increased_by", "0.025%", True),
        (10**400 + 1, 10**400, "increased_by", 1, True),
        ("9", 1, "increased_by", 1, False),
        (9, "1", "increased_by", 1, False),
        (True, 0, "increased_by", 1, False),
        (9, None, "increased_by", 1, False),
        (float("inf"), 1, "increased_by", 1, False),
    ],
)
def test_movement_is_at_least_an_amount_or_a_percentage_in_exact_decimals(
    now: Any, before: Any, op: str, by: Any, verdict: bool
) -> None:
    assert true(leaf("x", op, by), {"x": now}, previous={"x": before}) is verdict


def test_changed_compares_with_the_success_before() -> None:
    assert true(leaf("x", "changed"), {"x": [1]}, previous={"x": [2]})
    assert not true(leaf("x", "changed"), {"x": 1}, previous={"x": 1.0})
    assert true(leaf("x", "changed"), {"x": 1}, previous={"x": True})
    assert true(leaf("x", "changed"), {"x": None}, previous={})
    assert true(leaf("rows.*.p", "changed"), {"rows": [{"p": 1}, {"p": 3}]}, previous={"rows": [{"p": 1}, {"p": 2}]})
    assert true(
        leaf("rows.*.p", "decreased_by", 1), {"rows": [{"p": 9}, {"p": 1}]}, previous={"rows": [{"p": 1}, {"p": 2}]}
    )


@pytest.mark.parametrize(
    "condition", [leaf("x", "changed"), leaf("x", "increased_by", 1), leaf("x", "decreased_by", "1%")]
)
def test_without_a_success_before_nothing_has_moved(condition: Any) -> None:
    assert not true(condition, {"x": 5})
    assert not true(condition, {"x": 5}, history=[Run(None, "failure")])


def test_the_success_before_is_found_in_the_history_past_failures() -> None:
    history = [Run(None, "failure"), Run({"x": 10}), Run({"x": 1})]
    assert true(leaf("x", "decreased_by", 5), {"x": 5}, history=history)
    assert not true(leaf("x", "increased_by", 1), {"x": 5}, history=history)


def test_for_asks_for_several_runs_in_a_row_or_among_the_last() -> None:
    high = leaf("x", ">", 5)
    three, two_of_three = {**high, "for": {"runs": 3}}, {**high, "for": {"runs": 2, "of": 3}}
    ups = [Run({"x": value}) for value in (9, 9, 1, 9)]
    assert true(three, {"x": 9}, history=ups)
    assert not true(three, {"x": 9}, history=ups[1:])
    assert not true(three, {"x": 9}, history=ups[:1])
    assert not true(three, {"x": 9})
    assert true(two_of_three, {"x": 1}, history=ups)
    assert not true(two_of_three, {"x": 1}, history=ups[1:])
    assert true({"not": three}, {"x": 1}, history=ups)
    both = {"all_of": [high, leaf("y", "exists")], "for": {"runs": 2}}
    assert true(both, {"x": 9, "y": 1}, history=[Run({"x": 9, "y": 1})])
    assert not true(both, {"x": 9, "y": 1}, history=[Run({"x": 9})])


def test_the_verdict_of_a_leaf_that_has_to_last_is_that_of_all_its_runs() -> None:
    clauses = alerts.evaluate({**leaf("x", ">", 5), "for": {"runs": 2}}, {"x": 9}, history=[Run({"x": 1})]).clauses
    assert list(clauses) == [{"path": "", "field": "x", "op": ">", "value": 9, "verdict": False}]


def test_a_failed_run_answers_only_what_is_asked_on_its_status() -> None:
    failed = alerts.evaluate({"any_of": [{"on": "failure"}, leaf("x", ">", 5)]}, None, status="failure")
    assert failed.alert
    assert failed.clauses[0] == {
        "path": "/any_of/0",
        "field": "status",
        "op": "on",
        "value": "failure",
        "verdict": True,
    }
    assert not true({"on": "failure"}, OUTPUT)
    assert not true({"on": "no_data"}, None, status="failure")
    assert true({"on": "no_data"}, None, status="no_data")
    assert true({"on": "failure", "for": {"runs": 2}}, None, status="failure", history=[Run(None, "failure")])
    assert not true({"on": "failure", "for": {"runs": 2}}, None, status="failure", history=[Run({"x": 1})])


@pytest.mark.parametrize("condition", [leaf("x", "missing"), {"not": leaf("x", "==", 1)}, leaf("x", ">", 1)])
def test_a_failed_run_leaves_what_is_asked_of_its_output_open(condition: Any) -> None:
    failed = alerts.evaluate(condition, None, status="failure")
    assert (failed.alert, failed.conclusive) == (False, False)
    assert alerts.evaluate(condition, {"x": 0}).conclusive


def test_a_failed_run_that_could_not_have_changed_the_answer_is_conclusive() -> None:
    asked = {**leaf("x", ">", 5), "for": {"runs": 3}}
    assert not alerts.evaluate(asked, None, status="failure", history=[Run({"x": 9}), Run({"x": 9})]).conclusive
    assert alerts.evaluate(asked, None, status="failure", history=[Run({"x": 1}), Run({"x": 9})]).conclusive
    assert alerts.evaluate({"all_of": [{"on": "no_data"}, leaf("x", ">", 5)]}, None, status="failure").conclusive


def test_a_malformed_condition_is_never_evaluated() -> None:
    with pytest.raises(InvalidAlertCondition):
        alerts.evaluate({"field": "price"}, OUTPUT)


def test_a_tree_of_the_largest_size_is_evaluated_quickly() -> None:
    deep: dict[str, Any] = leaf("price", "<", 100)
    for _ in range(conditions.MOST_LEVELS - 1):
        deep = {"not": deep}
    wide = {"all_of": [leaf("items.*.price", "<", 10)] * conditions.MOST_LEAVES}
    started = thread_time()
    assert true(deep) is (conditions.MOST_LEVELS % 2 == 1)
    assert true(wide)
    assert len(alerts.evaluate(wide, OUTPUT).clauses) == conditions.MOST_LEAVES
    assert thread_time() - started < 1


def test_an_evaluation_that_would_take_too_long_is_given_up_and_says_so() -> None:
    rows = {"rows": [{"price": number, "text": "x" * 1000} for number in range(2_000)]}
    started = thread_time()
    with pytest.raises(AlertTooLarge, match="values"):
        alerts.evaluate({"any_of": [leaf("rows.*.price", "<", -1)] * 1000}, rows)
    with pytest.raises(AlertTooLarge, match="characters"):
        alerts.evaluate(leaf("rows.*.text", "matches", "y$"), rows)
    with pytest.raises(AlertTooLarge, match="values"):
        alerts.evaluate({"any_of": [leaf(f"rows.*.x{number}", "==", 1) for number in range(1000)]}, rows)
    with pytest.raises(AlertTooLarge, match="values"):
        alerts.evaluate({"any_of": [leaf("rows", "contains", number) for number in range(1000)]}, rows)
    assert not true({"any_of": [leaf("rows", "changed")] * 1000}, rows, previous=rows)
    assert thread_time() - started < 5


def test_values_deeper_than_the_stack_are_compared() -> None:
    one: Any = 1
    other: Any = 2
    for _ in range(5_000):
        one, other = [one], [other]
    assert true(leaf("x", "changed"), {"x": one}, previous={"x": other})
    assert not true(leaf("x", "changed"), {"x": one}, previous={"x": one})


def typed(value: Any) -> Any:
    """A value in which Python's own equality is JSON's: a boolean is no number."""
    if isinstance(value, bool):
        return ("boolean", value)
    if isinstance(value, list):
        return [typed(part) for part in value]
    return {key: typed(part) for key, part in value.items()} if isinstance(value, dict) else value
