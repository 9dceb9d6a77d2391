"""Several workers look at the same skill at the same instant: it moves once, and nobody is asked about what is over."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.utils import timezone

from donna_skills.accounts.actors import Actor
from donna_skills.audit import services as audit
from donna_skills.errors import StaleState
from donna_skills.notifications.models import Event, Notification
from lifecycle.models import Correction, Review, ReviewKind, ReviewState, RunPath, Skill
from lifecycle.services import corrections, degradations, promotions, reviews, skills
from lifecycle.states import State
from tests import builders
from tests.lifecycle.services.test_nightly_at_once import at_once

pytestmark = pytest.mark.django_db(transaction=True)

MANY = 4


@pytest.fixture(autouse=True)
def _short_windows(settings: Any, tmp_path: Any) -> None:
    settings.CONFIG_DIR = tmp_path
    (tmp_path / "skills.yaml").write_text(
        "sandbox_promotion_min_runs: 3\nshadow_primary_promotion_min_runs: 3\ndegradation_rolling_window: 5\n"
    )


def fresh(skill: Skill) -> Skill:
    return Skill.objects.for_page().get(pk=skill.pk)


def earned(state: State, *, gate: bool = False) -> Skill:
    """A skill with all that its next state takes."""
    skill = builders.skill(state)
    Skill.objects.filter(pk=skill.pk).update(requires_human_gate=gate)
    for _ in range(3):
        if state == State.SANDBOX:
            builders.run(skill, path=RunPath.SANDBOX)
        else:
            builders.divergence(skill, 0.9)
    return fresh(skill)


def slipped() -> Skill:
    skill = builders.skill(State.TRUSTED)
    baseline = {"baseline_mean": 0.95, "baseline_success_rate": 1.0, "baseline_n": 100}
    Skill.objects.filter(pk=skill.pk).update(**baseline, baseline_version=skill.current_version)
    for _ in range(5):
        builders.divergence(skill, 0.0)
    return fresh(skill)


def told(skill: Skill, kind: str) -> int:
    return Event.objects.filter(kind=kind, subject_id=str(skill.pk)).count()


@pytest.mark.parametrize(
    ("state", "to_state"), [(State.SANDBOX, State.SHADOW_PRIMARY), (State.SHADOW_PRIMARY, State.TRUSTED)]
)
@pytest.mark.parametrize("look", [promotions.consider_quietly, lambda _: promotions.sweep()], ids=["run", "night"])
def test_of_many_that_consider_a_promotion_one_makes_it(state: State, to_state: State, look: Callable[[Any], Any]):
    skill = earned(state)
    before = (skill.transitions.count(), told(skill, "skill.state_changed"))
    found = at_once(*[partial(look, skill.pk)] * MANY)
    after = fresh(skill)
    assert after.state == to_state
    assert (skill.transitions.count(), told(skill, "skill.state_changed")) == (before[0] + 1, before[1] + 1)
    assert after.baseline_n == (3 if to_state == State.TRUSTED else None)
    outcomes = [line.outcome for swept in found if swept is not None for line in swept.lines]
    assert "error" not in outcomes
    assert audit.verify().intact


def test_of_many_that_ask_about_a_promotion_one_question_comes_and_one_line_to_each_person():
    reviewer = builders.person("reviewer")
    skill = earned(State.SHADOW_PRIMARY, gate=True)
    at_once(*[partial(promotions.consider_quietly, skill.pk)] * MANY)
    review = Review.objects.get(kind=ReviewKind.PROMOTION, skill=skill)
    assert (review.state, fresh(skill).state) == (ReviewState.OPEN, State.SHADOW_PRIMARY)
    assert Notification.objects.filter(person=reviewer, event__subject_id=str(review.pk)).count() == 1


def test_a_skill_that_moved_since_it_was_looked_at_is_nobodys_question():
    skill = earned(State.SANDBOX, gate=True)
    found = promotions.standing(skill)
    reviewer = Actor.person(builders.person("reviewer"))
    skills.request_move(fresh(skill), to_state=State.SHADOW_PRIMARY, reason="manual_override", actor=reviewer)
    with pytest.raises(StaleState, match="moved"):
        promotions.decide(skill, found)
    assert not Review.objects.open().filter(skill=skill).exists()


def test_a_no_that_came_since_it_was_looked_at_is_no_new_question():
    skill = earned(State.SANDBOX, gate=True)
    found = promotions.standing(skill)
    promotions.consider(skill.pk)
    review = Review.objects.open().get(skill=skill)
    reviews.reject(review, by=builders.person("reviewer"), reason="No.", seen_digest=review.subject_digest)
    with pytest.raises(StaleState, match="said no"):
        promotions.decide(skill, found)
    assert not Review.objects.open().filter(skill=skill).exists()


def test_a_promotion_and_a_person_who_moves_it_by_hand_make_one_move_each_or_one_is_told():
    skill = earned(State.SANDBOX)
    seen, reviewer = fresh(skill), Actor.person(builders.person("reviewer"))

    def by_hand() -> str:
        try:
            skills.request_move(
                seen, to_state=State.CLAUDE_NATIVE, reason="manual_override", actor=reviewer, note="Off."
            )
        except StaleState:
            return "stale"
        return "moved"

    _, said = at_once(partial(promotions.consider_quietly, skill.pk), by_hand)
    ends = {"moved": State.CLAUDE_NATIVE, "stale": State.SHADOW_PRIMARY}
    assert fresh(skill).state == ends[said]
    state = State.SANDBOX
    for row in skill.transitions.order_by("id")[3:]:
        assert row.from_state == state
        state = State(row.to_state)
    assert state == fresh(skill).state


def test_of_many_nights_one_flags_a_skill_and_asks_once():
    skill = slipped()
    found = at_once(*[lambda: degradations.sweep(timezone.now())] * MANY)
    outcomes = [line.outcome for swept in found for line in swept.lines]
    assert outcomes.count("flagged") == 1
    assert set(outcomes) <= {"flagged", "overtaken"}
    assert skill.transitions.filter(to_state=State.FLAGGED_FOR_REVIEW).count() == 1
    assert Review.objects.filter(kind=ReviewKind.FLAG, skill=skill).count() == 1


def test_corrections_that_come_at_once_flag_once_and_are_all_kept():
    skill = slipped()
    runs = [builders.run(skill) for _ in range(MANY)]
    actor = Actor.bot(builders.bot_token()[0])
    at_once(*[partial(corrections.add, run, field="label", corrected="other", actor=actor) for run in runs])
    assert Correction.objects.count() == MANY
    assert skill.transitions.filter(to_state=State.FLAGGED_FOR_REVIEW).count() == 1
    assert Review.objects.filter(kind=ReviewKind.FLAG, skill=skill).count() == 1
