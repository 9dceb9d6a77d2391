"""What the operators of a condition mean for one value that was found. JSON's own types, and nothing is converted.

`1 == 1.0`, but True is not 1 and "1" is not 1. A comparison of types that do not fit is false. Numbers are ordered
among numbers and texts among texts; nothing else has an order, booleans included.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeGuard

from automations.decisions.patterns import Pattern

_PERCENT = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)%", re.ASCII)


@dataclass(frozen=True)
class Amount:
    """By how much a value has to move: a number, or a percentage of the absolute previous value."""

    size: Fraction
    percent: bool = False


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal, however deep they are."""
    waiting = [(one, other)]
    while waiting:
        left, right = waiting.pop()
        if isinstance(left, dict) and isinstance(right, dict):
            if left.keys() != right.keys():
                return False
            waiting += [(value, right[key]) for key, value in left.items()]
        elif isinstance(left, list) and isinstance(right, list):
            if len(left) != len(right):
                return False
            waiting += zip(left, right, strict=True)
        elif is_number(left) and is_number(right):
            if left != right:
                return False
        elif type(left) is not type(right) or left != right:
            return False
    return True


def is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def has_order(value: Any) -> bool:
    return (isinstance(value, str | int) and not isinstance(value, bool)) or _is_finite_float(value)


def contains(found: Any, wanted: Any) -> bool:
    """A part of a text, an element of a list, or a key of an object."""
    if isinstance(found, list):
        return any(same(element, wanted) for element in found)
    return isinstance(found, str | dict) and isinstance(wanted, str) and wanted in found


def between(found: Any, wanted: Any) -> bool:
    """Both ends included."""
    low, high = wanted
    return _at_least(found, low) and _at_least(high, found)


def matches(found: Any, pattern: Pattern) -> bool:
    return isinstance(found, str) and pattern.search(found)


def moved(found: Any, before: Any, by: Amount, *, up: bool) -> bool:
    """Whether a number rose (or fell) by at least an amount, in exact decimals: from 0.1 to 0.3 is 0.2.

    found - before >= size, or size/100 · |before| for a percentage, which a previous 0 has none of.
    """
    now, then = exact(found), exact(before)
    if now is None or then is None or (by.percent and then == 0):
        return False
    change = now - then if up else then - now
    return change >= (by.size * abs(then) / 100 if by.percent else by.size)


def amount(value: Any) -> Amount | None:
    """`5`, `0.25` or `10%`, more than nothing; None for anything else."""
    read = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    size = Fraction(read[1]) if read else exact(value)
    return Amount(size, percent=read is not None) if size is not None and size > 0 else None


def exact(value: Any) -> Fraction | None:
    """A number as the decimal that it is written as; None for what is none, or not finite."""
    if _is_finite_float(value):
        return Fraction(repr(value))
    return Fraction(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _is_finite_float(value: Any) -> TypeGuard[float]:
    """Whole numbers are finite however long they are, and may be too long to be made a float to ask."""
    return isinstance(value, float) and math.isfinite(value)


def _at_least(one: Any, other: Any) -> bool:
    return comparable(one, other) and bool(one >= other)


def comparable(one: Any, other: Any) -> bool:
    return has_order(one) and has_order(other) and isinstance(one, str) == isinstance(other, str)


SIMPLE: dict[str, Callable[[Any, Any], bool]] = {
    "==": same,
    "!=": lambda found, wanted: not same(found, wanted),
    "<": lambda found, wanted: comparable(found, wanted) and found < wanted,
    "<=": lambda found, wanted: comparable(found, wanted) and found <= wanted,
    ">": lambda found, wanted: comparable(found, wanted) and found > wanted,
    ">=": lambda found, wanted: comparable(found, wanted) and found >= wanted,
    "contains": contains,
    "between": between,
    "matches": matches,
}
"""Operators that need the value that was found and their own, in its prepared form."""
