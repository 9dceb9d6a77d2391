"""When an automation is due: cron expressions on the wall clock of a time zone. croniter is read here and nowhere else.

croniter reads the text; which minutes of which days it means is then worked out once (`crontab.py`), and put on the
clock of a zone by these rules:

- A schedule whose hour field admits all 24 hours means every real minute whose wall clock matches: the hour that is put
  back comes twice and counts twice, the hour that is left out adds nothing.
- Every other schedule is a list of fixed times. One that the clock leaves out runs once, at the first instant after the
  gap; one that comes twice runs once, at the first.

The next occurrence depends on the instant asked about alone, never on how one came there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from zoneinfo import ZoneInfo

from croniter import CroniterError, croniter

from automations.decisions import clocks, wording
from automations.decisions.crontab import LAST_WEEK, Crontab

_NAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_LONGEST = 500
_INSTANT = timedelta(microseconds=1)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


@dataclass(frozen=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    special: str = r"(?!)"
    """What is allowed beside values, ranges and steps."""

    def value(self, text: str) -> int | None:
        """The number of a value; None when it is none of this field's."""
        if text in self.names:
            return self.names.index(text) + self.low
        return int(text) if re.fullmatch(r"[0-9]{1,2}", text) and self.low <= int(text) <= self.high else None


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31, (), r"\?|l|([1-9]|[12][0-9]|3[01])w"),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 0, 7, _WEEKDAYS, rf"\?|l[0-7]|([0-7]|{'|'.join(_WEEKDAYS)})#[1-5]"),
)
_ITEM = re.compile(r"(\*|[a-z]+|[0-9]+)(?:-([a-z]+|[0-9]+))?(?:/([0-9]{1,3}))?", re.ASCII)


class InvalidSchedule(ValueError):
    """A schedule or time zone that cannot be used. `field` is the one to correct, `schedule` or `timezone`; `part` is
    the place within the expression, as `minute` or `day of the week`, where it is one.
    """

    def __init__(self, message: str, *, field: str = "schedule", part: str | None = None) -> None:
        super().__init__(message)
        self.message, self.field, self.part = message, field, part


@dataclass(frozen=True)
class Occurrence:
    """One line of a preview. `note` says what daylight saving does to it, and is empty on ordinary days."""

    local: datetime
    utc: datetime
    note: str = ""


def next_occurrence(schedule: str, timezone: str, after: datetime) -> datetime:
    """The first occurrence strictly after an aware instant, in UTC.

    Raises InvalidSchedule for what `validate_schedule` refuses, and ValueError for a time without a zone or when the
    calendar ends (in the year 9999) before the next occurrence.
    """
    return next_of(crontab(schedule), place(timezone), in_utc(after))


def validate_schedule(schedule: str, timezone: str) -> None:
    """Raise InvalidSchedule, with the field and a sentence, unless both can be used."""
    crontab(schedule)
    place(timezone)


def occurrences(schedule: str, timezone: str, after: datetime, count: int) -> list[datetime]:
    """The next `count` occurrences strictly after an aware instant, in UTC, ascending."""
    return list(islice(_walk(crontab(schedule), place(timezone), in_utc(after)), max(count, 0)))


def preview(schedule: str, timezone: str, after: datetime, count: int = 10) -> list[Occurrence]:
    """The next occurrences on the wall and in UTC, each with what daylight saving does to it."""
    table, where = crontab(schedule), place(timezone)
    found, before = [], clocks.offset(in_utc(after), where)
    for instant in occurrences(schedule, timezone, after, count):
        found.append(Occurrence(instant.astimezone(where), instant, _note(table, where, instant, before)))
        before = clocks.offset(instant, where)
    return found


def in_words(schedule: str, timezone: str) -> str:
    """As `every weekday at 09:00, New York`."""
    place(timezone)
    return f"{wording.in_words(crontab(schedule))}, {wording.place(timezone)}"


