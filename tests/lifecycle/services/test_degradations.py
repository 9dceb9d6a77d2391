"""Flags: slipped agreement, clusters of corrections, and what a person's Save and Degrade do."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from donna_skills.accounts.actors import Actor
from donna_skills.errors import AlreadyDecided, Conflict
from donna_skills.notifications.models import Notification
from lifecycle.models import Correction, Review, ReviewKind, ReviewState, RunPath, Skill, SkillRun
from lifecycle.services import corrections, degradations, reviews, skills
from lifecycle.services.sweeps import Line, Swept
from lifecycle.states import Reason, State
from tests import builders

pytestmark = pytest.mark.django_db


def held(state: State = State.TRUSTED, *, mean: float = 0.95, rate: float = 1.0) -> Skill:
    """A serving skill with a baseline."""
    skill = builders.skill(state)
    Skill.objects.filter(pk=skill.pk).update(
        baseline_mean=mean, baseline_success_rate=rate, baseline_n=100, baseline_version=skill.current_version
    )
    return Skill.objects.for_page().get(pk=skill.pk)


def compared(skill: Skill, *agreements: float | None) -> None:
    for agreement in agreements:
        builders.divergence(skill, agreement)


def sweep(**options: Any) -> dict[str, int]:
    return degradations.sweep(timezone.now(), **options).counts


def question(skill: Skill) -> Review:
    return Review.objects.open().get(kind=ReviewKind.FLAG, skill=skill)


def state_of(skill: Skill) -> str:
    return Skill.objects.get(pk=skill.pk).state


def flagged(state: State = State.TRUSTED) -> tuple[Skill, Review]:
    skill = held(state)
    compared(skill, *[0.2] * 30)
    sweep()
    return Skill.objects.for_page().get(pk=skill.pk), question(skill)


@pytest.mark.parametrize("state", [State.TRUSTED, State.SHADOW_PRIMARY])
def test_a_skill_that_slipped_is_taken_out_of_service_and_a_person_is_asked(state: State):
    reviewer = builders.person("reviewer")
    skill = held(state)
    compared(skill, *[0.9] * 25, *[0.1] * 8)
    assert sweep() == {"flagged": 1}

    found = Skill.objects.get(pk=skill.pk)
    assert (found.state, found.flagged_from, found.serves) == (State.FLAGGED_FOR_REVIEW, state, False)
    moved = skill.transitions.order_by("-id").first()
    assert moved is not None
    assert (moved.reason, moved.actor_kind) == (Reason.DEGRADATION, "system")
    assert (moved.evidence["successes"], moved.evidence["trials"]) == (22, 30)
    assert moved.evidence["upper"] < moved.evidence["baseline_rate"] == 1.0
    review = question(skill)
    assert (review.evidence["flagged_from"], review.version_id) == (state, skill.current_version_id)
    assert Notification.objects.filter(person=reviewer, event__kind="review.opened").count() == 1
    assert sweep() == {}  # it serves no more, so it is not looked at again


def test_a_perfect_record_is_never_flagged():
    skill = held(mean=1.0, rate=1.0)
    compared(skill, *[1.0] * 30)
    assert sweep() == {"healthy": 1}
    assert state_of(skill) == State.TRUSTED


def test_a_graded_drift_is_flagged_though_every_single_answer_is_a_success():
    skill = held(mean=0.95, rate=1.0)
    compared(skill, *[0.55] * 30)
    assert sweep() == {"flagged": 1}
    assert question(skill).evidence["reasons"] == ["mean_below_baseline"]


def test_fewer_than_the_window_or_no_baseline_is_reported_and_not_flagged():
    few, without = held(), builders.skill(State.TRUSTED)
    compared(few, *[0.0] * 29, *[None] * 10)
    compared(without, *[0.0] * 30)
    swept = degradations.sweep(timezone.now())
    assert swept.counts == {"insufficient_data": 2}
    assert {line.detail for line in swept.lines} == {"29 of 30 comparisons", "30 of 30 comparisons"}


def test_old_versions_evidence_does_not_judge_a_new_one():
    skill = held()
    compared(skill, *[0.0] * 30)
    builders.version(skill)
    compared(skill, *[0.0] * 29)
    assert sweep() == {"insufficient_data": 1}
    Skill.objects.filter(pk=skill.pk).update(baseline_mean=0.9, baseline_success_rate=1.0)
    compared(skill, 0.0)  # a window is full, and the baseline is another version's
    assert sweep() == {"insufficient_data": 1}


def test_a_paused_skill_is_still_demoted():
    skill = held()
    Skill.objects.update(paused=True)
    compared(skill, *[0.0] * 30)
    assert sweep() == {"flagged": 1}


def test_with_the_master_switch_off_nothing_is_flagged(configure: Any, tmp_path: Any):
    configure()
    (tmp_path / "skills.yaml").write_text("enabled: false\n")
    skill = held()
    compared(skill, *[0.0] * 30)
    for _ in range(3):
        correct(builders.run(skill))
    assert (sweep(), corrections.sweep().counts) == ({}, {})
    assert state_of(skill) == State.TRUSTED


def test_a_dry_run_says_what_would_be_and_writes_nothing():
    skill = held()
    compared(skill, *[0.0] * 30)
    assert sweep(dry_run=True) == {"flagged": 1}
    assert state_of(skill) == State.TRUSTED
    assert not Review.objects.exists()


def test_a_sweep_as_of_an_earlier_time_sees_nothing_later():
    skill = held()
    compared(skill, *[0.0] * 30)
    assert degradations.sweep(timezone.now() - timedelta(hours=1)).counts == {"insufficient_data": 1}


def test_one_skills_failure_never_stops_the_sweep():
    first, second = builders.skill(), builders.skill()

    def fail() -> Line:
        raise RuntimeError("out of luck")

    def refuse() -> Line:
        raise Conflict("Somebody was faster.")

    swept = Swept()
    swept.add(first, fail)
    swept.add(first, refuse)
    swept.add(second, lambda: Line.of(second, "healthy"))
    assert swept.counts == {"error": 2, "healthy": 1}
    assert [line.detail for line in swept.lines] == ["An unexpected error (RuntimeError).", "Somebody was faster.", ""]


@pytest.mark.parametrize("state", [State.TRUSTED, State.SHADOW_PRIMARY])
def test_save_returns_it_to_where_it_was_flagged_from_and_its_window_begins_anew(state: State):
    reviewer = builders.person("reviewer")
    skill, review = flagged(state)
    reviews.approve(review, by=reviewer, comment="The judge was wrong.", seen_digest=review.subject_digest)

    found = Skill.objects.get(pk=skill.pk)
    assert (found.state, found.flagged_from) == (state, "")
    assert (found.baseline_mean, found.baseline_n) == (0.95, 100)  # 0.2 is no baseline to have
    assert sweep() == {"insufficient_data": 1}
    compared(skill, *[0.2] * 29)
    assert sweep() == {"insufficient_data": 1}
    compared(skill, 0.2)
    assert sweep() == {"flagged": 1}
    again = question(skill)
    assert again.pk != review.pk
    assert Notification.objects.filter(person=reviewer, event__kind="review.opened").count() == 1 + 1


def test_save_recomputes_the_baseline_from_what_it_has_shown_lately():
    skill = held(mean=0.99, rate=1.0)
    compared(skill, *[0.97] * 90, *[0.4] * 10)
    assert sweep() == {"flagged": 1}
    review = question(skill)
    reviews.approve(review, by=builders.person("reviewer"), seen_digest=review.subject_digest)
    found = Skill.objects.get(pk=skill.pk)
    assert (found.baseline_mean, found.baseline_success_rate, found.baseline_n) == (0.913, 0.9, 100)


def test_degrade_takes_it_out_of_service_with_the_reason():
    reviewer = builders.person("reviewer")
    skill, review = flagged()
    reviews.reject(review, by=reviewer, reason="It mixes up the days.", seen_digest=review.subject_digest)
    moved = skill.transitions.order_by("-id").first()
    assert moved is not None
    assert (moved.to_state, moved.reason, moved.person) == (State.DEGRADED, Reason.HUMAN_APPROVAL, reviewer)
    assert moved.note == "It mixes up the days."
    with pytest.raises(AlreadyDecided):
        reviews.approve(review, by=reviewer, seen_digest=review.subject_digest)


def test_flagging_by_hand_asks_the_same_question():
    skill = held(State.SHADOW_PRIMARY)
    actor, reviewer = Actor.person(builders.person("reviewer")), builders.person("reviewer")
    skills.request_move(skill, to_state="flagged_for_review", reason="manual_override", actor=actor, note="Odd.")
    review = question(skill)
    assert review.summary.endswith("Odd.")
    reviews.approve(review, by=reviewer, seen_digest=review.subject_digest)
    assert state_of(skill) == State.SHADOW_PRIMARY


@pytest.mark.parametrize(
    ("to_state", "answer"), [("trusted", ReviewState.APPROVED), ("degraded", ReviewState.REJECTED)]
)
def test_moving_a_flagged_skill_by_hand_answers_the_question(to_state: str, answer: str):
    skill, review = flagged()
    actor = Actor.person(builders.person("reviewer"))
    skills.request_move(skill, to_state=to_state, reason="human_approval", actor=actor)
    review.refresh_from_db()
    assert (review.state, state_of(skill)) == (answer, to_state)


def test_the_sweeps_take_as_many_queries_for_many_skills_as_for_few():
    def some(count: int) -> None:
        for _ in range(count):
            skill = held()
            compared(skill, *[0.9] * 30)
            correct(builders.run(skill))

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert set(degradations.sweep(timezone.now()).counts) == {"healthy"}
            assert set(corrections.sweep().counts) == {"healthy"}
        return len(seen)

    some(2)
    few = queries()
    some(3)
    assert queries() == few <= 10


def correct(run: SkillRun) -> Correction:
    actor = Actor.bot(builders.bot_token()[0])
    return corrections.add(run, field="label", corrected="farewell", actor=actor)


def test_the_second_correction_among_the_newest_runs_flags_at_once_and_names_them():
    skill = held(State.SHADOW_PRIMARY)
    first, _, third = (builders.run(skill) for _ in range(3))
    correct(first)
    assert state_of(skill) == State.SHADOW_PRIMARY
    correct(third)
    assert state_of(skill) == State.FLAGGED_FOR_REVIEW
    review = question(skill)
    assert review.evidence["runs"] == [str(third.pk), str(first.pk)]
    assert (review.evidence["corrections"], review.evidence["reasons"]) == (2, ["correction_cluster"])
    moved = skill.transitions.order_by("-id").first()
    assert moved is not None
    assert (moved.reason, moved.evidence["runs"]) == (Reason.DEGRADATION, [str(third.pk), str(first.pk)])


def test_two_corrections_of_one_run_are_a_cluster_too():
    skill = held()
    run = builders.run(skill)
    correct(run)
    correct(run)
    assert state_of(skill) == State.FLAGGED_FOR_REVIEW


def test_corrections_of_runs_that_are_no_longer_among_the_newest_ten_flag_nothing():
    skill = held()
    old = builders.run(skill)
    for _ in range(10):
        newest = builders.run(skill)
    correct(old)
    correct(newest)
    assert corrections.sweep().counts == {"healthy": 1}
    assert state_of(skill) == State.TRUSTED


def test_corrections_of_the_reference_or_of_another_version_are_not_the_skills():
    skill = held()
    for path in (RunPath.NATIVE, RunPath.SANDBOX):
        correct(builders.run(skill, path=path))
    correct(builders.run(skill))
    builders.version(skill)
    correct(builders.run(skill))
    assert state_of(skill) == State.TRUSTED


def test_corrections_from_before_a_persons_decision_count_no_more():
    skill = held()
    for _ in range(2):
        correct(builders.run(skill))
    review = question(skill)
    reviews.approve(review, by=builders.person("reviewer"), seen_digest=review.subject_digest)
    correct(builders.run(skill))
    assert corrections.sweep().counts == {"healthy": 1}
    assert state_of(skill) == State.TRUSTED
    correct(builders.run(skill))
    assert state_of(skill) == State.FLAGGED_FOR_REVIEW


def test_the_sweep_finds_a_cluster_that_nobody_looked_at():
    skill = held()
    runs = [builders.run(skill) for _ in range(2)]
    for run in runs:
        Correction.objects.create(run=run, field="label", original="a", corrected="b", source="api")
    assert corrections.sweep(dry_run=True).counts == {"flagged": 1}
    assert corrections.sweep().counts == {"flagged": 1}
    assert corrections.sweep().counts == {}
    assert state_of(skill) == State.FLAGGED_FOR_REVIEW
