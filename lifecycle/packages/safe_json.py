"""JSON from strangers, read with bounds: depth, size, duplicate keys, and numbers that JSON does not know."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

from lifecycle.packages.documents import MAX_DEPTH, Unreadable, finite, storable

MAX_CHARACTERS = 1024 * 1024
MAX_DIGITS = 100

# A string that never ends is taken to the end of the text, so that one pass over the text stays one pass.
_BRACKETS = re.compile(r'"(?:[^"\\]++|\\.)*+"?|([\[{])|([\]}])', re.DOTALL)
_SUSPECT_ESCAPE = re.compile(r"\\u(0000|[dD][89a-fA-F])")


def load(text: str) -> Any:
    """The value of one JSON text; raises Unreadable. Unlike json.loads it never fails by recursion."""
    if len(text) > MAX_CHARACTERS:
        raise Unreadable(f"The file has {len(text):,} characters; a JSON file may have {MAX_CHARACTERS:,}.")
    _refuse_depth(text)
    try:
        value = json.loads(
            text, object_pairs_hook=_mapping, parse_constant=_constant, parse_float=_float, parse_int=_integer
        )
    except json.JSONDecodeError as error:
        raise Unreadable(f"This is not valid JSON: {error.msg} (column {error.colno}).", error.lineno) from None
    if _SUSPECT_ESCAPE.search(text) and not _all_storable(value):
        raise Unreadable("A text contains a character that cannot be stored (NUL or half a surrogate pair).")
    return value


def _refuse_depth(text: str) -> None:
    depth = 0
    for found in _BRACKETS.finditer(text):
        if found[1]:
            depth += 1
            if depth > MAX_DEPTH:
                line = text.count("\n", 0, found.start()) + 1
                raise Unreadable(f"It is nested more than {MAX_DEPTH} levels deep.", line)
        elif found[2]:
            depth -= 1


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = Counter(keys).most_common(1)[0][0]
        raise Unreadable(f"The key {twice[:80]!r} appears twice in one object.")
    return entries


def _constant(word: str) -> Any:
    raise Unreadable(f"{word} is not a number that JSON knows.")


def _float(digits: str) -> float:
    number = float(digits) if len(digits) <= MAX_DIGITS else float("inf")
    if not finite(number):
        raise Unreadable("A number is too large.")
    return number


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise Unreadable("A number is too large.")
    return int(digits)


def _all_storable(value: Any) -> bool:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return all(storable(key) and _all_storable(item) for key, item in value.items())
    if isinstance(value, list):
        return all(_all_storable(item) for item in value)
    return True
