"""How often an automation may start: the smallest gap, the floor, and starts that keep it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from time import thread_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automations.decisions import cadence
from automations.decisions import schedule as schedules
from automations.decisions.schedule import InvalidSchedule

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
AFTER = datetime(2026, 1, 1, 10, 20, tzinfo=UTC)
SCHEDULES = ["*/15 * * * *", "@hourly", "30 1,2 * * *", "0 9,17 * * 1-5", "0 */5 * * *", "*/20 1-3 * * 0", "0 0 1 * *"]
ZONES = ["UTC", "America/New_York", "Australia/Lord_Howe", "America/Havana", "Pacific/Apia"]
instants = st.datetimes(
    datetime.fromisoformat("2005-01-01"), datetime.fromisoformat("2035-01-01"), timezones=st.just(UTC)
)


@pytest.mark.parametrize(
    ("schedule", "zone", "gap"),
    [
        ("* * * * *", "Europe/Berlin", MINUTE),
        ("*/2 * * * *", "Europe/Berlin", 2 * MINUTE),
        ("*/7 * * * *", "UTC", 4 * MINUTE),
        ("@hourly", "America/New_York", HOUR),
        ("0 9,17 * * *", "UTC", 8 * HOUR),
        ("0 9 * * *", "UTC", DAY),
        ("0 9 * * *", "America/New_York", 23 * HOUR),
        ("59 23 * * 0", "UTC", 7 * DAY),
        ("0 0 31 * *", "UTC", 31 * DAY),
        ("0 0,23 1,2 * *", "UTC", HOUR),
    ],
)
def test_the_smallest_gap_is_found(schedule: str, zone: str, gap: timedelta) -> None:
    assert cadence.minimum_gap(schedule, zone, AFTER) == gap


def test_a_time_that_a_gap_moves_next_to_another_counts() -> None:
    # 01:59 is the last minute before the gap, and 02:30 is run right after it.
    assert cadence.minimum_gap("59,30 1-2 * * *", "America/New_York", AFTER) == MINUTE
    assert cadence.minimum_gap("59,30 1-2 * * *", "UTC", AFTER) == 29 * MINUTE


def test_rare_schedules_answer_with_the_distance_of_the_next_two() -> None:
    assert cadence.minimum_gap("0 0 29 2 *", "UTC", AFTER) == 1461 * DAY
    assert cadence.minimum_gap("0 0 1 1 *", "UTC", AFTER, days=10) == 365 * DAY
    assert cadence.minimum_gap("0 0 1 1 *", "UTC", AFTER, days=0) == 365 * DAY


@pytest.mark.parametrize("schedule", ["* * * * *", "*/2 * * * *", "0 0 29 2 *", "1-59/2 0-22 * * *", "0 0 * 2 5#5"])
def test_any_schedule_is_measured_well_within_five_seconds(schedule: str) -> None:
    started = thread_time()
    cadence.minimum_gap(schedule, "America/New_York", AFTER)
    assert thread_time() - started < 1


@settings(deadline=None)
@given(st.sampled_from(SCHEDULES), st.sampled_from(ZONES), instants, st.integers(1, 40))
def test_the_smallest_gap_is_that_of_all_occurrences_one_by_one(
    schedule: str, zone: str, after: datetime, days: int
) -> None:
    end, found = after + days * DAY, []
    following = schedules.next_occurrence(schedule, zone, after)
    while following <= end:
        found.append(following)
        following = schedules.next_occurrence(schedule, zone, following)
    if len(found) < 2:
        found = schedules.occurrences(schedule, zone, after, 2)
    expected = min(later - earlier for earlier, later in pairwise(found))
    assert cadence.minimum_gap(schedule, zone, after, days=days) == expected


def test_the_floor_is_the_larger_of_the_two_intervals() -> None:
    assert cadence.floor(300, 900) == timedelta(minutes=15)
    assert cadence.floor(7200, 900) == timedelta(hours=2)
    assert cadence.floor(300) == timedelta(minutes=5)
    for wrong in (-1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="number of seconds"):
            cadence.floor(wrong)


def test_occurrences_closer_than_the_floor_are_passed_over() -> None:
    last_start = datetime(2026, 1, 1, 10, 15, tzinfo=UTC)
    allowed = cadence.next_allowed("*/5 * * * *", "UTC", AFTER, last_start, timedelta(minutes=15))
    assert allowed == datetime(2026, 1, 1, 10, 30, tzinfo=UTC)
    just_longer = cadence.next_allowed("*/5 * * * *", "UTC", AFTER, last_start, timedelta(minutes=15, seconds=1))
    assert just_longer == datetime(2026, 1, 1, 10, 35, tzinfo=UTC)


def test_without_a_start_or_with_an_old_one_the_schedule_stands() -> None:
    following = datetime(2026, 1, 1, 10, 25, tzinfo=UTC)
    assert cadence.next_allowed("*/5 * * * *", "UTC", AFTER, None, HOUR) == following
    assert cadence.next_allowed("*/5 * * * *", "UTC", AFTER, AFTER - DAY, HOUR) == following


@given(
    st.sampled_from([*SCHEDULES, "* * * * *"]),
    st.sampled_from(ZONES),
    instants,
    st.lists(
        st.tuples(st.integers(60, 50_000), st.sampled_from([0, 900, 3600, 43_200]), st.integers(0, 4000)), max_size=25
    ),
)
def test_no_two_scheduled_starts_are_closer_than_the_floor(
    schedule: str, zone: str, now: datetime, changes: list[tuple[int, int, int]]
) -> None:
    """The floor changes between starts, as a skill's state does; a start may come late, never early."""
    last_start: datetime | None = None
    for min_interval, state_floor, late in changes:
        floor = cadence.floor(min_interval, state_floor)
        start = cadence.next_allowed(schedule, zone, now, last_start, floor)
        assert start > now
        assert last_start is None or start - last_start >= floor
        assert schedules.next_occurrence(schedule, zone, start - timedelta(microseconds=1)) == start
        last_start = now = start + timedelta(seconds=late)


def test_a_schedule_denser_than_the_floor_is_refused_unless_it_is_to_be_spaced() -> None:
    with pytest.raises(InvalidSchedule, match=r"as often as every 5 minutes.*allowed is 12 hours") as caught:
        cadence.check_density("*/5 * * * *", "UTC", AFTER, timedelta(hours=12))
    assert caught.value.field == "schedule"
    cadence.check_density("*/5 * * * *", "UTC", AFTER, timedelta(hours=12), spaced=True)
    cadence.check_density("*/5 * * * *", "UTC", AFTER, timedelta(minutes=5))
