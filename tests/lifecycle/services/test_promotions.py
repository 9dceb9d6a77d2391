"""The two gates between trust levels: thresholds met exactly, evidence of one version, people who are asked first."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from donna_skills.accounts.actors import Actor
from donna_skills.audit.models import AuditEvent
from donna_skills.errors import Conflict, StaleState
from donna_skills.notifications.models import Notification
from lifecycle import selectors
from lifecycle.models import Review, ReviewKind, ReviewState, RunPath, RunStatus, Skill, SkillRun
from lifecycle.services import divergences, promotions, reviews, runs, skills
from lifecycle.states import Reason, State
from tests import builders
from tests.stubs.model_server import Answer, ModelServer

pytestmark = pytest.mark.django_db


def in_sandbox(*, gate: bool = False) -> Skill:
    return _gated(builders.skill(State.SANDBOX), gate)


def live(*, gate: bool = False) -> Skill:
    return _gated(builders.skill(State.SHADOW_PRIMARY), gate)


def _gated(skill: Skill, gate: bool) -> Skill:
    Skill.objects.filter(pk=skill.pk).update(requires_human_gate=gate)
    return Skill.objects.for_page().get(pk=skill.pk)


def unseen(skill: Skill, count: int, **fields: Any) -> None:
    for _ in range(count):
        builders.run(skill, path=RunPath.SANDBOX, **fields)


def compared(skill: Skill, *agreements: float | None) -> None:
    for agreement in agreements:
        builders.divergence(skill, agreement)


def state_of(skill: Skill) -> str:
    return Skill.objects.get(pk=skill.pk).state


def question(skill: Skill) -> Review:
    return Review.objects.open().get(kind=ReviewKind.PROMOTION, skill=skill)


def test_a_sandbox_skill_is_promoted_by_its_newest_twenty_runs_with_the_evidence_in_the_row():
    skill = in_sandbox()
    unseen(skill, 5, status=RunStatus.FAILED)
    unseen(skill, 14)
    promotions.consider(skill.pk)
    assert state_of(skill) == State.SANDBOX
    unseen(skill, 6)

    line = promotions.consider(skill.pk)

    assert line is not None
    assert line.outcome == "promoted"
    moved = skill.transitions.order_by("-id").first()
    assert moved is not None
    assert (moved.to_state, moved.reason, moved.actor_kind) == (State.SHADOW_PRIMARY, Reason.GATE_PASSED, "system")
    assert (moved.evidence["valid"], moved.evidence["n"], moved.evidence["version"]) == (20, 20, 1)
    assert promotions.consider(skill.pk) is not None  # now for trusted: it waits
    assert skill.transitions.filter(to_state=State.SHADOW_PRIMARY).count() == 1


@pytest.mark.parametrize(("valid", "promoted"), [(18, True), (17, False)])
def test_nine_in_ten_valid_runs_are_enough_and_fewer_are_not(valid: int, promoted: bool):
    skill = in_sandbox()
    unseen(skill, 20 - valid, degraded=True)
    unseen(skill, valid)
    promotions.consider(skill.pk)
    assert (state_of(skill) == State.SHADOW_PRIMARY) == promoted


def test_runs_that_say_nothing_about_the_version_do_not_count():
    skill = in_sandbox()
    unseen(skill, 20)
    for status in (RunStatus.CANCELLED, RunStatus.INTERRUPTED, RunStatus.QUEUED):
        unseen(skill, 5, status=status)
    promotions.consider(skill.pk)
    assert state_of(skill) == State.SHADOW_PRIMARY


def test_the_last_run_beside_the_reference_promotes_by_itself(openai_stub: ModelServer):
    skill = in_sandbox()
    unseen(skill, 19)
    label = Answer(json.dumps({"label": "greeting"}))
    openai_stub.will(label, label)
    request = runs.Request(actor=Actor.bot(builders.bot_token()[0]))
    runs.execute(skill.capability.name, inputs={"text": "hello"}, request=request)
    runs.carry_out(SkillRun.objects.get(path=RunPath.SANDBOX, status=RunStatus.QUEUED).pk)
    assert state_of(skill) == State.SHADOW_PRIMARY


def test_exactly_085_a_hundred_times_is_enough_and_the_baseline_comes_with_the_move():
    skill = live()
    compared(skill, *[0.85] * 100)
    promotions.consider(skill.pk)
    found = Skill.objects.get(pk=skill.pk)
    assert found.state == State.TRUSTED
    assert (found.baseline_mean, found.baseline_success_rate, found.baseline_n) == (0.85, 1.0, 100)
    assert found.baseline_version_id == skill.current_version_id
    assert found.baseline_lower == pytest.approx(0.963, abs=0.001)
    moved = skill.transitions.order_by("-id").first()
    assert moved is not None
    assert (moved.evidence["mean"], moved.evidence["n"], moved.evidence["failed"]) == (0.85, 100, 0)
    assert moved.evidence["baseline"]["n"] == 100


def test_a_hair_less_than_085_is_not_enough():
    skill = live()
    compared(skill, *[0.85] * 99, 0.8499)
    promotions.consider(skill.pk)
    assert state_of(skill) == State.SHADOW_PRIMARY


@pytest.mark.parametrize(("failed", "promoted"), [(11, True), (12, False)])
def test_a_tenth_of_all_runs_since_may_fail(failed: int, promoted: bool):
    skill = live()
    for _ in range(30):
        builders.run(skill, status=RunStatus.FAILED)  # before the oldest comparison of the window
    compared(skill, *[1.0] * 100)
    for _ in range(failed):
        builders.run(skill, status=RunStatus.TIMED_OUT)
    promotions.consider(skill.pk)
    assert (state_of(skill) == State.TRUSTED) == promoted


def test_abstentions_neither_help_nor_harm():
    skill = live()
    compared(skill, *[0.9] * 99, *[None] * 50)
    promotions.consider(skill.pk)
    assert state_of(skill) == State.SHADOW_PRIMARY
    compared(skill, 0.9)
    promotions.consider(skill.pk)
    assert state_of(skill) == State.TRUSTED


def test_the_last_comparison_promotes_by_itself(openai_stub: ModelServer):
    skill = live()
    compared(skill, *[0.9] * 99)
    run = builders.run(skill, state_at_run=State.SHADOW_PRIMARY, compare_at=timezone.now())
    openai_stub.will(Answer('{"label": "x"}'), Answer('{"agreement": 0.9, "rationale": "Alike."}'))
    divergences.compare(run.pk)
    assert state_of(skill) == State.TRUSTED


def test_old_versions_evidence_does_not_promote_a_new_one():
    skill, trying = live(), in_sandbox()
    compared(skill, *[1.0] * 100)
    unseen(trying, 20)
    builders.version(skill)
    builders.version(trying)
    promotions.consider(skill.pk)
    promotions.consider(trying.pk)
    assert (state_of(skill), state_of(trying)) == (State.SHADOW_PRIMARY, State.SANDBOX)


@pytest.mark.parametrize("setting", ["paused", "disabled"])
def test_neither_a_paused_skill_nor_a_switched_off_installation_promotes(
    configure: Any, tmp_path: Any, openai_stub: ModelServer, setting: str
):
    if setting == "disabled":
        (tmp_path / "skills.yaml").write_text("enabled: false\n")
    skill = in_sandbox()
    unseen(skill, 20)
    Skill.objects.update(paused=setting == "paused")
    promotions.consider(skill.pk)
    promotions.sweep()
    assert state_of(skill) == State.SANDBOX
    assert setting in {reason.code for reason in selectors.why_not(Skill.objects.get(pk=skill.pk)).unmet}


def test_a_gated_skill_asks_a_person_once_and_the_approval_makes_the_move():
    reviewer = builders.person("reviewer")
    skill = live(gate=True)
    compared(skill, *[0.9] * 100)
    for _ in range(3):
        line = promotions.consider(skill.pk)
        assert line is not None
        assert line.outcome == "asked"
        compared(skill, 0.9)
    review = question(skill)
    assert (review.evidence["mean"], review.evidence["n"], review.evidence["to_state"]) == (0.9, 100, "trusted")
    assert Notification.objects.filter(person=reviewer, event__kind="review.opened").count() == 1
    assert not AuditEvent.objects.filter(action="skill.move.refused").exists()

    reviews.approve(review, by=reviewer, comment="Earned.", seen_digest=review.subject_digest)

    found = Skill.objects.get(pk=skill.pk)
    assert (found.state, found.baseline_mean, found.baseline_n) == (State.TRUSTED, 0.9, 100)
    assert found.requires_human_gate is True
    moved = skill.transitions.order_by("-id").first()
    assert moved is not None
    assert (moved.reason, moved.person, moved.note) == (Reason.HUMAN_APPROVAL, reviewer, "Earned.")
    assert moved.evidence["review_id"] == str(review.pk)


def test_moving_by_hand_answers_the_open_question():
    reviewer = builders.person("reviewer")
    skill = in_sandbox(gate=True)
    unseen(skill, 20)
    promotions.consider(skill.pk)
    review = question(skill)
    actor = Actor.person(reviewer)
    skills.request_move(skill, to_state="shadow_primary", reason="human_approval", actor=actor, note="Yes.")
    review.refresh_from_db()
    assert (review.state, review.decided_by, state_of(skill)) == (ReviewState.APPROVED, reviewer, State.SHADOW_PRIMARY)


def test_a_refused_promotion_is_asked_again_when_all_of_its_evidence_is_newer():
    reviewer = builders.person("reviewer")
    skill = in_sandbox(gate=True)
    unseen(skill, 20)
    promotions.consider(skill.pk)
    review = question(skill)
    reviews.reject(review, by=reviewer, reason="Wait for Monday's mail.", seen_digest=review.subject_digest)
    assert state_of(skill) == State.SANDBOX

    unseen(skill, 19)
    line = promotions.consider(skill.pk)
    assert line is not None
    assert line.outcome == "waiting"
    assert "promotion_refused" in {reason.code for reason in selectors.why_not(skill).unmet}
    unseen(skill, 1)
    promotions.consider(skill.pk)

    again = question(skill)
    assert again.pk != review.pk
    assert Notification.objects.filter(person=reviewer, event__kind="review.opened").count() == 2


def test_a_refusal_holds_when_the_gate_is_lifted():
    skill = in_sandbox(gate=True)
    unseen(skill, 20)
    promotions.consider(skill.pk)
    review = question(skill)
    reviews.reject(review, by=builders.person("reviewer"), reason="No.", seen_digest=review.subject_digest)
    _gated(skill, False)
    promotions.consider(skill.pk)
    assert state_of(skill) == State.SANDBOX


def test_a_question_is_withdrawn_when_its_evidence_no_longer_holds():
    skill = in_sandbox(gate=True)
    unseen(skill, 20)
    promotions.consider(skill.pk)
    review = question(skill)
    unseen(skill, 3, status=RunStatus.FAILED)
    promotions.consider(skill.pk)
    review.refresh_from_db()
    assert review.state == ReviewState.SUPERSEDED
    assert AuditEvent.objects.filter(action="review.withdrawn", subject_id=str(review.pk)).exists()


def test_a_question_is_withdrawn_when_the_skill_moves_by_another_door():
    skill = in_sandbox(gate=True)
    unseen(skill, 20)
    promotions.consider(skill.pk)
    review = question(skill)
    actor = Actor.person(builders.person("reviewer"))
    skills.request_move(skill, to_state="claude_native", reason="manual_override", actor=actor)
    review.refresh_from_db()
    assert review.state == ReviewState.SUPERSEDED


def test_a_paused_skill_is_not_promoted_by_a_person_and_the_question_stays_open():
    skill = in_sandbox(gate=True)
    unseen(skill, 20)
    promotions.consider(skill.pk)
    review = question(skill)
    Skill.objects.update(paused=True)
    with pytest.raises(Conflict):
        reviews.approve(review, by=builders.person("reviewer"), seen_digest=review.subject_digest)
    assert question(skill).pk == review.pk


def test_a_question_about_one_version_does_not_promote_another():
    skill = in_sandbox(gate=True)
    unseen(skill, 20)
    promotions.consider(skill.pk)
    review = question(skill)
    builders.version(skill)
    with pytest.raises(StaleState):
        reviews.approve(review, by=builders.person("reviewer"), seen_digest=review.subject_digest)
    assert state_of(skill) == State.SANDBOX


def test_an_override_to_trusted_takes_the_baseline_along_where_the_evidence_earns_one():
    actor = Actor.person(builders.person("reviewer"))
    shown, bare = live(), live()
    compared(shown, *[0.9] * 30)
    for skill in (shown, bare):
        skills.request_move(skill, to_state="trusted", reason="manual_override", actor=actor, note="We know it.")
    assert Skill.objects.get(pk=shown.pk).baseline_n == 30
    assert Skill.objects.get(pk=bare.pk).baseline_n is None


def test_meeting_exactly_the_unmet_conditions_of_the_sandbox_makes_the_move_happen():
    skill = in_sandbox(gate=True)
    unseen(skill, 17)
    unseen(skill, 2, status=RunStatus.FAILED)
    said = selectors.why_not(skill)
    assert {reason.code for reason in said.unmet} == {"too_few_runs", "human_gate_required"}
    assert said.progress == "19 of 20 finished runs, 17 valid, needs a share of 0.9"

    unseen(skill, 1)
    promotions.consider(skill.pk)
    assert {reason.code for reason in selectors.why_not(skill).unmet} == {"human_gate_required"}
    skills.set_human_gate(skill, False, actor=Actor.person(builders.person("reviewer")))
    assert selectors.why_not(skill).unmet == ()
    promotions.consider(skill.pk)

    assert state_of(skill) == State.SHADOW_PRIMARY


def test_meeting_exactly_the_unmet_conditions_of_shadow_primary_makes_the_move_happen():
    skill = live()
    compared(skill, *[0.0] * 20, *[1.0] * 43)
    for _ in range(8):
        builders.run(skill, status=RunStatus.FAILED)
    said = selectors.why_not(skill)
    assert {reason.code for reason in said.unmet} == {"too_few_divergences", "agreement_too_low", "failures_too_many"}
    assert said.progress == "63 of 100, mean 0.6825, needs 0.85"

    compared(skill, *[1.0] * 37)
    assert {reason.code for reason in selectors.why_not(skill).unmet} == {"agreement_too_low"}
    promotions.consider(skill.pk)
    assert state_of(skill) == State.SHADOW_PRIMARY
    compared(skill, *[1.0] * 5)  # five of the oldest leave the window
    assert selectors.why_not(skill).unmet == ()
    promotions.consider(skill.pk)

    assert state_of(skill) == State.TRUSTED


def test_the_sweep_says_the_same_of_many_skills_in_as_many_queries_as_of_few(configure: Any, tmp_path: Any):
    configure()
    (tmp_path / "skills.yaml").write_text(
        "sandbox_promotion_min_runs: 3\nshadow_primary_promotion_min_runs: 3\n", encoding="utf-8"
    )

    def some(count: int) -> None:
        for _ in range(count):
            unseen(in_sandbox(), 2)
            compared(live(), 0.9, 0.9)

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as seen:
            swept = promotions.sweep()
        assert set(swept.counts) == {"waiting"}
        return len(seen)

    some(2)
    few = queries()
    some(4)
    assert queries() == few <= 10

    ready, asking = in_sandbox(), live(gate=True)
    unseen(ready, 3)
    compared(asking, 0.9, 0.9, 0.9)
    assert promotions.sweep(dry_run=True).counts == {"waiting": 12, "promoted": 1, "asked": 1}
    assert state_of(ready) == State.SANDBOX
    assert promotions.sweep().counts == {"waiting": 12, "promoted": 1, "asked": 1}
    assert state_of(ready) == State.SHADOW_PRIMARY
    assert question(asking).evidence["n"] == 3


def test_evidence_from_before_a_refusal_is_told_by_when_it_was_seen():
    skill = in_sandbox()
    unseen(skill, 20, finished_at=timezone.now() - timedelta(hours=1))
    Review.objects.create(
        kind=ReviewKind.PROMOTION, capability=skill.capability, skill=skill, version=skill.current_version,
        subject_digest="0" * 64, state=ReviewState.REJECTED, decided_by=builders.person("reviewer"),
        decided_at=timezone.now() - timedelta(hours=2),
    )  # fmt: skip
    promotions.consider(skill.pk)
    assert state_of(skill) == State.SHADOW_PRIMARY
