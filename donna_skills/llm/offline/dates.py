"""The words in a note that say when, and the day that they mean."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

_WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_MONTHS = [
    *["january", "february", "march", "april", "may", "june"],
    *["july", "august", "september", "october", "november", "december"],
]
_NUMBERS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "ten": 10}

_LEAD = r"(?:\b(?:due|by|on|before|until|for|this|from)\s+)*"
_CLOCK = r"(?:\s+(?:morning|afternoon|evening|night))?(?:\s+at\s+\d{1,2}(?::\d\d)?\s*(?:am|pm)?\b)?"
# In full: "sun", "sat" and "wed" are words of their own.
_WEEKDAY = "|".join(_WEEKDAYS)
_MONTH = "|".join([*_MONTHS, *(name[:3] for name in _MONTHS), "sept"])


@dataclass(frozen=True)
class When:
    """`text` as written, without its preposition; `span` with it; `day` where it can be worked out."""

    text: str
    span: tuple[int, int]
    day: date | None


def find(text: str, today: date | None, *, blunt: bool = False) -> When | None:
    """The first words that say when. A blunt reader does not know spans of time that are written out."""
    for pattern, day_of, subtle in _RULES:
        if blunt and subtle:
            continue
        for found in pattern.finditer(text):
            try:
                day = day_of(found, today)
            except (ValueError, OverflowError):
                # 2026-13-45 looks like a date and is none: the words stay where they are.
                continue
            return When(text=found["when"].strip(), span=found.span(), day=day)
    return None


def parse(value: Any) -> date | None:
    """A date, or the date of a date and time, from a text."""
    try:
        return date.fromisoformat(value[:10]) if isinstance(value, str) else None
    except ValueError:
        return None


def _written_out(found: re.Match[str], today: date | None) -> date | None:
    return date.fromisoformat(found["iso"])


def _named_month(found: re.Match[str], today: date | None) -> date | None:
    """Without a year it is the next such day."""
    month = next(i for i, name in enumerate(_MONTHS, 1) if name.startswith(found["month"].lower()[:3]))
    number = int(found["number"])
    if found["year"]:
        return date(int(found["year"]), month, number)
    if today is None:
        date(2000, month, number)
        return None
    day = date(today.year, month, number)
    return day if day >= today else date(today.year + 1, month, number)


def _weekday(found: re.Match[str], today: date | None) -> date | None:
    if today is None:
        return None
    wanted = next(i for i, name in enumerate(_WEEKDAYS) if name.startswith(found["weekday"].lower()[:3]))
    return today + timedelta(days=(wanted - today.weekday() - 1) % 7 + 1)


def _in_some_time(found: re.Match[str], today: date | None) -> date | None:
    count = _NUMBERS.get(found["count"].lower()) or int(found["count"])
    return today and today + timedelta(days=count * (7 if found["unit"].lower().startswith("week") else 1))


def _after(days: int) -> Callable[[re.Match[str], date | None], date | None]:
    return lambda found, today: today and today + timedelta(days=days)


def _end_of_week(found: re.Match[str], today: date | None) -> date | None:
    """Friday, or Sunday when the working week is over."""
    return today and today + timedelta(days=(4 - today.weekday()) if today.weekday() <= 4 else 6 - today.weekday())


def _end_of_month(found: re.Match[str], today: date | None) -> date | None:
    return today and (today.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)


def _next_week(found: re.Match[str], today: date | None) -> date | None:
    return today and today + timedelta(days=7 - today.weekday())


def _compiled(body: str) -> re.Pattern[str]:
    return re.compile(rf"{_LEAD}(?P<when>{body}{_CLOCK})(?!\w)", re.IGNORECASE)


_DayOf = Callable[[re.Match[str], date | None], date | None]
_COUNT = rf"(?P<count>\d{{1,3}}|{'|'.join(_NUMBERS)})"
_YEAR = r"(?:,?\s+(?P<year>\d{4}))?"
_ORDINAL = r"(?P<number>\d{1,2})(?:st|nd|rd|th)?"
_RULES: list[tuple[re.Pattern[str], _DayOf, bool]] = [
    (_compiled(r"\b(?P<iso>\d{4}-\d\d-\d\d)"), _written_out, False),
    (_compiled(rf"\b{_ORDINAL}\s+(?:of\s+)?(?P<month>{_MONTH}){_YEAR}"), _named_month, False),
    (_compiled(rf"\b(?P<month>{_MONTH})\s+{_ORDINAL}{_YEAR}"), _named_month, False),
    (_compiled(r"\bthe day after tomorrow|\bday after tomorrow"), _after(2), False),
    (_compiled(r"\btomorrow"), _after(1), False),
    (_compiled(r"\b(?:today|tonight)"), _after(0), False),
    (_compiled(rf"\bin\s+{_COUNT}\s+(?P<unit>days?|weeks?)"), _in_some_time, True),
    (_compiled(r"\b(?:the\s+)?end of (?:the\s+|this\s+)?week"), _end_of_week, True),
    (_compiled(r"\b(?:the\s+)?end of (?:the\s+|this\s+)?month"), _end_of_month, True),
    (_compiled(rf"\b(?:next\s+)?(?P<weekday>{_WEEKDAY})"), _weekday, False),
    (_compiled(r"\bnext week"), _next_week, False),
]
