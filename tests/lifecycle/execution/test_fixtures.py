"""Checking an output against a worked example, and running a package on one."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given

from lifecycle.execution import fixtures
from lifecycle.packages.model import FixtureCase
from tests.scripted import ScriptedModels

from .builders import TASK_SCHEMA, llm, package, tool, use
from .test_canonical import JSON

OUTPUT: dict[str, Any] = {
    "title": "Call the mechanic",
    "n": 2,
    "ok": True,
    "tags": ["car", "urgent"],
    "who": {"name": None},
}


def problems(path: str, op: str, value: Any = None, output: Any = OUTPUT) -> list[str]:
    case = FixtureCase(name="c", input={}, assertions=({"path": path, "op": op, "value": value},))
    return fixtures.check(output, case)


@pytest.mark.parametrize(
    ("path", "op", "value"),
    [
        ("title", "==", "Call the mechanic"), ("title", "!=", "x"), ("n", "==", 2.0), ("n", "<", 3), ("n", "<=", 2),
        ("n", ">", 1.5), ("n", ">=", 2), ("title", ">", "B"), ("title", "contains", "MEC"), ("tags", "contains", "car"),
        ("who", "contains", "name"), ("tags.0", "==", "car"), ("tags.-1", "==", "urgent"), ("who.name", "exists", None),
        ("who.name", "==", None), ("who.age", "missing", None), ("tags.2", "missing", None), ("title", "matches", "c$"),
        ("", "contains", "title"), ("n", "!=", "2"), ("ok", "!=", 1), ("who", "==", {"name": None}),
    ],
)  # fmt: skip
def test_an_assertion_holds(path: str, op: str, value: Any) -> None:
    assert problems(path, op, value) == []


@pytest.mark.parametrize(
    ("path", "op", "value", "said"),
    [
        ("title", "==", "x", 'title is "Call the mechanic", which is not == "x".'),
        ("nope", "==", 1, "nope is missing."),
        ("nope", "!=", 1, "nope is missing."),
        ("title", "missing", None, "should be missing"),
        ("tags", "contains", "c", "not contains"),
        ("tags.x", "exists", None, "is missing"),
        ("n", "<", "3", "cannot be checked"),
        ("ok", ">", 0, "cannot be checked"),
        ("n", "contains", 2, "cannot be checked"),
        ("n", "matches", "2", "cannot be checked"),
        ("title", "matches", "(", "cannot be checked"),
        ("title", "matches", "a" * 501, "cannot be checked"),
        ("title", "~", 1, "not something that can be asserted"),
        ("ok", "==", 1, "is not =="),
    ],
)
def test_an_assertion_that_does_not_hold_says_so(path: str, op: str, value: Any, said: str) -> None:
    (problem,) = problems(path, op, value)
    assert said in problem


def test_a_pattern_that_would_take_for_ever_cannot_be_checked() -> None:
    started = time.thread_time()
    assert "cannot be checked" in problems("t", "matches", "^(a|a)*$", output={"t": "a" * 5_000 + "!"})[0]
    assert time.thread_time() - started < 3


def test_the_expected_schema_is_checked_too() -> None:
    case = FixtureCase(name="c", input={}, expected_output=TASK_SCHEMA, assertions=({"path": "title", "op": "exists"},))
    assert fixtures.check({"title": "x"}, case) == []
    assert len(fixtures.check({}, case)) == 2


@given(JSON, JSON, JSON, JSON)
def test_any_assertion_about_any_output_gives_sentences(output: Any, path: Any, op: Any, value: Any) -> None:
    case = FixtureCase(name="c", input={}, assertions=({"path": path, "op": op, "value": value}, {}))
    assert all(isinstance(problem, str) for problem in fixtures.check(output, case))
    for sign in ("==", "<", "contains", "matches", "exists", "missing"):
        assert isinstance(problems("", sign, value, output=output), list)


def test_a_case_runs_with_its_tools_mocked() -> None:
    skill = package(
        tool("fetch", use(args={"q": "{{ inputs.q }}"}, max_attempts=3, backoff_s=30)),
        llm("sum", "{{ state.fetch.found }}"),
        final_output="state.sum",
    )
    case = FixtureCase(
        name="c",
        input={"q": "x"},
        expected_output=TASK_SCHEMA,
        tool_mocks=({"tool": "look", "error": "busy"}, {"tool": "look", "result": "page"}),
    )
    models = ScriptedModels({"title": "T"})
    found = fixtures.run_case(skill, case, models=models, granted_tools=["look"], output_schema=TASK_SCHEMA)
    assert (found.passed, found.problems) == (True, ())
    assert models.prompts == ["page"]
    assert len(found.outcome.tool_calls) == 2


def test_a_case_whose_run_does_not_succeed_fails_with_the_reason() -> None:
    case = FixtureCase(name="c", input={})
    found = fixtures.run_case(
        package(llm("a", "x")), case, models=ScriptedModels({"escalate": "no"}), granted_tools=[], output_schema=None
    )
    assert (found.passed, found.problems) == (False, ("The run ended as escalated: no",))
