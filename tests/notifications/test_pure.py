"""Quiet hours and back-off, without a database."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from donna_skills.notifications import backoff, quiet
from donna_skills.notifications.models import Channel
from donna_skills.notifications.outbox import follows

NINE, SEVEN, TEN_PM = time(9), time(7), time(22)


def release(now: datetime, start: time | None, end: time | None, zone: str = "UTC") -> datetime:
    return quiet.release_at(now, quiet_from=start, quiet_until=end, zone=zone)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (datetime(2026, 3, 2, 21, 59, tzinfo=UTC), datetime(2026, 3, 2, 21, 59, tzinfo=UTC)),
        (datetime(2026, 3, 2, 22, 0, tzinfo=UTC), datetime(2026, 3, 3, 7, 0, tzinfo=UTC)),
        (datetime(2026, 3, 3, 3, 0, tzinfo=UTC), datetime(2026, 3, 3, 7, 0, tzinfo=UTC)),
        (datetime(2026, 3, 3, 7, 0, tzinfo=UTC), datetime(2026, 3, 3, 7, 0, tzinfo=UTC)),
    ],
)
def test_quiet_hours_past_midnight(now: datetime, expected: datetime) -> None:
    assert release(now, TEN_PM, SEVEN) == expected


def test_quiet_hours_are_those_of_the_zone() -> None:
    two_in_tokyo = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)

    assert release(two_in_tokyo, TEN_PM, SEVEN, "Asia/Tokyo") == datetime(2026, 3, 2, 22, 0, tzinfo=UTC)


def test_an_end_that_summer_time_swallows_is_the_first_instant_after_the_gap() -> None:
    before_the_gap = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)  # 01:30 in Berlin; 02:00 becomes 03:00

    assert release(before_the_gap, time(1), time(2, 30), "Europe/Berlin") == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_without_quiet_hours_nothing_waits() -> None:
    now = datetime(2026, 3, 2, 3, tzinfo=UTC)

    assert release(now, None, None) == release(now, NINE, NINE) == now


@given(
    st.integers(0, 366 * 1440).map(lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)),
    st.times(),
    st.times(),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]),
)
def test_a_message_is_never_held_into_the_past_nor_for_longer_than_a_day(
    now: datetime, start: time, end: time, zone: str
) -> None:
    at = release(now, start, end, zone)

    assert now <= at <= now + timedelta(hours=25)


def test_the_waits_grow_span_an_hour_s_outage_and_end() -> None:
    waits = [backoff.wait(attempts, chance=0.5) for attempts in range(1, backoff.MAX_ATTEMPTS + 1)]

    assert waits[-1] is None
    known = [wait for wait in waits if wait]
    assert known == sorted(known)
    assert len(known) == 4
    assert sum((backoff.wait(attempts, chance=0) or timedelta() for attempts in range(1, 5)), timedelta()) > timedelta(
        hours=1
    )


@given(st.integers(1, 4), st.floats(0, 1, exclude_max=True), st.integers(0, 10**9))
def test_jitter_stays_within_a_fifth_and_the_receiver_s_wish_is_honoured_within_reason(
    attempts: int, chance: float, asked: int
) -> None:
    middle, wait = backoff.wait(attempts, chance=0.5), backoff.wait(attempts, chance=chance, asked_s=asked)

    assert middle and wait
    assert wait >= middle * 0.8 - timedelta(milliseconds=1)
    assert wait <= max(middle * 1.2, timedelta(hours=2)) + timedelta(milliseconds=1)
    assert wait >= timedelta(seconds=min(asked, 7200))


def test_a_prefix_follows_whole_words_only() -> None:
    assert follows(["skill.*"], "skill.flagged")
    assert not follows(["skill.*"], "skills.flagged")
    assert not follows(["skill.*"], "skill")


@pytest.mark.parametrize(
    ("kind", "target", "shown"),
    [
        ("email", "a@example.org", "a@example.org"),
        ("webhook", "https://example.org/hook?token=secret", "https://example.org/…"),
        ("apprise", "slack://tokenA/tokenB/tokenC", "slack://…"),
        ("apprise", "nonsense", "…"),
    ],
)
def test_what_is_shown_of_a_target_holds_no_secret(kind: str, target: str, shown: str) -> None:
    assert Channel(kind=kind, target=target).shown_target == shown
