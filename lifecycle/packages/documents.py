"""What reading a YAML or JSON file gives, whoever wrote the file: a JSON-like value and where its parts stand."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MAX_DEPTH = 50

Place = tuple[str | int, ...]

# PostgreSQL stores neither a NUL nor half a surrogate pair, and neither belongs into text.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class Unreadable(Exception):
    """The text is no acceptable YAML or JSON; the message says why, `line` counts from 1 where it is known."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


@dataclass(frozen=True)
class Document:
    """A value made of mappings, lists, strings, numbers, booleans and null, with the lines of a YAML source."""

    path: str
    value: Any
    lines: Mapping[Place, int] = field(default_factory=dict)

    def line(self, *place: str | int) -> int | None:
        """The line of the value at this place, or of the nearest thing around it."""
        for end in range(len(place), -1, -1):
            if (found := self.lines.get(place[:end])) is not None:
                return found
        return None


def storable(text: str) -> bool:
    return _UNSTORABLE.search(text) is None


def finite(number: float) -> bool:
    return math.isfinite(number)
