"""Automations in words: what a condition asks, what a run's trace says, and how long a number of seconds is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from automations.services import texts

_UNITS = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))
_LONGEST_SPAN = 366 * 86_400
_SPAN = re.compile(r"(\d{1,9})\s*(s|sec|secs|seconds?|m|min|mins|minutes?|h|hours?|d|days?)?", re.ASCII | re.IGNORECASE)
_SAID = {
    "==": "is {}",
    "!=": "is not {}",
    "<": "is below {}",
    "<=": "is at or below {}",
    ">": "is above {}",
    ">=": "is at or above {}",
    "contains": "has {} in it",
    "matches": "matches {}",
    "between": "is from {} to {}",
    "exists": "is there",
    "missing": "is missing",
    "changed": "is another than before",
    "increased_by": "rose by {} or more",
    "decreased_by": "fell by {} or more",
}
_STATUSES = {"failure": "the run fails", "no_data": "the run brings no data"}
_JOINED = {"all_of": " and ", "any_of": " or "}


@dataclass(frozen=True)
class Clause:
    """One leaf of a condition after a run: what it asked, what was found, and whether it was true."""

    asked: str
    found: str
    verdict: bool | None


def span(seconds: int | None) -> str:
    """`15 min`, `12 h`, `90 s`: in the largest unit that needs no fraction."""
    if not seconds:
        return "" if seconds is None else "0 s"
    unit, size = next((unit, size) for unit, size in _UNITS if seconds % size == 0)
    return f"{seconds // size} {unit}"


def read_span(text: str) -> int:
    """The seconds of `15 min` or `1 h`; a number alone is seconds. Raises ValueError with a sentence."""
    found = _SPAN.fullmatch(text.strip())
    if found is None:
        raise ValueError("Write a length of time such as 90 s, 15 min, 2 h or 1 d.")
    seconds = int(found[1]) * dict(_UNITS)[_unit(found[2] or "s")]
    if seconds > _LONGEST_SPAN:
        raise ValueError("The longest length of time is 366 d.")
    return seconds


def condition(node: Any) -> str:
    """A condition as one says it: `price is at or below 100 or in stock is another than before`."""
    if not isinstance(node, Mapping) or not node:
        return "never"
    held = _held(node.get("for"))
    if "on" in node:
        return _STATUSES.get(str(node["on"]), str(node["on"])) + held
    if "not" in node:
        return f"not ({condition(node['not'])}){held}"
    for kind, joint in _JOINED.items():
        if kind in node:
            parts = [_part(one) for one in node[kind]]
            said = joint.join(parts) if parts else "never"
            return f"({said}){held}" if held and len(parts) > 1 else said + held
    return leaf(node) + held


def leaf(node: Mapping[str, Any]) -> str:
    op, wanted = str(node.get("op", "")), node.get("value")
    ends = wanted if op == "between" and isinstance(wanted, list) else [wanted]
    said = _SAID.get(op, op)
    return f"{_named(node.get('field'))} {said.format(*(texts.in_words(end) for end in ends))}"


def trace(clauses: Sequence[Mapping[str, Any]], conditions: Any = None) -> list[Clause]:
    """A run's trace. `conditions` are those that it was judged by, where they are still known: without them a clause
    says its operator alone."""
    found = []
    for one in clauses:
        field, op = one.get("field"), str(one.get("op", ""))
        if op == "on":
            said = _STATUSES.get(str(one.get("value")), str(one.get("value")))
            found.append(Clause(said, "", one.get("verdict")))
            continue
        node = _at(conditions, str(one.get("path", "")))
        asked = leaf(node) if node.get("op") == op and node.get("field") == field else f"{_named(field)} {op}"
        value = one.get("value")
        found.append(Clause(asked, "nothing" if value is None else texts.in_words(value), one.get("verdict")))
    return found


def _unit(text: str) -> str:
    first = text.lower()
    return "min" if first.startswith("m") else first[0]


def _held(held: Any) -> str:
    if not isinstance(held, Mapping):
        return ""
    runs, of = held.get("runs"), held.get("of")
    return f", in {runs} of the last {of} runs" if of else f", in {runs} runs in a row"


def _part(node: Any) -> str:
    said = condition(node)
    compound = isinstance(node, Mapping) and any(len(node.get(kind, ())) > 1 for kind in _JOINED)
    return f"({said})" if compound else said


def _named(field: Any) -> str:
    return str(field).replace("_", " ")


def _at(conditions: Any, path: str) -> Mapping[str, Any]:
    """The node at a JSON Pointer; empty where the condition has none there any more."""
    here = conditions
    for step in path.split("/")[1:]:
        if isinstance(here, list) and step.isdecimal() and int(step) < len(here):
            here = here[int(step)]
        elif isinstance(here, Mapping) and step in here:
            here = here[step]
        else:
            return {}
    return here if isinstance(here, Mapping) else {}
