"""When an alert is worth a notice: on turning true, on changed content, after a while, and when it clears."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from automations.decisions import alerts
from automations.decisions.alerts import Evaluation, Notice, Told

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
TRUE, FALSE, OPEN = Evaluation(True, ()), Evaluation(False, ()), Evaluation(False, (), conclusive=False)


def decide(evaluation: Evaluation, told: Told, *, content: str = "80", now: datetime = NOW, **policy: Any) -> Notice:
    return alerts.notice(evaluation, content=content, told=told, now=now, **policy)


def test_turning_true_is_told_once() -> None:
    first = decide(TRUE, Told())
    assert (first.kind, first.told) == ("opened", Told(True, "80", NOW))
    again = decide(TRUE, first.told, now=NOW + HOUR)
    assert (again.kind, again.told) == ("none", first.told)


def test_a_condition_that_is_not_true_tells_nothing() -> None:
    assert decide(FALSE, Told()).kind == "none"


def test_changed_content_is_told() -> None:
    changed = decide(TRUE, Told(True, "80", NOW - HOUR), content="75")
    assert (changed.kind, changed.told) == ("changed", Told(True, "75", NOW))


def test_it_is_repeated_after_the_time_asked_for_and_not_before() -> None:
    told = Told(True, "80", NOW - HOUR)
    repeated = decide(TRUE, told, repeat_every=HOUR)
    assert (repeated.kind, repeated.told) == ("repeated", Told(True, "80", NOW))
    assert decide(TRUE, told, repeat_every=HOUR + timedelta(seconds=1)).kind == "none"


def test_clearing_is_told_once_and_the_next_time_opens_again() -> None:
    cleared = decide(FALSE, Told(True, "80", NOW - HOUR))
    assert (cleared.kind, cleared.told.open) == ("resolved", False)
    assert decide(FALSE, cleared.told).kind == "none"
    assert decide(TRUE, cleared.told).kind == "opened"


def test_a_run_without_an_answer_neither_tells_nor_clears() -> None:
    told = Told(True, "80", NOW - 9 * HOUR)
    unanswered = decide(OPEN, told, repeat_every=HOUR)
    assert (unanswered.kind, unanswered.told) == ("none", told)


def test_within_the_cool_down_nothing_but_a_resolution_is_sent() -> None:
    told = Told(True, "80", NOW - HOUR)
    for evaluation, content, kind in ((TRUE, "75", "none"), (TRUE, "80", "none"), (FALSE, "", "resolved")):
        found = decide(evaluation, told, content=content, cool_down=2 * HOUR, repeat_every=HOUR)
        assert found.kind == kind


def test_what_the_cool_down_held_back_is_told_by_the_next_run_after_it() -> None:
    cleared = Told(False, "", NOW - HOUR)
    held = decide(TRUE, cleared, cool_down=2 * HOUR)
    assert (held.kind, held.told) == ("none", cleared)
    assert decide(TRUE, held.told, now=NOW + HOUR, cool_down=2 * HOUR).kind == "opened"


def test_a_clock_that_jumps_back_sends_nothing_twice() -> None:
    told = Told(True, "80", NOW)
    assert decide(TRUE, told, now=NOW - HOUR, repeat_every=timedelta(minutes=1)).kind == "none"
    assert decide(TRUE, told, now=NOW - HOUR, content="75", cool_down=HOUR).kind == "none"


@given(
    st.lists(st.tuples(st.sampled_from([TRUE, FALSE, OPEN]), st.sampled_from("ab"), st.integers(0, 300)), max_size=30)
)
def test_an_alert_is_opened_and_resolved_in_turn_and_never_within_the_cool_down(
    runs: list[tuple[Evaluation, str, int]],
) -> None:
    told, now, cool_down = Told(), NOW, timedelta(minutes=60)
    is_open, last = False, None
    for evaluation, content, later in runs:
        now += timedelta(minutes=later)
        found = decide(evaluation, told, content=content, now=now, repeat_every=2 * HOUR, cool_down=cool_down)
        if found.kind != "none":
            assert (found.kind == "opened") is (not is_open)
            assert found.kind == "resolved" or last is None or now - last >= cool_down
            is_open, last = found.kind != "resolved", now
        assert found.told.open is is_open
        assert found.reason.endswith(".")
        told = found.told
