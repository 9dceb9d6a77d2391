"""What one render may spend, and how values read as text."""

from __future__ import annotations

import json
from typing import Any

from jinja2 import Undefined

ALLOWANCE = 2_000_000
"""What one render may spend: about one unit a value touched, so well under a second."""
MAX_TEXT = 200_000
"""Characters that a render, or any text that a template builds, may have."""

KEY = "meter:"
"""The meter's name in a render's context; no template can write a name with a colon."""


class Exhausted(Exception):
    """The render would take too long, or make something too large."""


class Meter:
    """One render's allowance, and the value of an expression once it is known."""

    def __init__(self) -> None:
        self.left = ALLOWANCE
        self.result: Any = None

    def spend(self, amount: int) -> None:
        self.left -= amount
        if self.left < 0:
            raise Exhausted("The template does too much work: shorten its loops or the values that it touches.")

    def weigh(self, value: Any) -> None:
        """Spend what `value` weighs: one unit for each value in it, and one for each 16 characters."""
        waiting = [value]
        while waiting:
            item = waiting.pop()
            kind = type(item)
            if kind is str:
                self.spend(1 + (len(item) >> 4))
            elif kind is dict:
                self.spend(1 + len(item))
                waiting.extend(item)
                waiting.extend(item.values())
            elif kind is list or kind is tuple:
                self.spend(1 + len(item))
                waiting.extend(item)
            elif kind is int:
                self.spend(1 + (item.bit_length() >> 7))
            else:
                self.spend(1)


def text_of(value: Any) -> str:
    """How a value reads in a prompt: text as it is, everything else as JSON."""
    if isinstance(value, str | Undefined):
        return str(value)  # an undefined value raises here, with the name that is missing
    return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_refuse)


def json_of(value: Any, *, indent: int | None = None) -> str:
    demand(value)
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent, default=_refuse)


def demand(value: Any) -> None:
    """Raise, with the name that is missing, when the value is undefined; also for an `if` without its `else`."""
    if isinstance(value, Undefined):
        value._fail_with_undefined_error()


def kind_of(value: Any) -> str:
    """The value's type in the words of JSON."""
    names = {str: "text", dict: "mapping", list: "list", tuple: "list", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number" if isinstance(value, int | float) else type(value).__name__)


def _refuse(value: Any) -> Any:
    demand(value)
    raise TypeError(f"A {kind_of(value)} cannot be written as text.")
