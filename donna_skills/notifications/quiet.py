"""Quiet hours hold a message back, they never drop it. Pure: times in, a time out."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo


def release_at(now: datetime, *, quiet_from: time | None, quiet_until: time | None, zone: str) -> datetime:
    """`now`, or the end of the quiet hours that `now` falls into. Hours past midnight (22:00 to 07:00) are fine.

    Wall-clock times in the zone; an end that a gap swallows is the first instant after it.
    """
    if quiet_from is None or quiet_until is None or quiet_from == quiet_until:
        return now
    local = now.astimezone(ZoneInfo(zone))
    clock = local.time()
    over_midnight = quiet_from > quiet_until
    quiet = clock >= quiet_from or clock < quiet_until if over_midnight else quiet_from <= clock < quiet_until
    if not quiet:
        return now
    day = local.date() + timedelta(days=1 if over_midnight and clock >= quiet_from else 0)
    end = datetime.combine(day, quiet_until, tzinfo=local.tzinfo).astimezone(UTC)
    # In the repeated hour of autumn the end's first occurrence may be over already; then the second one is meant.
    return end if end > now else end + timedelta(hours=1)
