"""Turns: which occurrences start, which were missed, and that two starts are never closer than the floor."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automations.decisions import planning
from automations.decisions.planning import Due, Rhythm, Turn
from automations.decisions.schedule import InvalidSchedule

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def rhythm(
    schedule: str = "0 * * * *", *, zone: str = "UTC", floor: timedelta = timedelta(minutes=15), **more
) -> Rhythm:
    return Rhythm(schedule, zone, floor, **more)


def turn(
    of: Rhythm, due: datetime, now: datetime, *, policy="latest_once", last: datetime | None = None, most=24
) -> Turn:
    return planning.turn(
        of,
        Due(due, due),
        now=now,
        last_start=last,
        policy=policy,
        on_time=timedelta(minutes=1),
        window=DAY,
        at_most=most,
    )


def test_what_is_on_time_runs_and_the_next_is_one_occurrence_on():
    found = turn(rhythm(), START, START + timedelta(seconds=4))
    assert found.runs == (Due(START, START),)
    assert (found.missed, found.next.start, found.last_start) == (None, START + HOUR, START)


def test_a_schedule_denser_than_the_floor_passes_over_what_is_too_close():
    found = turn(rhythm("*/10 * * * *", floor=timedelta(minutes=25)), START, START)
    assert found.next.start == START + timedelta(minutes=30)


@pytest.mark.parametrize(
    ("policy", "ran", "missed"),
    [("latest_once", [48], 48), ("skip", [], 49), ("all", list(range(25, 49)), 25)],
)
def test_two_days_without_a_scheduler_are_made_up_for_as_the_policy_says(policy, ran, missed):
    now = START + 48 * HOUR + timedelta(minutes=30)
    found = turn(rhythm(floor=HOUR), START, now, policy=policy)
    assert [one.occurrence for one in found.runs] == [START + number * HOUR for number in ran]
    assert found.missed is not None
    assert (found.missed.count, found.missed.first) == (missed, START)
    assert all(one.start >= now for one in found.runs)
    assert all(later.start - earlier.start >= HOUR for earlier, later in pairwise(found.runs))
    if found.runs:
        assert found.next.start - found.runs[-1].start >= HOUR
    else:
        assert found.next.start == START + 49 * HOUR


def test_skip_still_runs_the_newest_when_that_one_is_on_time():
    found = turn(rhythm(), START, START + 3 * HOUR, policy="skip")
    assert [one.occurrence for one in found.runs] == [START + 3 * HOUR]
    assert found.missed is not None and found.missed.count == 3


def test_a_start_that_is_late_moves_the_next_one_by_the_floor():
    late = START + timedelta(minutes=50)
    found = turn(rhythm(floor=timedelta(minutes=30)), START, late)
    assert found.runs == (Due(START, late),)
    assert found.next.start == START + 2 * HOUR


def test_years_of_downtime_are_walked_in_bounded_time_and_said_to_be_more():
    found = turn(rhythm("* * * * *", floor=timedelta(minutes=1)), START, START + 400 * DAY)
    assert found.missed is not None
    assert found.missed.more
    assert found.runs[0].occurrence == START + 400 * DAY


def test_occurrences_outside_of_the_window_are_passed_over():
    nights = rhythm(window=(time(22), time(2)))
    found = [Due(START, START)]
    for _ in range(5):
        found.append(planning.next_start(nights, after=found[-1].start, last_start=None))
    assert [one.occurrence.hour for one in found[1:]] == [22, 23, 0, 1, 22]


def test_a_window_is_on_the_wall_of_its_zone():
    office = rhythm(zone="America/New_York", window=(time(9), time(10)))
    assert planning.next_start(office, after=START, last_start=None).occurrence == START.replace(hour=14)


def test_a_window_that_no_occurrence_falls_into_is_refused():
    with pytest.raises(InvalidSchedule, match="preferred window"):
        planning.next_start(rhythm("0 3 * * *", window=(time(8), time(10))), after=START, last_start=None)


def test_an_automations_shift_is_its_own_and_always_the_same():
    ids = [UUID(int=number) for number in (5, 66, 1234567)]
    assert [planning.shift(one, 60) for one in ids] == [timedelta(seconds=one.int % 61) for one in ids]
    assert planning.shift(ids[0], 0) == timedelta(0)
    shifted = rhythm(shift=timedelta(seconds=40))
    found = planning.next_start(shifted, after=START, last_start=None)
    assert found == Due(START + HOUR, START + HOUR + timedelta(seconds=40)) or found.occurrence == START


ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]
SCHEDULES = ["* * * * *", "*/7 * * * *", "0 * * * *", "30 2 * * *", "0 */2 * * *", "15 1,2,3 * * *", "0 9 * * 1-5"]


@settings(max_examples=60, deadline=None)
@given(
    schedule=st.sampled_from(SCHEDULES),
    zone=st.sampled_from(ZONES),
    floor=st.integers(60, 50_000),
    shift=st.integers(0, 59),
    policy=st.sampled_from(["latest_once", "skip", "all"]),
    begin=st.integers(0, 330 * 24 * 3600),
    steps=st.lists(st.integers(-7200, 400_000), min_size=1, max_size=12),
)
def test_no_two_starts_are_ever_closer_than_the_floor(schedule, zone, floor, shift, policy, begin, steps):
    """Whatever the ticks: in time, late, days late, with a clock that is put back between two of them."""
    of = rhythm(schedule, zone=zone, floor=timedelta(seconds=floor), shift=timedelta(seconds=shift))
    now = START + timedelta(seconds=begin)
    due, last = planning.next_start(of, after=now, last_start=None), None
    starts: list[datetime] = []
    seen: set[datetime] = set()
    for step in steps:
        now += timedelta(seconds=step)
        if due.start > now:
            continue
        found = planning.turn(
            of, due, now=now, last_start=last, policy=policy, on_time=timedelta(minutes=1), window=DAY, at_most=5
        )
        assert not seen & {one.occurrence for one in found.runs}
        seen |= {one.occurrence for one in found.runs}
        starts += [one.start for one in found.runs]
        assert found.next.start > now
        assert found.next.occurrence > max(one.occurrence for one in [due, *found.runs])
        due, last = found.next, found.last_start
    assert all(later - earlier >= of.floor for earlier, later in pairwise(starts))
