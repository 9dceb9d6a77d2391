"""How often an automation may start: the smallest gap of a schedule, the floor, and the next start that keeps it."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from automations.decisions import clocks
from automations.decisions import schedule as schedules
from automations.decisions.crontab import Crontab
from automations.decisions.schedule import InvalidSchedule

_INSTANT = timedelta(microseconds=1)


def floor(min_interval_seconds: float, state_floor_seconds: float | None = None) -> timedelta:
    """The smallest gap of two scheduled starts: the larger of the automation's own and that of its skill's state."""
    intervals = (min_interval_seconds, state_floor_seconds or 0)
    if not all(0 <= seconds < timedelta.max.total_seconds() for seconds in intervals):
        raise ValueError("An interval is a number of seconds, and not negative.")
    return timedelta(seconds=max(intervals))


def next_allowed(
    schedule: str, timezone: str, after: datetime, last_start: datetime | None, floor: timedelta
) -> datetime:
    """The first occurrence strictly after `after` that is at least `floor` later than the last start.

    Occurrences that are closer are passed over; the schedule itself stays as the person wrote it.
    """
    if last_start is not None:
        after = max(after, last_start + floor - _INSTANT)
    return schedules.next_occurrence(schedule, timezone, after)


def minimum_gap(schedule: str, timezone: str, after: datetime, days: int = 400) -> timedelta:
    """The smallest distance of two neighbouring occurrences in the `days` after an instant.

    Changes of the clock count, for a time that is moved out of a gap may come close to its neighbour. Where fewer
    than two fall into the days, it is the distance of the next two, however far off. A day without a change of the
    clock is looked at as a whole, so that the time this takes grows with the days and not with the occurrences.
    """
    table, where = schedules.crontab(schedule), schedules.place(timezone)
    start = schedules.in_utc(after)
    end, cursor, last = start + timedelta(days=days), start, None
    gaps: list[timedelta] = []
    while cursor <= end:
        if cursor > start and cursor + clocks.DAY <= end and _is_ordinary_day(cursor, where):
            found, cursor = _ends_of_day(table, where, cursor, gaps), cursor + clocks.DAY
        else:
            until = min(_next_midnight(cursor, where), end + _INSTANT)
            found = _one_by_one(table, where, cursor if cursor == start else cursor - _INSTANT, until)
            gaps += [later - earlier for earlier, later in pairwise(found)]
            cursor = until
        if found and last is not None:
            gaps.append(found[0] - last)
        last = found[-1] if found else last
    if gaps:
        return min(gaps)
    first = schedules.next_of(table, where, start)
    return schedules.next_of(table, where, first) - first


def check_density(schedule: str, timezone: str, after: datetime, floor: timedelta, *, spaced: bool = False) -> None:
    """Raise InvalidSchedule when a schedule asks for starts closer than the floor, unless they are to be spaced."""
    gap = minimum_gap(schedule, timezone, after)
    if gap < floor and not spaced:
        raise InvalidSchedule(
            f"The schedule starts as often as every {_spoken(gap)}, and the shortest allowed is {_spoken(floor)}; "
            "choose fewer times, or let the occurrences in between be passed over."
        )


def _is_ordinary_day(midnight: datetime, where: ZoneInfo) -> bool:
    """Whether a day begins here and no change of the clock is near enough to touch its times."""
    around = {clocks.offset(midnight + days * clocks.DAY, where) for days in (-1, 0, 1, 2)}
    shown = clocks.wall(midnight, where)
    return len(around) == 1 and shown.hour == shown.minute == shown.second == 0


def _ends_of_day(table: Crontab, where: ZoneInfo, midnight: datetime, gaps: list[timedelta]) -> list[datetime]:
    if not table.on(clocks.wall(midnight, where)):
        return []
    if (step := table.smallest_step()) is not None:
        gaps.append(step)
    return [midnight + timedelta(minutes=table.times[0]), midnight + timedelta(minutes=table.times[-1])]


def _next_midnight(instant: datetime, where: ZoneInfo) -> datetime:
    midnight = (clocks.wall(instant, where) + clocks.DAY).replace(hour=0, minute=0, second=0, microsecond=0)
    found = clocks.first_instant(midnight, where)
    # Where the clock is put back over midnight, this one has gone by already.
    return found if found > instant else instant + clocks.DAY


def _one_by_one(table: Crontab, where: ZoneInfo, after: datetime, until: datetime) -> list[datetime]:
    """Every occurrence after the one instant and before the other."""
    found = []
    following = schedules.next_of(table, where, after)
    while following < until:
        found.append(following)
        following = schedules.next_of(table, where, following)
    return found


def _spoken(gap: timedelta) -> str:
    minutes = gap.total_seconds() / 60
    return f"{minutes:g} minutes" if minutes < 120 else f"{minutes / 60:g} hours"
