"""Readiness: one next action, the first that is missing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.decisions.readiness import AUTOMATIC, VersionEvidence, readiness

DONE = VersionEvidence(
    problems=0,
    fixtures=3,
    fixtures_status="PASS",
    replay_status="PASS",
    baseline_status="PASS",
    approved=True,
    released=True,
)
PATH: list[tuple[dict[str, Any], str, str]] = [
    ({"released": False}, "ready_to_release", "release"),
    ({"approved": False}, "waiting_for_review", "review"),
    ({"baseline_status": None}, "no_baseline", "run_baseline"),
    ({"replay_status": None}, "no_replay", "replay"),
    ({"fixtures_status": None}, "fixtures_not_passing", "run_fixtures"),
    ({"fixtures": 0}, "no_fixtures", "make_fixtures"),
    ({"missing_resources": ("references/a.md",)}, "resources_missing", "edit"),
    ({"problems": 2}, "spec_invalid", "edit"),
]


def test_the_steps_come_in_their_order() -> None:
    evidence = DONE
    assert readiness(evidence).step == "released"
    for change, step, action in PATH:
        evidence = replace(evidence, **change)
        found = readiness(evidence)
        assert (found.step, found.action) == (step, action)
        assert found.sentence.endswith(".")


@pytest.mark.parametrize(
    ("change", "step", "action"),
    [
        ({"problems": None}, "spec_invalid", "edit"),
        ({"fixtures_status": "BLOCK"}, "fixtures_not_passing", "edit"),
        ({"fixtures_status": "HOLD"}, "fixtures_not_passing", "run_fixtures"),
        ({"replay_status": "BLOCK"}, "no_replay", "edit"),
        ({"replay_status": "HOLD"}, "ready_to_release", "release"),
        ({"baseline_status": "HOLD"}, "ready_to_release", "release"),
    ],
)
def test_a_measurement_that_does_not_pass_is_not_made_again(change: Any, step: str, action: str) -> None:
    found = readiness(replace(DONE, released=False, **change))
    assert (found.step, found.action) == (step, action)


def test_many_missing_resources_are_a_short_sentence() -> None:
    found = readiness(replace(DONE, released=False, missing_resources=tuple("abcde")))
    assert found.sentence == "The package refers to what it does not have: a, b, c and 2 more."


statuses = st.sampled_from([None, "PASS", "HOLD", "BLOCK"])


@given(
    st.builds(
        VersionEvidence,
        problems=st.none() | st.integers(0, 3),
        missing_resources=st.lists(st.text(max_size=3), max_size=2).map(tuple),
        fixtures=st.integers(0, 3),
        fixtures_status=statuses,
        replay_status=statuses,
        baseline_status=statuses,
        approved=st.booleans(),
        released=st.booleans(),
    )
)
def test_there_is_always_exactly_one_next_action(evidence: VersionEvidence) -> None:
    found = readiness(evidence)
    assert found.automatic == (found.action in AUTOMATIC)
    if found.action in ("release", "review"):
        assert evidence.fixtures_status == "PASS"
        assert evidence.problems == 0
