"""An expanded cron expression: which days it means, at which minutes of them, and the next one on a plain wall clock.

Nothing here knows of time zones; `schedule.py` makes these out of text and puts them on a real clock.
"""

from __future__ import annotations

import calendar
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

LAST_WEEK = 6
"""Stands for "the last" among the weeks of a month, beside 1 to 5."""
# Within these years every month begins on every weekday, in leap years too, so what is not in them never comes.
_EVERY_CALENDAR = range(2000, 2028)
# From one 29 February that is a given weekday to the next it is at most 40 years, around 2100.
_LONGEST_WAIT_YEARS = 41
_REMEMBERED_MONTHS = 1200


@dataclass(eq=False)
class Crontab:
    """None in a field of days means that any will do. Weekdays count from Sunday, 0."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    months: tuple[int, ...]
    month_days: tuple[int, ...] | None = None
    last_day: bool = False
    nearest_weekday_to: int | None = None
    weekdays: tuple[int, ...] | None = None
    weeks: tuple[tuple[int, int], ...] = ()
    """(weekday, week of the month) pairs; the fifth Friday is (5, 5), the last one (5, LAST_WEEK)."""
    times: tuple[int, ...] = field(init=False)
    """Minutes of the day, ascending."""
    every_hour: bool = field(init=False)
    _known: dict[tuple[int, int], int] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.times = tuple(hour * 60 + minute for hour in self.hours for minute in self.minutes)
        self.every_hour = len(self.hours) == 24

    def next_wall(self, shown: datetime) -> datetime | None:
        """The first minute later than `shown`, both without a zone; None when the calendar ends before."""
        day = shown.day
        if self.days(shown.year, shown.month) >> day & 1:
            place = bisect_right(self.times, shown.hour * 60 + shown.minute)
            if place < len(self.times):
                return datetime(shown.year, shown.month, day, *divmod(self.times[place], 60))  # noqa: DTZ001 - a wall clock
        return self._first_after_day(shown.year, shown.month, day)

    def on(self, shown: datetime) -> bool:
        """Whether the day of `shown` is one of its days."""
        return bool(self.days(shown.year, shown.month) >> shown.day & 1)

    def ever_comes(self) -> bool:
        return any(self.days(year, month) for year in _EVERY_CALENDAR for month in self.months)

    def smallest_step(self) -> timedelta | None:
        """Between two minutes of one ordinary day; None when there is only one."""
        steps = [later - earlier for earlier, later in zip(self.times, self.times[1:], strict=False)]
        return timedelta(minutes=min(steps)) if steps else None

    def days(self, year: int, month: int) -> int:
        """The days of a month, day n as bit n."""
        found = self._known.get((year, month))
        if found is None:
            if len(self._known) >= _REMEMBERED_MONTHS:
                self._known.clear()
            found = self._known[year, month] = self._days(year, month) if month in self.months else 0
        return found

    def _first_after_day(self, year: int, month: int, day: int) -> datetime | None:
        left = self.days(year, month) >> (day + 1) << (day + 1)
        until = min(year + _LONGEST_WAIT_YEARS, 9999)
        while not left:
            year, month = (year, month + 1) if month < 12 else (year + 1, 1)
            if year > until:
                return None
            left = self.days(year, month)
        first = (left & -left).bit_length() - 1
        return datetime(year, month, first, *divmod(self.times[0], 60))  # noqa: DTZ001 - a wall clock

    def _days(self, year: int, month: int) -> int:
        first, length = calendar.monthrange(year, month)
        first = (first + 1) % 7
        if self.weeks:
            return _bits(_of_week(weekday, week, first, length) for weekday, week in self.weeks)
        if self.nearest_weekday_to is not None:
            return _bits([_nearest_weekday(self.nearest_weekday_to, first, length)])
        every = (1 << (length + 1)) - 2
        if self.month_days is None and not self.last_day and self.weekdays is None:
            return every
        by_number = _bits([day for day in self.month_days or () if day <= length] + [length] * self.last_day)
        weekdays = self.weekdays or ()
        by_weekday = _bits(day for day in range(1, length + 1) if (first + day - 1) % 7 in weekdays)
        # Cron's own rule: a day of either kind counts when both are given.
        return by_number | by_weekday


def _bits(days: Iterable[int]) -> int:
    found = 0
    for day in days:
        found |= 1 << day
    return found & ~1


def _of_week(weekday: int, week: int, first: int, length: int) -> int:
    """The day of the n-th such weekday; 0 when the month has none."""
    day = 1 + (weekday - first) % 7 + 7 * (week - 1)
    if week == LAST_WEEK:
        while day > length:
            day -= 7
    return day if day <= length else 0


def _nearest_weekday(day: int, first: int, length: int) -> int:
    """Monday to Friday nearest to the day, without leaving the month."""
    day = min(day, length)
    weekday = (first + day - 1) % 7
    if weekday == 6:
        return day - 1 if day > 1 else day + 2
    if weekday == 0:
        return day + 1 if day < length else day - 2
    return day
