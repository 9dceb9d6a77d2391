"""Watch and trust: alerts with enough checks only, and a score that shows its parts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.decisions.trust import Check, Expected, Watch, trust, trust_score, watch


def checks(passed: int, failed: int, **figures: Any) -> list[Check]:
    return [Check(True, **figures)] * passed + [Check(False, **figures)] * failed


def codes(seen: Watch) -> list[str]:
    return [alert.code for alert in seen.alerts]


def test_a_drop_of_exactly_a_tenth_is_allowed() -> None:
    assert codes(watch(checks(9, 1), Expected(1.0))) == []
    assert codes(watch(checks(8, 2), Expected(1.0))) == ["pass_rate_dropped"]
    assert codes(watch(checks(4, 1), Expected(0.9))) == []


def test_three_checks_alert_and_ten_roll_back() -> None:
    assert codes(watch(checks(0, 2), Expected(1.0))) == []
    assert codes(watch(checks(0, 3), Expected(1.0))) == ["pass_rate_dropped"]
    assert not watch(checks(0, 9), Expected(1.0)).roll_back
    assert watch(checks(0, 10), Expected(1.0)).roll_back
    assert not watch(checks(10, 0), Expected(1.0)).roll_back


def test_grade_and_effort_alert_on_their_own() -> None:
    assert codes(watch(checks(5, 0, grade=0.75), Expected(1.0, grade=0.9))) == []
    assert codes(watch(checks(5, 0, grade=0.74), Expected(1.0, grade=0.9))) == ["grade_dropped"]
    assert codes(watch(checks(5, 0, effort=125), Expected(1.0, effort=100))) == []
    assert codes(watch(checks(5, 0, effort=126), Expected(1.0, effort=100))) == ["efficiency_worse"]


def test_figures_need_three_measurements_of_their_own() -> None:
    measured = [Check(True, grade=0.1)] * 2 + [Check(True)] * 18
    assert codes(watch(measured, Expected(1.0, grade=0.9))) == []


def test_only_the_newest_twenty_are_looked_at() -> None:
    seen = watch(checks(20, 100), Expected(1.0))
    assert (seen.n, codes(seen)) == (20, [])


def test_a_skill_that_nobody_called_has_not_got_worse() -> None:
    seen = watch([], Expected(1.0, grade=1.0, effort=5))
    assert (codes(seen), seen.roll_back, seen.rate_drop) == ([], False, None)
    assert trust(seen).score == 0.5


@pytest.mark.parametrize("unknown", [None, float("nan"), True, 2])
def test_without_knowing_what_was_expected_nothing_drops(unknown: Any) -> None:
    assert codes(watch(checks(0, 20, grade=0.0), Expected(unknown, grade=unknown))) == []


@pytest.mark.parametrize("nothing", [0, None, -1, float("nan")])
def test_an_effort_that_cannot_be_compared_is_not(nothing: Any) -> None:
    assert watch(checks(5, 0, effort=10), Expected(1.0, effort=nothing)).effort_rise is None


def test_the_score_shows_its_parts() -> None:
    found = trust_score(20, rate_alert=True, grade_drop=0.1)
    assert found.score == 0.3
    assert [(part.name, part.amount) for part in found.parts] == [("rate_alert", 0.5), ("grade_drop", 0.2)]
    assert trust_score(20).score == 1.0
    assert trust_score(20, grade_drop=0.5).score == 0.7
    assert trust_score(20, grade_drop=-0.5).score == 1.0
    assert trust_score(20, other_alert=True, rolled_back=True).score == 0.6
    assert trust_score(20, rate_alert=True, grade_drop=1, other_alert=True, rolled_back=True).score == 0.0


def test_under_three_checks_nothing_is_known() -> None:
    found = trust_score(2, rate_alert=True, grade_drop=1, other_alert=True, rolled_back=True)
    assert (found.score, found.parts, found.n) == (0.5, (), 2)


def test_the_score_of_a_watched_version() -> None:
    seen = watch(checks(5, 5, grade=0.6), Expected(1.0, grade=0.8))
    found = trust(seen, rolled_back=True)
    assert [part.name for part in found.parts] == ["rate_alert", "grade_drop", "other_alert", "rolled_back"]
    assert found.score == 0.0


@given(
    st.lists(st.builds(Check, passed=st.booleans(), grade=st.none() | st.floats(0, 1)), max_size=30), st.floats(0, 1)
)
def test_the_score_is_a_share_and_its_parts_add_up(found: list[Check], expected: float) -> None:
    seen = watch(found, Expected(expected, grade=expected))
    result = trust(seen)
    assert 0 <= result.score <= 1
    if seen.n >= 3:
        assert result.score == pytest.approx(max(0, 1 - sum(part.amount for part in result.parts)))
