"""An independent answer to "when is this cron expression due": minute by minute, with `zoneinfo` and nothing of ours.

For a zone, the year is a list of runs of minutes with one offset, found by asking for the offset of every hour and,
where it differs from the one before, of every minute. For a schedule, the wall clock of the year is a row of bytes, 1
where a minute matches. Real minutes are slices of that row; what a slice leaves out or brings again is a change of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
MINUTES_OF_DAY = 24 * 60
_MARGIN_DAYS = 3
_NAMES = {
    name: number
    for names in ("sun mon tue wed thu fri sat", "- jan feb mar apr may jun jul aug sep oct nov dec")
    for number, name in enumerate(names.split())
}


@dataclass(frozen=True)
class Stretch:
    """Minutes of the year, from `start` up to `end`, in which the clock is `ahead` minutes ahead of UTC."""

    start: int
    end: int
    ahead: int


def due(schedule: str, zone: str, year: int) -> list[datetime]:
    """Every instant of a year, counted in UTC, at which the schedule is due."""
    walls, first = wall_clock(schedule, year), datetime(year, 1, 1, tzinfo=UTC)
    base = _MARGIN_DAYS * MINUTES_OF_DAY
    every_hour = _field(schedule.split()[1], 0, 23) == set(range(24))
    minutes = bytearray()
    before: Stretch | None = None
    for stretch in stretches(zone, year):
        piece = bytearray(walls[base + stretch.start + stretch.ahead : base + stretch.end + stretch.ahead])
        if before is not None and not every_hour:
            at = base + stretch.start
            if stretch.ahead > before.ahead and 1 in walls[at + before.ahead : at + stretch.ahead]:
                piece[0] = 1
            for again in range(min(before.ahead - stretch.ahead, len(piece))):
                piece[again] = 0
        minutes += piece
        before = stretch
    return [first + place * MINUTE for place in _places(minutes)]


@cache
def stretches(zone: str, year: int) -> tuple[Stretch, ...]:
    place, first = ZoneInfo(zone), datetime(year, 1, 1, tzinfo=UTC)
    length = (datetime(year + 1, 1, 1, tzinfo=UTC) - first) // MINUTE

    def ahead(minute: int) -> int:
        offset = (first + minute * MINUTE).astimezone(place).utcoffset()
        assert offset is not None
        assert offset % MINUTE == timedelta(0)
        return offset // MINUTE

    found: list[Stretch] = []
    start, now = 0, ahead(0)
    for hour in range(0, length, 60):
        if ahead(hour + 60) == now:
            continue
        for minute in range(hour + 1, hour + 61):
            if ahead(minute) != now and minute < length:
                found.append(Stretch(start, minute, now))
                start, now = minute, ahead(minute)
    return (*found, Stretch(start, length, now))


@cache
def wall_clock(schedule: str, year: int) -> bytes:
    """A byte per minute of the wall clock, from some days before the year to some days after."""
    minute, hour, day, month, weekday = schedule.split()
    minutes, hours = _field(minute, 0, 59), _field(hour, 0, 23)
    months, days = _field(month, 1, 12), _field(day, 1, 31)
    weekdays = {number % 7 for number in _field(weekday, 0, 7)}
    yes = bytes(at % 60 in minutes and at // 60 in hours for at in range(MINUTES_OF_DAY))
    no = bytes(MINUTES_OF_DAY)

    def matches(today: date) -> bool:
        by_day, by_weekday = today.day in days, today.isoweekday() % 7 in weekdays
        if day != "*" and weekday != "*":
            return today.month in months and (by_day or by_weekday)
        return today.month in months and by_day and by_weekday

    here, until = date(year, 1, 1) - _MARGIN_DAYS * DAY, date(year + 1, 1, 1) + _MARGIN_DAYS * DAY
    return b"".join(yes if matches(here + number * DAY) else no for number in range((until - here).days))


def _field(text: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for item in text.split(","):
        span, _, step = item.partition("/")
        first, _, last = span.partition("-")
        begin = low if first == "*" else _number(first)
        end = _number(last) if last else high if first == "*" or step else begin
        values = range(begin, end + 1) if begin <= end else [*range(begin, high + 1), *range(low, end + 1)]
        found |= set(list(values)[:: int(step or 1)])
    return found


def _number(text: str) -> int:
    return _NAMES[text.lower()] if text.isalpha() else int(text)


def _places(minutes: bytearray) -> list[int]:
    found, place = [], minutes.find(1)
    while place >= 0:
        found.append(place)
        place = minutes.find(1, place + 1)
    return found
