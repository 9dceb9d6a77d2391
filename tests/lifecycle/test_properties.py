"""Whatever people, bots, judges and nights do, in any order: no move outside the table, nobody's own approval, no
second open question, and rows from which each skill's state can be told again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from django.db import transaction
from hypothesis import HealthCheck
from hypothesis import settings as trying
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from donna_skills import env
from lifecycle.models import RunStatus
from lifecycle.states import Reason, State
from tests.lifecycle.world import World

pytestmark = pytest.mark.django_db

# Windows so short that a few acts fill them.
KNOBS = """
sandbox_promotion_min_runs: 3
shadow_primary_promotion_min_runs: 4
degradation_rolling_window: 5
correction_cluster_window_runs: 5
shadow_sample_rate_trusted: 1.0
auto_draft_min_expected_savings_usd: 1.0
"""

FEW = 8
EXAMPLES = env.integer("DONNA_EXAMPLES", FEW, at_least=1)
"""More than a few are other ones each time: DONNA_EXAMPLES=500 for an hour's search."""

WHICH = st.integers(0, 1)
WHO = st.sampled_from(["ann", "ben", "cat", "dan", "bot"])
DECIDERS = st.sampled_from(["ann", "ann", "ben", "cat"])
ENDS = st.sampled_from([RunStatus.SUCCEEDED] * 4 + [RunStatus.FAILED, RunStatus.ESCALATED])
AGREEMENTS = st.sampled_from([1.0, 1.0, 0.9, 0.6, 0.0, None])


class Loop(RuleBasedStateMachine):
    """One example is one transaction, rolled back at its end."""

    @initialize()
    def begin(self) -> None:
        self._transaction = transaction.atomic()
        self._transaction.__enter__()
        self.world = World()

    def teardown(self) -> None:
        if hasattr(self, "_transaction"):
            transaction.set_rollback(True)
            self._transaction.__exit__(None, None, None)

    @rule(which=WHICH, statuses=st.lists(ENDS, min_size=1, max_size=6))
    def runs_are_reported(self, which: int, statuses: list[str]) -> None:
        self.world.report(which, statuses)

    @rule(which=WHICH, agreements=st.lists(AGREEMENTS, min_size=1, max_size=6))
    def answers_are_compared(self, which: int, agreements: list[float | None]) -> None:
        self.world.judge(which, agreements)

    @rule(which=WHICH, well=st.lists(st.booleans(), min_size=1, max_size=4))
    def it_goes_on_as_it_usually_does(self, which: int, well: list[bool]) -> None:
        for one in well:
            self.world.go_on(which, well=one)

    @rule(which=WHICH)
    def it_does_well_for_long(self, which: int) -> None:
        for _ in range(4):
            self.world.go_on(which, well=True)

    @rule(which=WHICH, valid=st.lists(st.booleans(), min_size=1, max_size=4))
    def it_is_tried_unseen(self, which: int, valid: list[bool]) -> None:
        self.world.try_unseen(which, valid)

    @rule(which=WHICH, number=st.integers(1, 3))
    def answers_are_corrected(self, which: int, number: int) -> None:
        self.world.correct(which, number)

    @rule(which=WHICH, who=WHO)
    def a_version_is_handed_in(self, which: int, who: str) -> None:
        self.world.hand_in(which, who)

    @rule(which=WHICH, who=DECIDERS, yes=st.booleans(), keep_gate=st.booleans())
    def a_question_is_answered(self, which: int, who: str, yes: bool, keep_gate: bool) -> None:
        self.world.decide(which, who, yes=yes, keep_gate=keep_gate)

    @rule(which=WHICH, who=WHO, to_state=st.sampled_from(State), reason=st.sampled_from(Reason))
    def anybody_asks_for_any_move(self, which: int, who: str, to_state: State, reason: Reason) -> None:
        self.world.move(which, who, to_state, reason)

    @rule(which=WHICH, who=DECIDERS, to_state=st.sampled_from(State))
    def somebody_moves_it_by_hand(self, which: int, who: str, to_state: State) -> None:
        self.world.move(which, who, to_state, Reason.MANUAL_OVERRIDE)

    @rule(which=WHICH, who=WHO, what=st.sampled_from(["pause", "resume", "close the gate", "lift the gate"]))
    def a_switch_is_thrown(self, which: int, who: str, what: str) -> None:
        self.world.switch(which, who, what)

    @rule(which=WHICH, who=WHO)
    def it_is_rolled_back(self, which: int, who: str) -> None:
        self.world.roll_back(which, who)

    @rule()
    def a_night_passes(self) -> None:
        self.world.sleep()

    @invariant()
    def the_rules_hold(self) -> None:
        if hasattr(self, "world"):
            self.world.check()


def test_whatever_is_done_in_whatever_order_the_rules_hold(settings: Any, tmp_path: Path):
    (tmp_path / "skills.yaml").write_text(KNOBS)
    settings.CONFIG_DIR = tmp_path
    run_state_machine_as_test(
        Loop,
        settings=trying(
            max_examples=EXAMPLES,
            stateful_step_count=20,
            deadline=None,
            derandomize=EXAMPLES == FEW,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
