"""fixtures/*.json: worked examples of a skill, each an input and what has to be true of the output."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from lifecycle.packages import layout, safe_json
from lifecycle.packages.documents import Unreadable
from lifecycle.packages.layout import FIXTURES
from lifecycle.packages.model import Files, Finding, FixtureCase

OPERATORS = ("==", "!=", "<", "<=", ">", ">=", "contains", "exists", "missing", "matches")
MAX_PATTERN_CHARACTERS = 500

_KEYS = frozenset({"name", "input", "expected_output", "assertions", "tool_mocks"})
_ASSERTION_KEYS = frozenset({"path", "op", "value"})
_MOCK_KEYS = frozenset({"tool", "args", "result", "error"})
_WITHOUT_VALUE = ("exists", "missing")
_ANNOTATIONS = frozenset({"$schema", "$id", "$comment", "$defs", "title", "description", "default", "examples"})


def paths(files: Files) -> list[str]:
    return sorted(path for path in files if path.startswith(FIXTURES) and path.endswith(".json"))


def read(files: Files) -> tuple[dict[str, FixtureCase], tuple[Finding, ...]]:
    """The cases by their paths and in their order, and what is wrong; a case that cannot be used is left out."""
    cases: dict[str, FixtureCase] = {}
    findings: list[Finding] = []
    names: dict[str, str] = {}
    for path in paths(files):
        if (text := layout.text(files, path)) is None:
            continue  # layout.check says so
        try:
            value = safe_json.load(text)
        except Unreadable as error:
            findings.append(Finding(path, error.message, "fixture_unreadable", error.line))
            continue
        if problems := [Finding(path, message, "fixture_invalid") for message in _problems(value)]:
            findings.extend(problems)
            continue
        case = _case(value, default_name=path.removeprefix(FIXTURES).removesuffix(".json"))
        if (other := names.setdefault(case.name, path)) != path:
            findings.append(Finding(path, f"{other} has the same name {case.name[:80]!r}.", "duplicate"))
        cases[path] = case
    return cases, tuple(findings)


def says_something(schema: Mapping[str, Any] | None) -> bool:
    """Whether the schema can refuse any object at all; {} and {"type": "object"} cannot."""
    if not schema:
        return False
    return any(not (key in _ANNOTATIONS or (key == "type" and value == "object")) for key, value in schema.items())


def _case(value: Mapping[str, Any], *, default_name: str) -> FixtureCase:
    return FixtureCase(
        name=value.get("name") or default_name,
        input=value["input"],
        expected_output=value.get("expected_output"),
        assertions=tuple(value.get("assertions") or ()),
        tool_mocks=tuple(value.get("tool_mocks") or ()),
    )


def _problems(value: Any) -> Iterator[str]:
    if not isinstance(value, dict):
        yield "A fixture must be a JSON object with an input."
        return
    yield from _unknown(value, _KEYS, "The fixture")
    name = value.get("name", "-")
    if not isinstance(name, str) or not name.strip() or len(name) > 200:
        yield "The name must be text of 1 to 200 characters."
    if not isinstance(value.get("input"), dict):
        yield "The input must be a JSON object."
    expected = value.get("expected_output")
    if expected is not None and not isinstance(expected, dict):
        yield "The expected output must be a JSON Schema, which is an object."
        return
    if not says_something(expected) and not value.get("assertions"):
        yield "Nothing is expected of the output: give an expected_output that can fail, or assertions."
    yield from _each(value, "assertions", _assertion_problems)
    yield from _each(value, "tool_mocks", _mock_problems)


def _each(value: Mapping[str, Any], key: str, problems: Any) -> Iterator[str]:
    items = value.get(key)
    if items is None:
        return
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        yield f"{key} must be a list of objects."
        return
    for number, item in enumerate(items, start=1):
        for problem in problems(item):
            yield f"{key}, number {number}: {problem}"


def _assertion_problems(assertion: Mapping[str, Any]) -> Iterator[str]:
    yield from _unknown(assertion, _ASSERTION_KEYS, "It")
    path, op = assertion.get("path"), assertion.get("op")
    if not isinstance(path, str) or not path.strip():
        yield "the path must be text such as items.0.title."
    if not isinstance(op, str) or op not in OPERATORS:
        yield f"the op must be one of {', '.join(OPERATORS)}."
    elif op not in _WITHOUT_VALUE and "value" not in assertion:
        yield f"{op} needs a value."
    elif op == "matches":
        yield from _pattern_problems(assertion["value"])


def _pattern_problems(pattern: Any) -> Iterator[str]:
    if not isinstance(pattern, str) or len(pattern) > MAX_PATTERN_CHARACTERS:
        yield f"matches needs a regular expression of at most {MAX_PATTERN_CHARACTERS} characters."
        return
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        yield f"the regular expression cannot be read: {error}."


def _mock_problems(mock: Mapping[str, Any]) -> Iterator[str]:
    yield from _unknown(mock, _MOCK_KEYS, "It")
    if not isinstance(mock.get("tool"), str) or not mock["tool"].strip():
        yield "the tool must be the name of a tool."
    if "args" in mock and not isinstance(mock["args"], dict):
        yield "args must be an object."
    if ("result" in mock) == ("error" in mock):
        yield "a mock has either a result or an error."
    elif "error" in mock and not (isinstance(mock["error"], str) and mock["error"].strip()):
        yield "the error must be a sentence."


def _unknown(value: Mapping[str, Any], keys: frozenset[str], what: str) -> Iterator[str]:
    for key in sorted(value.keys() - keys):
        yield f"{what} has an unknown key {key[:80]!r}; the keys are {', '.join(sorted(keys))}."
