"""A year of occurrences against an independent minute-by-minute oracle: none skipped, none twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from automations.decisions import schedule as schedules
from tests.automations.decisions import oracle

YEAR = 2026
INSTANT = timedelta(microseconds=1)
ZONES = [
    "UTC",
    "Europe/Berlin",
    "Europe/London",
    "Europe/Dublin",
    "Europe/Lisbon",
    "Europe/Chisinau",
    "Europe/Istanbul",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Africa/Lagos",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Jerusalem",
    "Asia/Tehran",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Australia/Adelaide",
    "Australia/Brisbane",
    "Australia/Eucla",
    "Australia/Lord_Howe",
    "Australia/Sydney",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "Pacific/Norfolk",
    "Pacific/Marquesas",
    "America/New_York",
    "America/Chicago",
    "America/Los_Angeles",
    "America/St_Johns",
    "America/Havana",
    "America/Santiago",
    "America/Asuncion",
    "America/Sao_Paulo",
    "America/Nuuk",
    "Atlantic/Azores",
    "Antarctica/Troll",
]
SCHEDULES = [
    "0 9 * * *",
    "30 2 * * *",
    "0 0 * * *",
    "59 23 * * *",
    "30 1 * * *",
    "15 3 * * sun",
    "0 9 * * 1-5",
    "45 0 * * 6,0",
    "0 9,17 * * mon-fri",
    "0 0 1 * *",
    "30 2 29 3 *",
    "0 0 31 * *",
    "30 12 13 * 5",
    "0 3 1-7 * 0",
    "0 6 1 1,4,7,10 *",
    "0 0 25 12 *",
    "0 4 * jan-mar tue",
    "*/15 1 * * *",
    "0 1-3 * * *",
    "*/10 2 * * *",
    "0 */2 * * *",
    "0 22-2 * * *",
    "30 */6 * * *",
    "0 */3 */2 * *",
    "0 * * * *",
    "30 * * * 0",
    "*/20 * 25-31 3,10 *",
    "*/15 0-23 1 * *",
    "5-55/10 * * * *",
    "* * * * *",
]
# As often as this they are followed through the whole year in some zones only, and around every change in all.
DENSE = 9_000
EVERYWHERE_DENSE = ("America/New_York", "Australia/Lord_Howe")
# The clock is put by at midnight and a minute past it, by half an hour, by two hours, and by a whole day.
CURIOUS = [
    ("Pacific/Apia", 2011),
    ("Pacific/Kwajalein", 1993),
    ("America/St_Johns", 2010),
    ("Asia/Amman", 2019),
    ("Africa/Casablanca", 2017),
    ("Africa/Cairo", 2014),
    ("Asia/Pyongyang", 2018),
    ("America/Caracas", 2016),
    ("Europe/Volgograd", 2018),
    ("America/Sao_Paulo", 2018),
    ("Antarctica/Casey", 2023),
]


def test_there_are_forty_zones_and_thirty_schedules() -> None:
    assert (len(set(ZONES)), len(set(SCHEDULES))) == (40, 30)


@pytest.mark.parametrize("zone", ZONES)
def test_a_year_matches_the_oracle(zone: str) -> None:
    for schedule in SCHEDULES:
        compare(schedule, zone, YEAR)


@pytest.mark.parametrize(("zone", "year"), CURIOUS)
def test_a_year_of_curious_changes_matches_the_oracle(zone: str, year: int) -> None:
    assert len(oracle.stretches(zone, year)) > 1
    for schedule in SCHEDULES:
        compare(schedule, zone, year)


def test_a_busy_schedule_matches_the_oracle_for_a_whole_year() -> None:
    for zone in EVERYWHERE_DENSE:
        compare("5-55/10 * * * *", zone, YEAR, whole=True)
    compare("0 */2 29 2 *", "Europe/Berlin", 2028, whole=True)


def compare(schedule: str, zone: str, year: int, *, whole: bool = False) -> None:
    expected = oracle.due(schedule, zone, year)
    first = datetime(year, 1, 1, tzinfo=UTC)
    if whole or len(expected) < DENSE:
        found = schedules.occurrences(schedule, zone, first - INSTANT, len(expected))
        assert found == expected, (schedule, zone, year)
        after = schedules.next_occurrence(schedule, zone, found[-1] if found else first - INSTANT)
        assert after >= datetime(year + 1, 1, 1, tzinfo=UTC), (schedule, zone, year)
        return
    changes = [first + stretch.start * oracle.MINUTE for stretch in oracle.stretches(zone, year)]
    for change in changes:
        start, end = max(change - timedelta(hours=6), first), change + timedelta(hours=6)
        wanted = [instant for instant in expected if start < instant <= end]
        assert schedules.occurrences(schedule, zone, start, len(wanted)) == wanted, (schedule, zone, year)
        assert schedules.occurrences(schedule, zone, start, len(wanted) + 1)[-1] > end, (schedule, zone, year)
