"""A job's report, or any JSON of ours, as something to read: facts, tables and parts, instead of braces. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_DEEPEST = 4
_WIDEST_TABLE = 8
_NAMES = ("label", "title", "name")
"""What an object of a list is headed with, the first that it has."""
_ABBREVIATIONS = {"usd": "USD", "id": "id", "utc": "UTC", "n": "n", "url": "address", "ms": "ms", "ci": "interval"}
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Cell:
    """One value: `form` says how a template shows it (text, id, money, yes, no, nothing or json)."""

    form: str
    value: Any = None


@dataclass(frozen=True)
class Table:
    heading: str
    columns: list[str]
    rows: list[list[Cell]]


@dataclass(frozen=True)
class Part:
    """One level of the report. `path` makes an id of it."""

    heading: str
    path: str
    facts: list[tuple[str, Cell]] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        return not (self.facts or self.tables or self.parts)


def part(content: Mapping[str, Any], *, heading: str = "", path: str = "report", depth: int = 0) -> Part:
    """Values become facts, lists of flat objects tables, other objects parts; what lies too deep stays JSON."""
    found = Part(heading=heading, path=path)
    for key, value in content.items():
        label, where = words(str(key)), f"{path}-{len(found.parts)}"
        if isinstance(value, Mapping) and value and depth < _DEEPEST:
            found.parts.append(part(value, heading=label, path=where, depth=depth + 1))
        elif _is_table(value):
            found.tables.append(_table(label, value))
        elif _are_objects(value) and depth + 1 < _DEEPEST:
            found.parts.append(_list(value, heading=label, path=where, depth=depth + 1))
        else:
            found.facts.append((label, _cell(str(key), value)))
    return found


def words(key: str) -> str:
    """`expected_savings_usd` as "Expected savings USD"."""
    parts = [_ABBREVIATIONS.get(one.lower(), one) for one in re.split(r"[_\s.]+", key) if one]
    text = " ".join(parts) or key
    return text[:1].upper() + text[1:]


def _list(rows: Sequence[Mapping[str, Any]], *, heading: str, path: str, depth: int) -> Part:
    """A part for each object, headed by what names it; the counts inside are one fact."""
    inner = []
    for number, row in enumerate(rows):
        name = next((key for key in _NAMES if isinstance(row.get(key), str) and row[key]), "")
        content = {key: _in_words(value) for key, value in row.items() if key != name}
        named = row[name] if name else str(number + 1)
        inner.append(part(content, heading=named, path=f"{path}-{number}", depth=depth + 1))
    return Part(heading=heading, path=path, parts=inner)


def _in_words(value: Any) -> Any:
    """`{"found": 4, "dismissed": 1}` as "4 found, 1 dismissed"; anything else as it is."""
    if isinstance(value, Mapping) and value and all(type(one) is int for one in value.values()):
        return ", ".join(f"{count} {words(str(key)).lower()}" for key, count in value.items())
    return value


def _is_table(value: Any) -> bool:
    """A list of flat objects of which none is too wide to stand in a row."""
    if not _are_objects(value) or len(_columns(value)) > _WIDEST_TABLE:
        return False
    return not any(isinstance(one, Mapping) or _are_objects(one) for row in value for one in row.values())


def _are_objects(value: Any) -> bool:
    """A list of nothing but objects, and not an empty one."""
    if not isinstance(value, Sequence) or isinstance(value, str | bytes) or not value:
        return False
    return all(isinstance(row, Mapping) for row in value)


def _columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(key for row in rows for key in row))


def _table(heading: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    columns = _columns(rows)
    cells = [[_cell(str(key), row.get(key)) for key in columns] for row in rows]
    return Table(heading, [words(str(key)) for key in columns], cells)


def _cell(key: str, value: Any) -> Cell:
    if value is None or value in ("", [], {}):
        return Cell("nothing")
    if isinstance(value, bool):
        return Cell("yes" if value else "no")
    if key.endswith("_usd") and _is_number(value):
        return Cell("money", value)
    if isinstance(value, str) and _ID.fullmatch(value):
        return Cell("id", value)
    if isinstance(value, str | int | float):
        return Cell("text", value)
    if isinstance(value, list) and all(isinstance(one, str | int | float) for one in value):
        return Cell("text", ", ".join(map(str, value)))
    return Cell("json", value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) or (
        isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?", value) is not None
    )
