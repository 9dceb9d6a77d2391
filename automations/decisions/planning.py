"""What an automation does at an instant: which occurrences start, which were missed, and when it is due next.

A start is an occurrence plus the automation's own shift, within its preferred window and no closer to the start before
than the floor. Everything here depends on what is passed in alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Literal
from uuid import UUID

from automations.decisions import cadence, clocks
from automations.decisions.schedule import InvalidSchedule

CatchUpPolicy = Literal["latest_once", "skip", "all"]

_INSTANT = timedelta(microseconds=1)
_MOST_WALKED = 3000
_LATELY = timedelta(days=2)
_MOST_WINDOWS = 800


@dataclass(frozen=True)
class Rhythm:
    """When an automation may start. `window` are times of day in its zone, the first included, the second not; one that
    begins later than it ends goes over midnight."""

    schedule: str
    timezone: str
    floor: timedelta
    shift: timedelta = timedelta(0)
    window: tuple[time, time] | None = None


@dataclass(frozen=True)
class Due:
    """An occurrence of the schedule, and when it starts."""

    occurrence: datetime
    start: datetime


@dataclass(frozen=True)
class Missed:
    """Occurrences that nobody runs any more. `more` says that there were more than were counted."""

    first: datetime
    last: datetime
    count: int
    more: bool = False


@dataclass(frozen=True)
class Turn:
    """`runs` are to be started at their `start`, which is not before now; `last_start` is the floor's new anchor."""

    runs: tuple[Due, ...]
    missed: Missed | None
    next: Due
    last_start: datetime | None


def next_start(rhythm: Rhythm, *, after: datetime, last_start: datetime | None) -> Due:
    """The first start strictly after an instant. Raises InvalidSchedule when no occurrence falls into the window."""
    asked = after - rhythm.shift
    anchor = None if last_start is None else last_start - rhythm.shift
    for _ in range(_MOST_WINDOWS):
        found = cadence.next_allowed(rhythm.schedule, rhythm.timezone, asked, anchor, rhythm.floor)
        if rhythm.window is None or _within(found, rhythm.timezone, rhythm.window):
            return Due(found, found + rhythm.shift)
        asked = _opening(found, rhythm.timezone, rhythm.window[0]) - _INSTANT
    raise InvalidSchedule("No occurrence of the schedule falls into the preferred window.")


def shift(automation_id: UUID, jitter_seconds: int) -> timedelta:
    """An automation's own shift, from 0 to `jitter_seconds`: always the same, so that gaps stay what they are."""
    return timedelta(seconds=automation_id.int % (jitter_seconds + 1))


def turn(
    rhythm: Rhythm,
    due: Due,
    *,
    now: datetime,
    last_start: datetime | None,
    policy: CatchUpPolicy,
    on_time: timedelta,
    window: timedelta,
    at_most: int,
) -> Turn:
    """What happens to an automation that is due.

    1. Walk from the due start to now, each start at least the floor after the one before.
    2. The newest runs when it is on time. What is late follows the policy: `latest_once` runs the newest, `all` runs
       those within the window (`at_most`, the newest), a floor apart from now on, `skip` runs none.
    3. The rest is missed.
    4. The next start keeps the floor from the last run's real start: a run that is late moves the anchor to now.
    """
    starts, count, more = _walk(rhythm, due, now)
    newest = starts[-1]
    punctual = now - newest.start <= on_time
    if policy == "all":
        wanted = [one for one in starts if now - one.start <= max(window, on_time)][-at_most:]
    else:
        wanted = [newest] if punctual or policy == "latest_once" else []
    runs: list[Due] = []
    for one in wanted:
        begin = one.start if one is newest and punctual and not runs else now
        if runs:
            begin = max(begin, runs[-1].start + rhythm.floor)
        runs.append(Due(one.occurrence, begin))
    anchor = runs[-1].start if runs else last_start
    left = count - len(runs)
    missed = None
    if left:
        others = [one for one in starts if one not in wanted]
        missed = Missed(due.occurrence, others[-1].occurrence if others else due.occurrence, left, more)
    following = next_start(rhythm, after=max(now, newest.start), last_start=anchor)
    return Turn(tuple(runs), missed, following, anchor)


def _walk(rhythm: Rhythm, due: Due, now: datetime) -> tuple[list[Due], int, bool]:
    """Every start from the due one to now, the count of them, and whether some were leapt over uncounted."""
    found, count, leapt = [due], 1, False
    while True:
        here = found[-1].start
        if count == _MOST_WALKED and now - here > _LATELY:
            here, leapt = now - _LATELY, True
        following = next_start(rhythm, after=here, last_start=found[-1].start)
        if following.start > now:
            return found, count, leapt
        found.append(following)
        count += 1


def _within(instant: datetime, timezone: str, window: tuple[time, time]) -> bool:
    shown = clocks.wall(instant, clocks.zone(timezone)).time()
    begin, end = window
    return begin <= shown < end if begin < end else shown >= begin or shown < end


def _opening(instant: datetime, timezone: str, begin: time) -> datetime:
    """When the window opens next after an instant outside of it."""
    where = clocks.zone(timezone)
    shown = clocks.wall(instant, where)
    opening = datetime.combine(shown.date(), begin)
    if opening <= shown:
        opening += clocks.DAY
    found = clocks.first_instant(opening, where)
    return max(found, instant + _INSTANT)
