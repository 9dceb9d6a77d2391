"""A schedule in words, as a person would say it to a colleague: `every weekday at 09:00`."""

from __future__ import annotations

import calendar
import itertools
from collections.abc import Sequence

from automations.decisions.crontab import LAST_WEEK, Crontab

_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_WORKDAYS, _WEEKEND = (1, 2, 3, 4, 5), (0, 6)
_WEEKS = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", LAST_WEEK: "last"}
_LISTED_TIMES = 6
_LISTED_DAYS = 5


def in_words(table: Crontab) -> str:
    """The rhythm within a day, and the days; without the zone."""
    days = _days(table)
    if table.every_hour:
        rhythm = _rhythm(table.minutes)
        return rhythm if days == "every day" else f"{rhythm}, {days}"
    few = len(table.times) <= _LISTED_TIMES
    return f"{days} {_at(table.times)}" if few else f"{days}, {_from_to(table.times)}"


def place(timezone: str) -> str:
    """A zone as one says it: `America/New_York` is New York."""
    return timezone.rsplit("/", 1)[-1].replace("_", " ")


def _rhythm(minutes: Sequence[int]) -> str:
    """Within every hour."""
    if minutes == (0,):
        return "every hour, on the hour"
    if len(minutes) == 60:
        return "every minute"
    if (step := _even_step(minutes, 60)) and minutes[0] == 0:
        return f"every {step} minutes"
    unit = "minute" if len(minutes) == 1 else "minutes"
    return f"every hour at {unit} {_joined([f'{minute:02}' for minute in minutes])}"


def _at(times: Sequence[int]) -> str:
    return f"at {_joined([_clock(minute) for minute in times])}"


def _from_to(times: Sequence[int]) -> str:
    between = f"from {_clock(times[0])} to {_clock(times[-1])}"
    steps = {later - earlier for earlier, later in itertools.pairwise(times)}
    if len(steps) > 1:
        return f"{len(times)} times {between}"
    step = steps.pop()
    return f"every {_plural(step, 'minute') if step % 60 else _plural(step // 60, 'hour')} {between}"


def _days(table: Crontab) -> str:
    named = len(table.months) < 12
    months = _joined([calendar.month_name[month] for month in table.months]) if named else "every month"
    if table.weeks:
        return f"on the {_joined([f'{_WEEKS[week]} {_WEEKDAYS[day]}' for day, week in table.weeks])} of {months}"
    if table.nearest_weekday_to is not None:
        return f"on the weekday nearest to the {_ordinal(table.nearest_weekday_to)} of {months}"
    by_number = _by_number(table, months, named)
    by_weekday = _by_weekday(table.weekdays) if table.weekdays is not None else ""
    if by_number and by_weekday:
        return f"{by_number} and {by_weekday}{f' in {months}' if named else ''}"
    return by_number or f"{by_weekday or 'every day'}{f' in {months}' if named else ''}"


def _by_number(table: Crontab, months: str, named: bool) -> str:
    if table.month_days is None and not table.last_day:
        return ""
    days = table.month_days or ()
    if named and len(days) == 1 and not table.last_day:
        return f"on {days[0]} {months}"
    if len(days) > _LISTED_DAYS and (step := _even_step(days, 31)):
        found = [f"every {_ordinal(step)} day from the {_ordinal(days[0])} to the {_ordinal(days[-1])}"]
        return f"{_joined(found + ['the last day'] * table.last_day)} of {months}".replace("every 1st day", "every day")
    return f"on the {_joined([_ordinal(day) for day in days] + ['last day'] * table.last_day)} of {months}"


def _by_weekday(weekdays: Sequence[int]) -> str:
    if tuple(weekdays) == _WORKDAYS:
        return "every weekday"
    if tuple(weekdays) == _WEEKEND:
        return "every Saturday and Sunday"
    if len(weekdays) == 7:
        return "every day"
    return f"every {_joined([_WEEKDAYS[day] for day in sorted(weekdays, key=lambda day: day or 7)])}"


def _even_step(numbers: Sequence[int], around: int) -> int | None:
    """The one distance between all of them, round the clock too where it divides evenly; None when they differ."""
    steps = {later - earlier for earlier, later in itertools.pairwise(numbers)}
    if len(steps) != 1:
        return None
    step = steps.pop()
    return step if around != 60 or numbers[0] + 60 - numbers[-1] == step else None


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _plural(count: int, unit: str) -> str:
    return unit if count == 1 else f"{count} {unit}s"


def _ordinal(number: int) -> str:
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _joined(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
