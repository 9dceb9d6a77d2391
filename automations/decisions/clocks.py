"""Wall clocks: from instants in UTC to what the clock of an IANA zone shows, and back through daylight saving.

Only offsets are asked for, never a table of changes, for `zoneinfo` publishes none. Two changes of one zone's clock are
taken to lie more than a day apart; since 1970 the closest ones lie more than three days apart.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAY = timedelta(days=1)
_NAME = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*", re.ASCII)
_LONGEST_NAME = 100
# Files beside the zones that are no place's clock: with leap seconds, or whatever the machine is set to.
_NO_ZONES = ("posix/", "right/", "localtime", "posixrules", "Factory")


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """The zone of an IANA name. Raises ValueError with a sentence for what is none."""
    if not name:
        raise ValueError("Name a time zone, for example Europe/Berlin or UTC.")
    if len(name) <= _LONGEST_NAME and _NAME.fullmatch(name) and not name.startswith(_NO_ZONES):
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            pass  # a folder, or nothing at all: the sentence below says it
    raise ValueError(f"There is no time zone {name[:_LONGEST_NAME]!r}; use an IANA name such as Europe/Berlin or UTC.")


def wall(instant: datetime, place: ZoneInfo) -> datetime:
    """What the clock shows, without a zone."""
    return instant.astimezone(place).replace(tzinfo=None, fold=0)


def offset(instant: datetime, place: ZoneInfo) -> timedelta:
    """How far the clock is ahead of UTC."""
    found = instant.astimezone(place).utcoffset()
    assert found is not None
    return found


def comes_twice(shown: datetime, place: ZoneInfo) -> bool:
    """True for what the clock shows a second time, because it is put back."""
    first, second = (shown.replace(tzinfo=place, fold=fold).astimezone(UTC) for fold in (0, 1))
    return first < second


def first_instant(shown: datetime, place: ZoneInfo) -> datetime:
    """The first instant at which the clock shows `shown`; the first instant after the gap when it never does."""
    found = shown.replace(tzinfo=place).astimezone(UTC)
    if wall(found, place) == shown:
        return found
    # In a gap, fold 1 counts with the later offset, and so names an instant before the change.
    return change_between(shown.replace(tzinfo=place, fold=1).astimezone(UTC), found, place)


def change_between(start: datetime, end: datetime, place: ZoneInfo) -> datetime:
    """The first instant, to the second, with another offset than `start`; `end` is known to have another."""
    before = offset(start, place)
    low, high = 0, int((end - start).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        if offset(start + timedelta(seconds=middle), place) == before:
            low = middle
        else:
            high = middle
    return (start + timedelta(seconds=high)).replace(microsecond=0)
