"""A judge's reply is an agreement or an abstention, and nothing in between."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.decisions.judge import parse_agreement, too_many_abstentions

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(("agreement", "want"), [(0, 0.0), (1, 1.0), (0.5, 0.5), (1.0, 1.0), (Decimal("0.3"), 0.3)])
def test_a_number_between_0_and_1_is_an_agreement(agreement: Any, want: float) -> None:
    found = parse_agreement({"agreement": agreement, "rationale": "Same facts."})
    assert found == want
    assert type(found) is float


def test_a_missing_rationale_does_not_void_it() -> None:
    assert parse_agreement({"agreement": 0.75}) == 0.75


def test_a_negative_zero_is_zero() -> None:
    found = parse_agreement({"agreement": -0.0})
    assert found == 0
    assert math.copysign(1, found or 0.0) == 1


@pytest.mark.parametrize(
    "agreement",
    [
        True,
        False,
        None,
        "0.9",
        "",
        float("nan"),
        float("inf"),
        -0.01,
        1.0001,
        10**400,
        [0.9],
        {"value": 0.9},
        90,
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("Infinity"),
    ],
    ids=lambda value: str(value)[:12],
)
def test_anything_else_is_an_abstention(agreement: Any) -> None:
    assert parse_agreement({"agreement": agreement, "rationale": "?"}) is None


@pytest.mark.parametrize("reply", [None, {}, [], "0.9", 0.9, True, {"rationale": "Same."}, {"Agreement": 1}])
def test_a_reply_of_another_form_is_an_abstention(reply: Any) -> None:
    assert parse_agreement(reply) is None


@given(json_values)
def test_no_reply_raises_or_leaves_the_range(reply: Any) -> None:
    for one in (reply, {"agreement": reply}):
        found = parse_agreement(one)
        assert found is None or 0.0 <= found <= 1.0


def test_five_abstentions_in_a_row_are_too_many() -> None:
    assert too_many_abstentions([True] * 5 + [False])
    assert not too_many_abstentions([True] * 4)
    assert not too_many_abstentions([False] + [True] * 9)