def crontab(schedule: str) -> Crontab:
    """What an expression means; raises InvalidSchedule."""
    if not isinstance(schedule, str) or not schedule.strip(" \t\r\n"):
        raise InvalidSchedule("A schedule is needed: five cron fields, as in `0 9 * * 1-5`, or a name such as @hourly.")
    if len(schedule) > _LONGEST:
        raise InvalidSchedule(f"A schedule has at most {_LONGEST} characters.")
    return _read(" ".join(re.split(r"[ \t\r\n]+", schedule.strip(" \t\r\n").lower())))


def place(timezone: str) -> ZoneInfo:
    """The zone of an IANA name; raises InvalidSchedule for the field `timezone`."""
    try:
        return clocks.zone(timezone if isinstance(timezone, str) else "")
    except ValueError as error:
        raise InvalidSchedule(str(error), field="timezone") from None


def in_utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError("A time without a zone cannot be placed; pass an aware one.")
    return instant.astimezone(UTC)


def next_of(table: Crontab, where: ZoneInfo, after: datetime) -> datetime:
    """`next_occurrence` for what has been read already."""
    try:
        found = _next_minute(table, where, after) if table.every_hour else _next_fixed(table, where, after)
    except OverflowError:
        found = None
    if found is None:
        raise ValueError("The calendar ends before the next occurrence.")
    return found


def _next_fixed(table: Crontab, where: ZoneInfo, after: datetime) -> datetime | None:
    """The first of the fixed times whose one instant lies later; times of an hour that comes again have had theirs."""
    shown = table.next_wall(clocks.wall(after, where))
    while shown is not None:
        instant = clocks.first_instant(shown, where)
        if instant > after:
            return instant
        shown = table.next_wall(shown)
    return None


def _next_minute(table: Crontab, where: ZoneInfo, after: datetime) -> datetime | None:
    """Walk from one change of the clock to the next; between two, wall time is UTC plus a constant.

    1. With the present offset, find the next match and the instant that this would be.
    2. When the clock does not change until then, that is the answer.
    3. When it does, look on from the change, which may itself be a match.
    4. When the match is days away, leap to two days before it: a clock is never put by more than one.
    """
    start, also_at_start = after, False
    while True:
        ahead = clocks.offset(start, where)
        shown = (start + ahead).replace(tzinfo=None)
        match = table.next_wall(shown - _INSTANT if also_at_start else shown)
        if match is None:
            return None
        target = match.replace(tzinfo=UTC) - ahead
        horizon = min(target, start + clocks.DAY)
        if clocks.offset(horizon, where) != ahead:
            start, also_at_start = clocks.change_between(start, horizon, where), True
        elif horizon == target:
            return target
        else:
            start, also_at_start = max(horizon, target - 2 * clocks.DAY), False


def _walk(table: Crontab, where: ZoneInfo, after: datetime) -> Iterator[datetime]:
    while True:
        after = next_of(table, where, after)
        yield after


def _note(table: Crontab, where: ZoneInfo, instant: datetime, before: timedelta) -> str:
    shown, ahead = clocks.wall(instant, where), clocks.offset(instant, where)
    if shown.hour * 60 + shown.minute not in table.times or not table.on(shown):
        return f"The clock is put forward past the time that was asked for; it runs at {shown:%H:%M}, right after."
    if clocks.comes_twice(shown, where):
        if not table.every_hour:
            return f"The clock shows {shown:%H:%M} twice; it runs the first time only."
        second = instant > clocks.first_instant(shown, where)
        return f"The clock shows {shown:%H:%M} twice; this is the {'second' if second else 'first'}."
    if ahead != before:
        way = "forward" if ahead > before else "back"
        return f"The clock has been put {way} since the one before, to {instant.astimezone(where):%Z}."
    return ""


