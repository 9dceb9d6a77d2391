"""When a candidate is drafted, from what, and when a draft is good enough to be shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lifecycle.decisions import drafting

NOW = datetime(2026, 11, 21, 3, tzinfo=UTC)
TEXT = {"type": "object", "properties": {"text": {"type": "string"}}}


@pytest.mark.parametrize(
    ("schema", "anything"),
    [
        ({}, True),
        (True, True),
        ({"type": "object", "title": "x"}, True),
        ({"type": "object", "properties": {"a": {}}, "required": [], "additionalProperties": True}, True),
        ({"properties": {"a": True}}, True),
        (TEXT, False),
        ({"required": ["a"]}, False),
        ({"additionalProperties": False}, False),
        ({"type": "string"}, False),
        (False, False),
        (None, False),
    ],
)
def test_a_schema_that_accepts_anything_is_known(schema: Any, anything: bool):
    assert drafting.accepts_anything(schema) is anything
    assert drafting.ready("Labels.", TEXT, schema).passed is not anything


def test_a_capability_without_a_description_is_a_placeholder():
    assert not drafting.ready("  ", TEXT, TEXT).passed


def test_three_refusals_in_a_row_rest_a_week_from_the_newest():
    week = timedelta(days=7)
    refused = [NOW, NOW - timedelta(days=1), NOW - timedelta(days=2)]
    assert not drafting.rested(refused, now=NOW + week - timedelta(seconds=1)).passed
    assert drafting.rested(refused, now=NOW + week).passed
    assert drafting.rested(refused[:2], now=NOW).passed
    assert drafting.rested([NOW, None, NOW], now=NOW).passed
    assert not drafting.rested([*refused, None], now=NOW).passed


def test_samples_show_each_shape_and_within_it_each_label():
    outputs = [{"label": "a", "n": n} for n in range(50)] + [{"label": "b", "n": 1}, {"label": "c"}]
    shown = [outputs[index] for index in drafting.samples(outputs)]
    assert len(shown) == 5
    assert {output["label"] for output in shown} == {"a", "b", "c"}
    assert shown[0] == {"label": "a", "n": 0}
    assert drafting.samples([]) == []
    assert len(drafting.samples(["same"] * 9)) == 5


@pytest.mark.parametrize(
    ("verdict", "passed", "total", "code"),
    [
        ("PASS", 4, 5, None),
        ("HOLD", 4, 5, None),
        ("PASS", 3, 5, "fixtures_failed"),
        ("BLOCK", 5, 5, "gates_block"),
        ("HOLD", 0, 0, "fixtures_missing"),
        ("HOLD", None, None, "fixtures_missing"),
        ("HOLD", float("nan"), 5, "fixtures_missing"),
        ("", 5, 5, "gates_block"),
    ],
)
def test_a_draft_is_shown_only_with_evidence(verdict: str, passed: Any, total: Any, code: str | None):
    found = drafting.acceptable(verdict, passed, total, required="0.80")
    assert [reason.code for reason in found.reasons] == ([code] if code else [])
