"""Two people change one automation: what each of them changed, and a form that keeps what was typed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from decimal import Decimal
from typing import Any
from uuid import UUID

from automations import words
from donna_skills.readable import words as label_of

_SPANS = "_seconds"


@dataclass(frozen=True)
class Difference:
    """A field that somebody changed meanwhile. `typed` is None where the person at the form had left it alone."""

    label: str
    was: str
    now: str
    typed: str | None


@dataclass(frozen=True)
class Merged:
    """`values` for the form: what was typed where it was, and otherwise what is kept now."""

    values: dict[str, Any]
    differences: tuple[Difference, ...]


def snapshot(values: Mapping[str, Any]) -> str:
    """The values as they were shown, for the form to carry along."""
    return json.dumps({name: plain(value) for name, value in values.items()}, ensure_ascii=False, sort_keys=True)


def read_snapshot(text: str) -> dict[str, Any]:
    """What `snapshot` wrote; nothing of a text that is none, so that all counts as changed."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def changed(typed: Mapping[str, Any], seen: Mapping[str, Any]) -> dict[str, Any]:
    """Only what the person changed: what they left alone is nothing that they decided."""
    return {name: value for name, value in typed.items() if name not in seen or not same(value, seen[name])}


def merge(typed: Mapping[str, Any], seen: Mapping[str, Any], now: Mapping[str, Any]) -> Merged:
    mine = changed(typed, seen)
    differences = []
    for name, value in now.items():
        if name not in seen or same(value, seen[name]):
            continue
        own = mine.get(name)
        differences.append(
            Difference(
                label=label_of(name.removesuffix(_SPANS)),
                was=shown(name, seen[name]),
                now=shown(name, value),
                typed=shown(name, own) if name in mine and not same(own, value) else None,
            )
        )
    return Merged({**now, **mine}, tuple(differences))


def same(one: Any, other: Any) -> bool:
    return json.dumps(plain(one), sort_keys=True) == json.dumps(plain(other), sort_keys=True)


def plain(value: Any) -> Any:
    """As JSON has it; two ways to write one amount are one."""
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, time):
        return value.isoformat("minutes")
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value


def shown(name: str, value: Any) -> str:
    """For a sentence."""
    if name.endswith(_SPANS) and isinstance(value, int):
        return words.span(value)
    if name in {"alert_conditions", "event_filter"}:
        return words.condition(value)
    if value in (None, "", [], {}):
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    found = plain(value)
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)
