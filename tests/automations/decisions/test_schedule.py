"""Schedules: what is refused and with which field, daylight saving case by case, words and previews."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from time import thread_time
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter
from hypothesis import given
from hypothesis import strategies as st

from automations.decisions import schedule as schedules
from automations.decisions.schedule import InvalidSchedule

NEW_YORK, BERLIN = "America/New_York", "Europe/Berlin"
INSTANT = timedelta(microseconds=1)
EARLY, LATE = datetime.fromisoformat("1975-01-01"), datetime.fromisoformat("2090-01-01")
instants = st.datetimes(EARLY, LATE, timezones=st.just(UTC))
zones = st.sampled_from(
    [NEW_YORK, BERLIN, "UTC", "Australia/Lord_Howe", "Africa/Casablanca", "America/Havana", "Pacific/Apia"]
)
minutes = st.sampled_from(["0", "30", "*/15", "*", "5,50", "10-20", "7/20", "59"])
hours = st.sampled_from(["*", "0", "2", "*/2", "1-3", "9,17", "22-2", "0-23", "23"])
month_days = st.sampled_from(["*", "1", "31", "l", "15w", "1w", "31w", "*/10", "5-7,20", "29", "l,1"])
months = st.sampled_from(["*", "2", "mar", "jan-mar", "11-2", "*/3"])
weekdays = st.sampled_from(["*", "1-5", "sun", "7", "6,0", "fri", "5#2", "l5", "0#5", "1#1,3#3"])


@st.composite
def expressions(draw: st.DrawFn) -> str:
    parts = [draw(strategy) for strategy in (minutes, hours, month_days, months, weekdays)]
    if ("w" in parts[2] and parts[4] != "*") or (("#" in parts[4] or "l" in parts[4]) and parts[2] != "*"):
        parts[4] = "*"
    return " ".join(parts)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def following(schedule: str, zone: str, after: str, count: int = 2) -> list[str]:
    return [f"{one:%m-%d %H:%M}" for one in schedules.occurrences(schedule, zone, utc(after), count)]


@pytest.mark.parametrize(
    ("schedule", "says"),
    [
        ("", "A schedule is needed"),
        ("  \n", "A schedule is needed"),
        (None, "A schedule is needed"),
        (5, "A schedule is needed"),
        ("0 9 * * * *", "Seconds and years are not used"),
        ("0 0 9 * * * 2027", "Seconds and years are not used"),
        ("0 9 * *", "this one has 4"),
        ("* " * 8, "this one has 8"),
        ("@reboot", "@reboot names no time"),
        ("@every 5m", "is unknown"),
        ("@fortnightly", "@hourly"),
        ("H 9 * * *", "Random fields"),
        ("0 R(1-5) * * *", "Random fields"),
        ("h/15 * * * *", "Random fields"),
        ("0 0 31 2 *", "never comes"),
        ("0 0 30 2 *", "never comes"),
        ("0 0 31 4,6,9,11 *", "never comes"),
        ("60 * * * *", "minute: it goes from 0 to 59"),
        ("0 24 * * *", "hour: it goes from 0 to 23"),
        ("0 0 0 * *", "day of the month: it goes from 1 to 31"),
        ("0 0 * 13 *", "month: it goes from 1 to 12"),
        ("0 0 * * 8", "day of the week: it goes from 0 to 7"),
        ("0 0 * foo *", "'foo' is no month"),
        ("*/0 * * * *", "a step of 0"),
        ("-5 * * * *", "is no minute"),
        ("*-5 * * * *", "is no minute"),
        ("1,,2 * * * *", "is no minute"),
        ("٥ * * * *", "is no minute"),
        ("0 9-9 * * *", "write 9 in place of 9-9"),
        ("0 22-2/3 * * *", "wraps round"),
        ("0 0 15w * 1", "not both"),
        ("0 0 1 * 5#2", "not both"),
        ("0 0 15w,1 * *", "stands alone"),
        ("0 0 * * 5#6", "is no day of the week"),
        ("0 0 * * 1,5#2", "cannot be read"),
        ("0 0 ? * ?,1", "stands alone"),
        ("0 9 * * *; rm", "Seconds and years"),
        ("1," * 400 + "1 * * * *", "at most 500 characters"),
    ],
)
def test_what_is_no_schedule_is_refused_with_a_sentence(schedule: str, says: str) -> None:
    with pytest.raises(InvalidSchedule, match=r"^[A-Z@'].*\.$") as caught:
        schedules.validate_schedule(schedule, "UTC")
    assert caught.value.field == "schedule"
    assert says in str(caught.value)
    with pytest.raises(InvalidSchedule):
        schedules.next_occurrence(schedule, "UTC", utc("2026-01-01"))


@pytest.mark.parametrize(
    "zone",
    [
        "",
        None,
        "Mars/Olympus",
        "America",
        "../etc/passwd",
        "/etc/localtime",
        "localtime",
        "posix/UTC",
        "right/UTC",
        "a\0b",
        "Europe/Berlin ",
        "\ud800",
        "x" * 5000,
        "zone.tab",
    ],
)
def test_what_is_no_time_zone_is_refused_for_its_own_field(zone: str) -> None:
    with pytest.raises(InvalidSchedule) as caught:
        schedules.validate_schedule("@daily", zone)
    assert caught.value.field == "timezone"


def test_a_part_that_is_wrong_is_named() -> None:
    with pytest.raises(InvalidSchedule) as caught:
        schedules.validate_schedule("0 9 * * mo", "UTC")
    assert caught.value.part == "day of the week"
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("@hourly", "0 * * * *"),
        ("@daily", "0 0 * * *"),
        ("@MIDNIGHT", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
        (" @annually ", "0 0 1 1 *"),
        ("0\t9  * * MON-Fri", "0 9 * * 1-5"),
    ],
)
def test_names_and_spellings_mean_the_same_as_five_fields(name: str, fields: str) -> None:
    assert following(name, BERLIN, "2026-01-07", 20) == following(fields, BERLIN, "2026-01-07", 20)


def test_the_next_occurrence_is_strictly_after_and_in_utc() -> None:
    found = schedules.next_occurrence("0 9 * * *", "Asia/Kolkata", utc("2026-05-01 03:30"))
    assert found == utc("2026-05-02 03:30")
    assert found.tzinfo is UTC
    just_before = utc("2026-05-01 03:30") - INSTANT
    assert schedules.next_occurrence("0 9 * * *", "Asia/Kolkata", just_before) == utc("2026-05-01 03:30")


def test_the_instant_asked_about_may_be_in_any_zone_but_not_in_none() -> None:
    after = datetime(2026, 5, 1, 5, 0, tzinfo=timezone(timedelta(hours=5)))
    assert schedules.next_occurrence("@hourly", "UTC", after) == utc("2026-05-01 01:00")
    with pytest.raises(ValueError, match="without a zone"):
        schedules.next_occurrence("@hourly", "UTC", EARLY)


def test_a_time_that_does_not_exist_runs_once_at_the_first_instant_after_the_gap() -> None:
    # On 8 March 2026 New York goes from 01:59 EST to 03:00 EDT, which is 07:00 in UTC.
    assert following("30 2 * * *", NEW_YORK, "2026-03-07 12:00") == ["03-08 07:00", "03-09 06:30"]
    assert following("15,30,45 2 * * *", NEW_YORK, "2026-03-07 12:00") == ["03-08 07:00", "03-09 06:15"]
    assert following("*/30 2-3 * * *", NEW_YORK, "2026-03-07 12:00", 3) == ["03-08 07:00", "03-08 07:30", "03-09 06:00"]


def test_a_fixed_time_that_comes_twice_runs_at_its_first_occurrence_only() -> None:
    # On 1 November 2026 New York shows 01:00 to 01:59 twice, from 05:00 and from 06:00 in UTC.
    assert following("30 1 * * *", NEW_YORK, "2026-11-01 00:00") == ["11-01 05:30", "11-02 06:30"]
    assert following("30 1 * * *", NEW_YORK, "2026-11-01 05:45") == ["11-02 06:30", "11-03 06:30"]
    assert following("0 1-3 * * *", NEW_YORK, "2026-11-01 00:00", 3) == ["11-01 05:00", "11-01 07:00", "11-01 08:00"]


def test_hourly_and_finer_runs_in_every_real_hour() -> None:
    assert following("0 * * * *", NEW_YORK, "2026-03-08 05:30", 3) == ["03-08 06:00", "03-08 07:00", "03-08 08:00"]
    assert following("30 * * * *", NEW_YORK, "2026-11-01 05:00", 3) == ["11-01 05:30", "11-01 06:30", "11-01 07:30"]
    assert following("30 0-23 * * *", NEW_YORK, "2026-11-01 05:00", 3) == ["11-01 05:30", "11-01 06:30", "11-01 07:30"]


def test_a_gap_adds_nothing_to_a_schedule_that_is_hourly_or_finer() -> None:
    # On 4 October 2026 Lord Howe goes from 01:59 to 02:30, at 15:30 in UTC on the 3rd; no 02:15 on that day.
    assert following("15 * * * *", "Australia/Lord_Howe", "2026-10-03 14:00") == ["10-03 14:45", "10-03 16:15"]
    assert following("15 2 * * *", "Australia/Lord_Howe", "2026-10-03 14:00") == ["10-03 15:30", "10-04 15:15"]


def test_a_whole_day_that_is_left_out_runs_its_times_once_when_it_is_over() -> None:
    # Samoa went from 29 to 31 December 2011; the instant is 10:00 in UTC on the 30th.
    assert following("0 9,17 30 12 *", "Pacific/Apia", "2011-12-01", 1) == ["12-30 10:00"]


def test_rare_dates_are_found_at_once_and_the_end_of_the_calendar_is_an_error() -> None:
    started = thread_time()
    assert schedules.next_occurrence("0 0 29 2 *", "UTC", utc("2096-03-01")) == utc("2104-02-29")
    assert schedules.next_occurrence("0 0 * 2 5#5", "UTC", utc("2064-03-01")) == utc("2092-02-29")
    assert schedules.next_occurrence("0 0 * 2 5#5", "UTC", utc("2092-03-01")) == utc("2104-02-29")
    assert thread_time() - started < 0.5
    for after in ("9999-12-31 23:59", "9999-06-01"):
        with pytest.raises(ValueError, match="calendar ends"):
            schedules.next_occurrence("0 0 1 1 *", "UTC", utc(after))
    with pytest.raises(ValueError, match="calendar ends"):
        schedules.next_occurrence("* * * * *", "America/Los_Angeles", utc("9999-12-31 23:59"))


@given(expressions(), zones, instants, st.integers(0, 60 * 24 * 40))
def test_the_next_one_does_not_depend_on_the_path(
    schedule: str, zone: str, after: datetime, minutes_later: int
) -> None:
    if not comes(schedule):
        return
    found = schedules.next_occurrence(schedule, zone, after)
    between = min(after + timedelta(minutes=minutes_later), found - INSTANT)
    assert found > after
    assert schedules.next_occurrence(schedule, zone, between) == found


@given(expressions(), st.datetimes(EARLY, LATE))
def test_where_no_clock_changes_it_agrees_with_croniter(schedule: str, after: datetime) -> None:
    if not comes(schedule):
        return
    expected = croniter(schedule, after).get_next(datetime)
    assert schedules.next_occurrence(schedule, "UTC", after.replace(tzinfo=UTC)) == expected.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "zone", "words"),
    [
        ("0 9 * * 1-5", NEW_YORK, "every weekday at 09:00, New York"),
        ("30 18 * * *", "UTC", "every day at 18:30, UTC"),
        ("0 9,17 * * sat,sun", BERLIN, "every Saturday and Sunday at 09:00 and 17:00, Berlin"),
        ("0 9 * * 1,3,0", BERLIN, "every Monday, Wednesday and Sunday at 09:00, Berlin"),
        ("@hourly", BERLIN, "every hour, on the hour, Berlin"),
        ("* * * * *", "UTC", "every minute, UTC"),
        ("*/5 * * * *", "UTC", "every 5 minutes, UTC"),
        ("15 * * * *", "UTC", "every hour at minute 15, UTC"),
        ("5,50 * * * 1-5", "UTC", "every hour at minutes 05 and 50, every weekday, UTC"),
        ("*/15 9-17 * * 1-5", "Europe/London", "every weekday, every 15 minutes from 09:00 to 17:45, London"),
        ("0 */2 * * *", "UTC", "every day, every 2 hours from 00:00 to 22:00, UTC"),
        ("0,10 */3 * * *", "UTC", "every day, 16 times from 00:00 to 21:10, UTC"),
        ("0 0 1 * *", "UTC", "on the 1st of every month at 00:00, UTC"),
        ("0 0 2,22 3,6 *", "UTC", "on the 2nd and 22nd of March and June at 00:00, UTC"),
        ("0 0 1 1 *", "America/Argentina/Buenos_Aires", "on 1 January at 00:00, Buenos Aires"),
        ("0 8 l * *", "UTC", "on the last day of every month at 08:00, UTC"),
        ("0 8 * * 5#2", "UTC", "on the second Friday of every month at 08:00, UTC"),
        ("0 8 * 6 l1", "UTC", "on the last Monday of June at 08:00, UTC"),
        ("0 8 13w * *", "UTC", "on the weekday nearest to the 13th of every month at 08:00, UTC"),
        ("0 0 13 * 5", "UTC", "on the 13th of every month and every Friday at 00:00, UTC"),
        ("0 7 * 1 *", "UTC", "every day in January at 07:00, UTC"),
        ("0 0 */2 * *", "UTC", "every 2nd day from the 1st to the 31st of every month at 00:00, UTC"),
    ],
)
def test_a_schedule_is_said_in_words(schedule: str, zone: str, words: str) -> None:
    assert schedules.in_words(schedule, zone) == words


@given(expressions(), zones)
def test_every_schedule_that_is_accepted_has_words(schedule: str, zone: str) -> None:
    if comes(schedule):
        assert schedules.in_words(schedule, zone).endswith(zone.rsplit("/", 1)[-1].replace("_", " "))


def test_a_preview_says_what_daylight_saving_does() -> None:
    spring = schedules.preview("30 2 * * *", NEW_YORK, utc("2026-03-07 00:00"), 4)
    assert [f"{one.local:%d %H:%M}" for one in spring] == ["07 02:30", "08 03:00", "09 02:30", "10 02:30"]
    assert spring[1].utc == utc("2026-03-08 07:00")
    assert spring[1].local.tzinfo == ZoneInfo(NEW_YORK)
    assert [one.note for one in spring] == [
        "",
        "The clock is put forward past the time that was asked for; it runs at 03:00, right after.",
        "",
        "",
    ]
    autumn = schedules.preview("30 1 * * *", NEW_YORK, utc("2026-11-01 00:00"), 2)
    assert [one.note for one in autumn] == [
        "The clock shows 01:30 twice; it runs the first time only.",
        "The clock has been put back since the one before, to EST.",
    ]
    hourly = schedules.preview("30 * * * *", NEW_YORK, utc("2026-11-01 05:00"), 3)
    assert [one.note for one in hourly[:2]] == [
        "The clock shows 01:30 twice; this is the first.",
        "The clock shows 01:30 twice; this is the second.",
    ]


def test_a_preview_has_as_many_lines_as_asked_for() -> None:
    assert len(schedules.preview("@daily", BERLIN, utc("2026-01-01"))) == 10
    assert schedules.occurrences("@daily", BERLIN, utc("2026-01-01"), 0) == []
    assert schedules.occurrences("@daily", BERLIN, utc("2026-01-01"), -3) == []


def test_an_occurrence_takes_far_less_than_a_millisecond() -> None:
    after = utc("2026-01-01")
    schedules.next_occurrence("30 2 * * 1-5", NEW_YORK, after)
    started = thread_time()
    for _ in range(2000):
        after = schedules.next_occurrence("30 2 * * 1-5", NEW_YORK, after)
    assert (thread_time() - started) / 2000 < 0.0005


def comes(schedule: str) -> bool:
    try:
        schedules.validate_schedule(schedule, "UTC")
    except InvalidSchedule as error:
        assert "never comes" in str(error)
        return False
    return True
