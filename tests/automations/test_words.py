"""Conditions, traces and lengths of time in words, and two people's changes told apart."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automations import forms_conflicts, words

PRICE = {"field": "price", "op": "<=", "value": 100}
BELOW = "price is at or below 100"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (90, "90 s"), (900, "15 min"), (43_200, "12 h"), (86_400, "1 d"), (None, "")]
)
def test_a_length_of_time_is_said_without_a_fraction(seconds: int | None, text: str):
    assert words.span(seconds) == text


@given(st.integers(0, 366 * 86_400))
def test_what_is_said_is_read_back(seconds: int):
    assert words.read_span(words.span(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("15 minutes", 900), ("2H", 7200), ("1day", 86_400), (" 5 m ", 300)]
)
def test_people_write_it_as_they_like(text: str, seconds: int):
    assert words.read_span(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5 min", "1.5 h", "5 months", "٥ min", "367 d"])
def test_what_is_no_length_of_time_is_refused(text: str):
    with pytest.raises(ValueError, match="length of time"):
        words.read_span(text)


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        ({}, "never"),
        (PRICE, "price is at or below 100"),
        ({"any_of": [PRICE, {"field": "stock", "op": "changed"}]}, f"{BELOW} or stock is another than before"),
        ({"all_of": [PRICE, {"any_of": [PRICE, {"on": "failure"}]}]}, f"{BELOW} and ({BELOW} or the run fails)"),
        ({"not": PRICE}, "not (price is at or below 100)"),
        ({**PRICE, "for": {"runs": 2, "of": 3}}, "price is at or below 100, in 2 of the last 3 runs"),
        ({"field": "p", "op": "between", "value": [1, 2]}, "p is from 1 to 2"),
        ({"field": "p", "op": "==", "value": {"a": True}}, "p is a: yes"),
    ],
)  # fmt: skip
def test_a_condition_is_said_as_one_says_it(conditions: Any, said: str):
    assert words.condition(conditions) == said


def test_a_trace_says_what_was_asked_only_while_that_is_known():
    clauses = [
        {"path": "/any_of/0", "field": "price", "op": "<=", "value": 90, "verdict": True},
        {"path": "/any_of/1", "field": None, "op": "on", "value": "failure", "verdict": False},
    ]
    known = words.trace(clauses, {"any_of": [PRICE, {"on": "failure"}]})
    assert [(one.asked, one.found, one.verdict) for one in known] == [
        ("price is at or below 100", "90", True),
        ("the run fails", "", False),
    ]
    for other in (None, {}, {"any_of": [{"on": "failure"}]}, {"any_of": 5}):
        assert words.trace(clauses, other)[0].asked == "price <="


def test_only_what_was_changed_counts_as_changed():
    kept = {"name": "a", "max_cost_per_run_usd": Decimal("2.0000"), "cool_down_seconds": 0}
    seen = forms_conflicts.read_snapshot(forms_conflicts.snapshot(kept))
    typed = {"name": "b", "max_cost_per_run_usd": Decimal("2"), "cool_down_seconds": 0}
    assert forms_conflicts.changed(typed, seen) == {"name": "b"}
    assert forms_conflicts.changed(typed, forms_conflicts.read_snapshot("[]")) == typed
    assert forms_conflicts.read_snapshot("{") == {}


def test_two_changes_are_merged_and_told_apart():
    seen = {"name": "a", "schedule": "x", "cool_down_seconds": 0}
    now = {"name": "a", "schedule": "y", "cool_down_seconds": 3600}
    merged = forms_conflicts.merge({"name": "mine", "schedule": "z", "cool_down_seconds": 0}, seen, now)
    assert merged.values == {"name": "mine", "schedule": "z", "cool_down_seconds": 3600}
    told = [(one.label, one.was, one.now, one.typed) for one in merged.differences]
    assert told == [("Schedule", "x", "y", "z"), ("Cool down", "0 s", "1 h", None)]
