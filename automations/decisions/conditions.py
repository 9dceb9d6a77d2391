"""Alert conditions as a tree: read from JSON, refused with the place of the node, and limited in size.

A leaf is `{field, op, value}` or `{on: "failure"}`; a compound is `{all_of: […]}`, `{any_of: […]}` or `{not: …}`;
`{}` is never true. `for: {runs: n, of: m}` beside any of them asks that it held in n of the last m runs (n in a row
without `of`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from automations.decisions import comparisons, paths, patterns

Status = Literal["success", "failure", "no_data"]

ORDER = ("<", "<=", ">", ">=")
EXISTENCE = ("exists", "missing")
VALUELESS = (*EXISTENCE, "changed")
MOVES = ("increased_by", "decreased_by")
OPERATORS = ("==", "!=", *ORDER, "contains", "exists", "missing", "between", "matches", "changed", *MOVES)
STATUSES = ("failure", "no_data")
COMPOUNDS = ("all_of", "any_of", "not")

MOST_LEVELS = 64
MOST_LEAVES = 1000
MOST_RUNS = 100
LONGEST_TEXT = 10_000
_MOST_PARTS = 1000
_VALUE_LEVELS = 16


class InvalidAlertCondition(ValueError):
    """A condition that cannot be used. `path` is the JSON Pointer of the node (`""` is the whole), `key` the member
    of it that is wrong, where it is one.
    """

    def __init__(self, message: str, *, path: str, key: str | None = None) -> None:
        super().__init__(f"{message} (at {path or 'the top'})")
        self.message, self.path, self.key = message, path, key


@dataclass(frozen=True)
class Held:
    """In how many of the last runs, this one included, a node has to be true."""

    runs: int
    of: int


@dataclass(frozen=True)
class Leaf:
    path: str
    field: str
    steps: tuple[str, ...]
    op: str
    value: Any
    prepared: Any
    held: Held | None


@dataclass(frozen=True)
class On:
    path: str
    status: str
    held: Held | None


@dataclass(frozen=True)
class Compound:
    """`all_of`, `any_of` or `not`, or the empty condition, which is an `any_of` of nothing."""

    kind: str
    parts: tuple[Node, ...]
    held: Held | None = None


Node = Leaf | On | Compound


@dataclass
class Tree:
    """A condition that was read, with its leaves in the order of the document."""

    root: Node
    leaves: list[Leaf | On]


def read(conditions: Any) -> Tree:
    """The tree of a condition; raises InvalidAlertCondition with the place of the node."""
    leaves: list[Leaf | On] = []
    return Tree(_node(conditions, "", 1, False, leaves), leaves)


def _node(raw: Any, path: str, level: int, within_held: bool, leaves: list[Leaf | On]) -> Node:
    if not isinstance(raw, Mapping):
        raise InvalidAlertCondition("A condition is an object.", path=path)
    if level > MOST_LEVELS:
        raise InvalidAlertCondition(f"Conditions are nested at most {MOST_LEVELS} levels deep.", path=path)
    if not raw:
        return Compound("any_of", ())
    held = _held(raw, path, within_held)
    kinds = [kind for kind in COMPOUNDS if kind in raw]
    if kinds:
        _only(raw, {kinds[0], "for"}, path)
        return _compound(raw[kinds[0]], kinds[0], path, level, held, within_held, leaves)
    if len(leaves) >= MOST_LEAVES:
        raise InvalidAlertCondition(f"A condition has at most {MOST_LEAVES} leaves.", path=path)
    leaves.append(_on(raw, path, held) if "on" in raw else _leaf(raw, path, held))
    return leaves[-1]


def _compound(
    raw: Any, kind: str, path: str, level: int, held: Held | None, within_held: bool, leaves: list[Leaf | On]
) -> Compound:
    within = within_held or held is not None
    if kind == "not":
        return Compound(kind, (_node(raw, f"{path}/not", level + 1, within, leaves),), held)
    if not isinstance(raw, list):
        raise InvalidAlertCondition(f"`{kind}` holds a list of conditions.", path=path, key=kind)
    if len(raw) > MOST_LEAVES:
        raise InvalidAlertCondition(f"A condition has at most {MOST_LEAVES} leaves.", path=path, key=kind)
    parts = [_node(part, f"{path}/{kind}/{number}", level + 1, within, leaves) for number, part in enumerate(raw)]
    return Compound(kind, tuple(parts), held)


def _on(raw: Mapping[str, Any], path: str, held: Held | None) -> On:
    _only(raw, {"on", "for"}, path)
    if raw["on"] not in STATUSES:
        raise InvalidAlertCondition(f"`on` is one of {', '.join(STATUSES)}.", path=path, key="on")
    return On(path, raw["on"], held)


def _leaf(raw: Mapping[str, Any], path: str, held: Held | None) -> Leaf:
    _only(raw, {"field", "op", "value", "for"}, path)
    field, op, value = raw.get("field"), raw.get("op"), raw.get("value")
    if not isinstance(field, str):
        raise InvalidAlertCondition(
            "A condition has a `field`, or one of all_of, any_of, not and on.", path=path, key="field"
        )
    try:
        steps = paths.segments(field)
    except ValueError as error:
        raise InvalidAlertCondition(str(error), path=path, key="field") from None
    if not isinstance(op, str) or op not in OPERATORS:
        raise InvalidAlertCondition(f"`op` is one of {', '.join(OPERATORS)}.", path=path, key="op")
    if op in VALUELESS:
        if value is not None and value is not True:
            raise InvalidAlertCondition(f"`{op}` takes no value.", path=path, key="value")
    elif "value" not in raw:
        raise InvalidAlertCondition(f"`{op}` needs a `value`.", path=path, key="value")
    return Leaf(path, field, steps, op, value, _prepared(op, value, path), held)


def _prepared(op: str, value: Any, path: str) -> Any:
    """The value in the form that the operator uses; a pattern is compiled, an amount is exact."""
    if op == "matches":
        if not isinstance(value, str):
            raise InvalidAlertCondition("`matches` needs a pattern, as text.", path=path, key="value")
        try:
            return patterns.compiled(value)
        except patterns.BadPattern as error:
            raise InvalidAlertCondition(str(error), path=path, key="value") from None
    if op in MOVES:
        by = comparisons.amount(value)
        if by is None:
            raise InvalidAlertCondition(
                f"`{op}` needs an amount above 0, as a number or as text like `10%`.", path=path, key="value"
            )
        return by
    if op == "between" and not (isinstance(value, list) and len(value) == 2):
        raise InvalidAlertCondition("`between` needs a list of two, [low, high].", path=path, key="value")
    problem = _not_json(value)
    if problem:
        raise InvalidAlertCondition(problem, path=path, key="value")
    return value


def _held(raw: Mapping[str, Any], path: str, within: bool) -> Held | None:
    if "for" not in raw:
        return None
    asked = raw["for"]
    if not isinstance(asked, Mapping) or not {"runs"} <= set(asked) <= {"runs", "of"}:
        raise InvalidAlertCondition('`for` is {"runs": n} or {"runs": n, "of": m}.', path=path, key="for")
    runs, of = asked["runs"], asked.get("of", asked["runs"])
    if not all(isinstance(number, int) and not isinstance(number, bool) for number in (runs, of)):
        raise InvalidAlertCondition("`for` counts in whole runs.", path=path, key="for")
    if not 1 <= runs <= of <= MOST_RUNS:
        raise InvalidAlertCondition(
            f"`for` needs at least one run, no more than `of`, and at most {MOST_RUNS}.", path=path, key="for"
        )
    if within:
        raise InvalidAlertCondition("`for` within `for` is refused; count runs once.", path=path, key="for")
    return Held(runs, of)


def _only(raw: Mapping[str, Any], allowed: set[str], path: str) -> None:
    extra = sorted(str(key)[:40] for key in raw if key not in allowed)
    if extra:
        raise InvalidAlertCondition(f"{', '.join(extra[:5])} has no place beside {_names(raw, allowed)}.", path=path)


def _names(raw: Mapping[str, Any], allowed: set[str]) -> str:
    present = sorted(allowed & set(raw)) or sorted(allowed)
    return ", ".join(present)


def _not_json(value: Any) -> str | None:
    """A sentence when a value is not JSON, or more of it than a condition needs."""
    waiting, parts = [(value, 1)], 0
    while waiting:
        here, level = waiting.pop()
        parts += 1
        if parts > _MOST_PARTS or level > _VALUE_LEVELS:
            return "The value is too large for a condition."
        if isinstance(here, str):
            if len(here) > LONGEST_TEXT:
                return f"A text has at most {LONGEST_TEXT} characters."
        elif isinstance(here, list):
            waiting += [(part, level + 1) for part in here[: _MOST_PARTS + 1]]
        elif isinstance(here, dict):
            if not all(isinstance(key, str) for key in here):
                return "The keys of an object are texts."
            waiting += [(part, level + 1) for part in list(here.values())[: _MOST_PARTS + 1]]
        elif isinstance(here, float) and not math.isfinite(here):
            return "A number is finite."
        elif here is not None and not isinstance(here, int | float):
            return "The value is not JSON."
    return None
