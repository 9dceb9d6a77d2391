"""Worked examples: check an output against one, or run a package on it with its tools mocked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import regex

from lifecycle.packages.model import FixtureCase, Package

from . import canonical, engine, schemas
from .outcome import RunOutcome
from .ports import Models
from .replay import MockedTools

MAX_PATTERN = 500
MAX_MATCHED = 10_000
PATTERN_TIME_S = 0.2
_ABSENT = object()
_PLACE = regex.compile(r"-?[0-9]{1,6}")


@dataclass(frozen=True)
class CaseResult:
    """Whether the package does what the example says, and the sentences that say why not."""

    passed: bool
    problems: tuple[str, ...]
    outcome: RunOutcome


def run_case(
    package: Package,
    case: FixtureCase,
    *,
    models: Models,
    granted_tools: Collection[str],
    output_schema: Mapping[str, Any] | None,
    system: str = "",
    step_deadline_s: float = 60.0,
    run_deadline_s: float = 300.0,
) -> CaseResult:
    """Run the package on the case's input, tools answered by its mocks, and check what comes out."""
    outcome = engine.execute(
        package,
        case.input,
        models=models,
        tools=MockedTools(case.tool_mocks),
        granted_tools=granted_tools,
        output_schema=output_schema,
        system=system,
        step_deadline_s=step_deadline_s,
        run_deadline_s=run_deadline_s,
        sleep=_no_pause,
    )
    if outcome.status != "succeeded":
        said = outcome.error or outcome.escalation_reason
        problems = [f"The run ended as {outcome.status}: {said}"]
    else:
        problems = check(outcome.output, case)
    return CaseResult(passed=not problems, problems=tuple(problems), outcome=outcome)


def check(output: Any, fixture: FixtureCase) -> list[str]:
    """What keeps the output from being what the fixture expects, as sentences; an empty list: nothing."""
    found = []
    if fixture.expected_output is not None:
        for path, message in schemas.problems(output, fixture.expected_output):
            found.append(f"At {path or 'the top'}: {message}")
    for assertion in fixture.assertions:
        problem = _assertion_problem(output, assertion)
        if problem:
            found.append(problem)
    return found


def _assertion_problem(output: Any, assertion: Mapping[str, Any]) -> str | None:
    path, sign, wanted = str(assertion.get("path", "")), assertion.get("op"), assertion.get("value")
    value = _at(output, path)
    if sign == "missing":
        return None if value is _ABSENT else f"{path} is there, and should be missing."
    if value is _ABSENT:
        return f"{path or 'The output'} is missing."
    if sign == "exists":
        return None
    holds = _OPERATORS.get(str(sign))
    if holds is None:
        return f"{sign!r} is not something that can be asserted about {path}."
    try:
        return None if holds(value, wanted) else f"{path} is {_short(value)}, which is not {sign} {_short(wanted)}."
    except (TypeError, ValueError, TimeoutError, regex.error, RecursionError) as error:
        return f"{path} {sign} {_short(wanted)} cannot be checked: {str(error)[:200]}."


def _at(value: Any, path: str) -> Any:
    """What stands at a dotted path; places in lists are numbers, negative from the end; the empty path is the whole."""
    for part in path.split(".") if path else ():
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list) and _PLACE.fullmatch(part) and -len(value) <= int(part) < len(value):
            value = value[int(part)]
        else:
            return _ABSENT
    return value


def _equal(value: Any, wanted: Any) -> bool:
    # Through canonical JSON, because in Python True == 1.
    return canonical.dumps(value) == canonical.dumps(wanted)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def holds(value: Any, wanted: Any) -> bool:
        numbers = all(type(each) in (int, float) for each in (value, wanted))
        if not numbers and not (isinstance(value, str) and isinstance(wanted, str)):
            raise TypeError("only two numbers or two texts have an order")
        return compare(value, wanted)

    return holds


def _contains(value: Any, wanted: Any) -> bool:
    if isinstance(value, str):
        return isinstance(wanted, str) and wanted.casefold() in value.casefold()
    if isinstance(value, list):
        return any(_equal(item, wanted) for item in value)
    if isinstance(value, Mapping):
        return wanted in value
    raise TypeError("only texts, lists and objects contain something")


def _matches(value: Any, pattern: Any) -> bool:
    if not isinstance(value, str) or not isinstance(pattern, str):
        raise TypeError("a pattern and the value must be texts")
    if len(pattern) > MAX_PATTERN or len(value) > MAX_MATCHED:
        raise ValueError("the pattern or the value is too long")
    return regex.search(pattern, value, timeout=PATTERN_TIME_S) is not None


_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": _equal,
    "!=": lambda value, wanted: not _equal(value, wanted),
    "<": _ordered(lambda value, wanted: value < wanted),
    "<=": _ordered(lambda value, wanted: value <= wanted),
    ">": _ordered(lambda value, wanted: value > wanted),
    ">=": _ordered(lambda value, wanted: value >= wanted),
    "contains": _contains,
    "matches": _matches,
}


def _short(value: Any) -> str:
    return canonical.dumps(value)[:120]


def _no_pause(seconds: float) -> None:
    """Mocked tools gain nothing from waiting."""