@lru_cache(maxsize=4096)
def _read(text: str) -> Crontab:
    if text == "@reboot":
        raise InvalidSchedule("@reboot names no time; an automation needs one, as in @hourly or `0 9 * * *`.")
    if text.startswith("@") and text not in _NAMES:
        raise InvalidSchedule(f"{text[:40]} is unknown; the names are {', '.join(_NAMES)}.")
    fields = _NAMES.get(text, text).split(" ")
    if len(fields) in (6, 7):
        raise InvalidSchedule("Seconds and years are not used: write five fields, minute hour day month weekday.")
    if len(fields) != len(_FIELDS):
        raise InvalidSchedule(f"A schedule has five fields, minute hour day month weekday; this one has {len(fields)}.")
    for field, part in zip(_FIELDS, fields, strict=True):
        _check(field, part)
    _check_days(fields[2], fields[4])
    try:
        found = _expanded(croniter(" ".join(fields), start_time=0.0))
    except CroniterError as error:
        raise InvalidSchedule(f"The schedule cannot be read: {error}.") from None
    if not found.ever_comes():
        raise InvalidSchedule("Such a date never comes: the month has no such day.", part="day of the month")
    return found


def _check(field: _Field, part: str) -> None:
    """Refuse what is no cron, and what programs read differently. A sentence for each."""
    for item in part.split(","):
        if re.fullmatch(field.special, item):
            if part != item and "#" not in item and not re.fullmatch(r"l[0-7]?", item):
                raise InvalidSchedule(f"In the {field.name}, {item!r} stands alone.", part=field.name)
            continue
        if re.fullmatch(r"[hr](\(.*\))?(/.*)?", item):
            raise InvalidSchedule(f"Random fields (H, R) are refused, in the {field.name} too.", part=field.name)
        read = _ITEM.fullmatch(item)
        if read is None or (read[1] == "*" and read[2] is not None):
            raise InvalidSchedule(f"{item[:40]!r} is no {field.name}.", part=field.name)
        first, last = (None if text in (None, "*") else field.value(text) for text in (read[1], read[2]))
        for text, value in ((read[1], first), (read[2], last)):
            if text not in (None, "*") and value is None:
                raise InvalidSchedule(
                    f"{text!r} is no {field.name}: it goes from {field.low} to {field.high}.", part=field.name
                )
        if read[3] is not None and int(read[3]) == 0:
            raise InvalidSchedule(f"In the {field.name}, a step of 0 never moves on.", part=field.name)
        if first is not None and first == last:
            raise InvalidSchedule(f"In the {field.name}, write {read[1]} in place of {item}.", part=field.name)
        if first is not None and last is not None and first > last and read[3] is not None:
            raise InvalidSchedule(
                f"In the {field.name}, {item} wraps round with a step, which programs read in two ways; list them.",
                part=field.name,
            )


def _check_days(month_day: str, weekday: str) -> None:
    if ("w" in month_day and weekday not in "*?") or (re.search("[l#]", weekday) and month_day not in "*?"):
        raise InvalidSchedule(
            "Give a day of the month or a certain weekday of the month, not both.", part="day of the week"
        )


def _expanded(read: croniter) -> Crontab:
    minutes, hours, days, months, weekdays = read.expanded
    nearest = next(iter(read.nearest_weekday), None)
    weeks = [
        (weekday, LAST_WEEK if week == "l" else int(week))
        for weekday, found in read.nth_weekday_of_month.items()
        for week in found
    ]
    return Crontab(
        minutes=_numbers(minutes, range(60)),
        hours=_numbers(hours, range(24)),
        months=_numbers(months, range(1, 13)),
        month_days=None if days == ["*"] or nearest else tuple(sorted(day for day in days if isinstance(day, int))),
        last_day="l" in days,
        nearest_weekday_to=nearest,
        weekdays=None if weekdays == ["*"] or weeks else tuple(sorted(weekdays)),
        weeks=tuple(sorted(weeks)),
    )


def _numbers(expanded: list[int | str], every: range) -> tuple[int, ...]:
    return tuple(every) if "*" in expanded else tuple(sorted(int(number) for number in expanded))
