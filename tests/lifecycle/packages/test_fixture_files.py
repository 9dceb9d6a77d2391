"""Fixtures: each can be run, and each can fail."""

from __future__ import annotations

import json

import pytest

from lifecycle.packages.validate import validate
from tests.lifecycle.packages.samples import FIXTURE, codes_of, files


@pytest.mark.parametrize(
    "fixture",
    [
        *("{", "[]", b"\xff", "[" * 100_000, {}, {"input": "Ada", "assertions": FIXTURE["assertions"]}),
        {**FIXTURE, "name": " "},
        {**FIXTURE, "note": "x"},
        {"input": {}},
        {"input": {}, "expected_output": {}},
        {"input": {}, "expected_output": {"type": "object", "title": "anything"}},
        {"input": {}, "expected_output": True},
        {"input": {}, "expected_output": {"type": "text"}},
        {"input": {}, "expected_output": {"$ref": "http://example.com"}},
        {"input": {}, "assertions": []},
        {"input": {}, "assertions": {"path": "a"}},
        {"input": {}, "assertions": ["a == 1"]},
        {"input": {}, "assertions": [{"path": "", "op": "==", "value": 1}]},
        {"input": {}, "assertions": [{"path": "a", "op": "~", "value": 1}]},
        {"input": {}, "assertions": [{"path": "a", "op": "=="}]},
        {"input": {}, "assertions": [{"path": "a", "op": "exists", "why": 1}]},
        {"input": {}, "assertions": [{"path": "a", "op": "matches", "value": "("}]},
        {"input": {}, "assertions": [{"path": "a", "op": "matches", "value": "a" * 501}]},
        {**FIXTURE, "tool_mocks": [{"tool": "a"}]},
        {**FIXTURE, "tool_mocks": [{"tool": "a", "result": 1, "error": "x"}]},
        {**FIXTURE, "tool_mocks": [{"tool": "", "result": 1}]},
        {**FIXTURE, "tool_mocks": [{"tool": "a", "result": 1, "args": []}]},
        {**FIXTURE, "tool_mocks": [{"tool": "a", "error": 5}]},
        {**FIXTURE, "tool_mocks": [{"tool": "a", "result": 1, "times": 2}]},
    ],
)
def test_a_fixture_that_cannot_be_run_or_says_nothing_is_a_finding(fixture):
    found = validate(files(fixture=fixture))
    assert {finding.path for finding in found} == {"fixtures/ada.json"}


@pytest.mark.parametrize(
    "fixture",
    [
        {"input": {}, "expected_output": {"required": ["a"]}},
        {"input": {}, "expected_output": {"type": "array"}},
        {"input": {}, "assertions": [{"path": "a", "op": "missing"}]},
        {"input": {}, "assertions": [{"path": "a.0.b", "op": "matches", "value": "^x"}]},
        {**FIXTURE, "tool_mocks": [{"tool": "a", "args": {"u": 1}, "result": None}, {"tool": "a", "error": "Gone."}]},
    ],
)
def test_a_fixture_that_says_something_is_accepted(fixture):
    assert codes_of(files(fixture=fixture)) == []


def test_two_fixtures_may_not_have_one_name():
    both = {
        **files(fixture={**FIXTURE, "name": "x"}),
        "fixtures/bob.json": json.dumps({**FIXTURE, "name": "x"}).encode(),
    }
    assert codes_of(both) == ["duplicate"]
