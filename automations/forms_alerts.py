"""The alert builder: rows of a form to a condition and back. What rows cannot say stays JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from automations.decisions import conditions as trees
from donna_skills.errors import FieldError
from lifecycle import forms as inputs_forms

MOST_ROWS = 20
OPERATORS: tuple[tuple[str, str], ...] = (
    ("<=", "is at or below"),
    ("<", "is below"),
    (">=", "is at or above"),
    (">", "is above"),
    ("==", "is"),
    ("!=", "is not"),
    ("between", "is between (low, high)"),
    ("contains", "contains"),
    ("matches", "matches the pattern"),
    ("changed", "is another than before"),
    ("increased_by", "rose by at least (5 or 10%)"),
    ("decreased_by", "fell by at least (5 or 10%)"),
    ("exists", "is there"),
    ("missing", "is missing"),
)
_FIELD, _OP, _VALUE = "alert_field", "alert_op", "alert_value"
_TEXT_ONLY = {"string"}
_NUMBERS = {"number", "integer", "null"}


@dataclass(frozen=True)
class Row:
    field: str = ""
    op: str = "<="
    value: str = ""
    error: str = ""

    @property
    def blank(self) -> bool:
        return not (self.field.strip() or self.value.strip())


@dataclass(frozen=True)
class Builder:
    """What the builder shows: rows that hold all at once or any of them, what is said of the run itself, and in how
    many runs it has to be so."""

    rows: tuple[Row, ...] = ()
    match: str = "all"
    on: tuple[str, ...] = ()
    runs: str = ""
    of: str = ""
    error: str = ""

    @property
    def shown(self) -> tuple[Row, ...]:
        """There is always a row to type into."""
        return self.rows or (Row(),)

    def with_row(self) -> Builder:
        return replace(self, rows=(*self.shown, Row())[:MOST_ROWS])

    def without_row(self, number: int) -> Builder:
        return replace(self, rows=tuple(row for at, row in enumerate(self.shown) if at != number))


@dataclass(frozen=True)
class Made:
    """A condition, and which row stands at which JSON Pointer of it; `builder` has the errors of rows, if any."""

    conditions: dict[str, Any]
    places: Mapping[str, int] = field(default_factory=dict)
    builder: Builder = field(default_factory=Builder)

    @property
    def failed(self) -> bool:
        return bool(self.builder.error) or any(row.error for row in self.builder.rows)


def read(data: Any) -> Builder:
    """The builder as it was sent; `data` is a QueryDict."""
    columns = [data.getlist(name)[:MOST_ROWS] for name in (_FIELD, _OP, _VALUE)]
    return Builder(
        rows=tuple(Row(name.strip()[:300], op, value.strip()) for name, op, value in zip(*columns, strict=False)),
        match="any" if data.get("alert_match") == "any" else "all",
        on=tuple(name for name in trees.STATUSES if name in data.getlist("alert_on")),
        runs=data.get("alert_runs", "").strip(),
        of=data.get("alert_of", "").strip(),
    )


def conditions_of(builder: Builder, schema: Any) -> Made:
    """The condition that the rows say; blank rows say nothing, and those that cannot be used carry a sentence."""
    leaves, rows, filled = [], list(builder.rows), []
    kinds = dict(answer_fields(schema))
    for number, row in enumerate(builder.rows):
        if not row.blank:
            leaf, error = _leaf(row, kinds.get(row.field, frozenset()))
            leaves.append(leaf)
            filled.append(number)
            rows[number] = replace(row, error=error)
    held, error = _held(builder)
    builder = replace(builder, rows=tuple(rows), error=error)
    states = [{"on": name} for name in builder.on]
    joint = f"{builder.match}_of"
    if not leaves:
        return Made(_any(states), builder=builder)
    core: dict[str, Any] = leaves[0] if len(leaves) == 1 else {joint: leaves}
    within = [""] if len(leaves) == 1 else [f"/{joint}/{at}" for at in range(len(leaves))]
    if held:
        core = {**core, "for": held}
    if not states:
        return Made(core, dict(zip(within, filled, strict=True)), builder)
    flat = builder.match == "any" and not held and len(leaves) > 1
    parts = [*(leaves if flat else [core]), *states]
    places = [f"/any_of/{at}" for at in range(len(leaves))] if flat else [f"/any_of/0{place}" for place in within]
    return Made({"any_of": parts}, dict(zip(places, filled, strict=True)), builder)


def builder_of(conditions: Any, schema: Any) -> Builder | None:
    """The rows that say exactly this condition; None where none do."""
    found = _builder(conditions)
    if found is None:
        return None
    made = conditions_of(found, schema)
    return found if not made.failed and _canonical(made.conditions) == _canonical(conditions) else None


def place_errors(made: Made, errors: Iterable[FieldError]) -> Builder:
    """Put what a service found wrong (`/alert_conditions/all_of/1/value`) onto its row, or above the rows."""
    rows, above = list(made.builder.rows), made.builder.error
    for error in errors:
        if not error.path.startswith("/alert_conditions"):
            continue
        within = error.path.removeprefix("/alert_conditions")
        fitting = [place for place in made.places if within == place or within.startswith(f"{place}/")]
        if fitting:
            at = made.places[max(fitting, key=len)]
            rows[at] = replace(rows[at], error=error.message)
        else:
            above = error.message
    return replace(made.builder, rows=tuple(rows), error=above)


def answer_fields(schema: Any) -> list[tuple[str, frozenset[str]]]:
    """What a condition may look at, with its types: the properties of the answer, and one level further."""
    found = []
    for name, part in _properties(schema).items():
        found.append((name, _kinds(part)))
        items = part.get("items") if isinstance(part, dict) else None
        found += [(f"{name}.{key}", _kinds(inner)) for key, inner in _properties(part).items()]
        found += [(f"{name}.*.{key}", _kinds(inner)) for key, inner in _properties(items).items()]
    return found


def _builder(conditions: Any) -> Builder | None:
    if not isinstance(conditions, Mapping):
        return None
    parts: list[Any] = [conditions] if conditions else []
    joined = set(conditions) == {"any_of"} and isinstance(conditions["any_of"], list)
    if joined:
        parts = conditions["any_of"]
    states = [one["on"] for one in parts if isinstance(one, Mapping) and set(one) == {"on"}]
    rest = [one for one in parts if not (isinstance(one, Mapping) and set(one) == {"on"})]
    if not all(isinstance(one, Mapping) for one in rest):
        return None
    on = tuple(str(name) for name in states)
    if len(rest) > 1 and all("field" in one for one in rest):
        return Builder(rows=tuple(_row(one) for one in rest), match="any", on=on)
    if len(rest) != 1:
        return Builder(on=on) if not rest else None
    core = dict(rest[0])
    held = core.pop("for", None) or {}
    if not isinstance(held, Mapping):
        return None
    match = "any" if "any_of" in core else "all"
    leaves = core.get(f"{match}_of", [core])
    if not isinstance(leaves, list) or not all(isinstance(one, Mapping) and "field" in one for one in leaves):
        return None
    shown = tuple(_row(one) for one in leaves)
    return Builder(rows=shown, match=match, on=on, runs=str(held.get("runs", "")), of=str(held.get("of", "")))


def _row(leaf: Mapping[str, Any]) -> Row:
    op, value = str(leaf.get("op", "")), leaf.get("value")
    if op in trees.VALUELESS:
        shown = ""
    elif op == "between" and isinstance(value, list):
        shown = ", ".join(_shown(end) for end in value)
    else:
        shown = _shown(value)
    return Row(str(leaf["field"]), op, shown)


def _leaf(row: Row, kinds: frozenset[str]) -> tuple[dict[str, Any], str]:
    leaf: dict[str, Any] = {"field": row.field, "op": row.op}
    try:
        inputs_forms.require_storable([row.field, row.value])
    except ValueError as error:
        return leaf, str(error)
    if not row.field:
        return leaf, "Say which value of the answer it is about."
    if row.op not in trees.OPERATORS:
        return leaf, "Choose how it is compared."
    if row.op in trees.VALUELESS:
        return leaf, ""
    if not row.value:
        return leaf, "Say what it is compared with."
    if row.op == "between":
        ends = [end.strip() for end in row.value.split(",")]
        if len(ends) != 2 or not all(ends):
            return leaf, "Write two values with a comma between them, the lower one first."
        values = [_typed(end, kinds) for end in ends]
        return {**leaf, "value": values}, _mismatch(values, kinds)
    if row.op == "matches":
        return {**leaf, "value": row.value}, ""
    if row.op in trees.MOVES and row.value.endswith("%"):
        return {**leaf, "value": "".join(row.value.split())}, ""
    value = _typed(row.value, kinds)
    return {**leaf, "value": value}, _mismatch([value], kinds) if row.op in trees.ORDER else ""


def _typed(text: str, kinds: frozenset[str]) -> Any:
    """A number, true, false or null where it reads as one, unless the value is known to be a text."""
    if kinds == _TEXT_ONLY:
        return text
    try:
        found = json.loads(text, parse_constant=_refuse)
        inputs_forms.require_storable(found)
    except (ValueError, RecursionError):
        return text
    return found


def _mismatch(values: list[Any], kinds: frozenset[str]) -> str:
    """A number is below no text: such a condition could never be true."""
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in values)
    return "" if numbers or not kinds or not kinds <= _NUMBERS else "This value of the answer is a number."


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _held(builder: Builder) -> tuple[dict[str, int], str]:
    if not (builder.runs or builder.of):
        return {}, ""
    if all(row.blank for row in builder.rows):
        return {}, "Say what has to be so in several runs."
    if not all(one.isascii() and one.isdecimal() and len(one) < 4 for one in (builder.runs, builder.of or "1")):
        return {}, "A number of runs is a whole number."
    held = {"runs": int(builder.runs)}
    return {**held, "of": int(builder.of)} if builder.of else held, ""


def _any(states: list[dict[str, Any]]) -> dict[str, Any]:
    if not states:
        return {}
    return states[0] if len(states) == 1 else {"any_of": states}


def _properties(schema: Any) -> Mapping[str, Any]:
    found = schema.get("properties") if isinstance(schema, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _kinds(part: Any) -> frozenset[str]:
    kinds = part.get("type", ()) if isinstance(part, Mapping) else ()
    return frozenset([kinds] if isinstance(kinds, str) else kinds)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no number.")


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
