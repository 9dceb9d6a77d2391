"""Rollback: what served once serves again, on a person's word, or because what replaced it was rejected."""

from __future__ import annotations

from typing import Any

import pytest

from donna_skills.accounts.actors import Actor
from donna_skills.audit.models import AuditEvent
from donna_skills.errors import Conflict, HumanGateRequired, Invalid, NotPermitted, StaleState
from donna_skills.notifications.models import Notification
from lifecycle.models import Review, ReviewKind, ReviewState, Skill, SkillVersion, VersionStatus
from lifecycle.services import evolutionwork, givingup, reviews, rollbacks, skills, transitions
from lifecycle.states import Reason, State
from tests import builders
from tests.lifecycle.services.evolving import degrade

pytestmark = pytest.mark.django_db


def reviewer() -> Actor:
    return Actor.person(builders.person("reviewer"))


def replaced(state: State = State.TRUSTED, *, tools: bool = False) -> tuple[Skill, SkillVersion]:
    """A skill whose second version serves, and its first, which served in `state` and was replaced by approval."""
    files = builders.step_package("asks_the_web")
    files["skill.yaml"] = files["skill.yaml"].replace(b"    kind: llm\n", b"    kind: llm\n    tools: [web_fetch]\n")
    given = {"name": "asks_the_web", "granted_tools": ["web_fetch"], "files": files} if tools else {}
    skill = builders.skill(state, **given)
    first = skill.current_version
    assert first is not None
    second = builders.version(skill, current=False)
    review = reviews.open_review(ReviewKind.DRAFT, capability=skill.capability, version=second, actor=builders.SYSTEM)
    reviews.approve(review, by=builders.person("reviewer"), seen_digest=review.subject_digest)
    skill = fresh(skill)
    transitions.move(skill, State.SHADOW_PRIMARY, reason=Reason.HUMAN_APPROVAL, actor=reviewer())
    first.refresh_from_db()
    return skill, first


def fresh(skill: Skill) -> Skill:
    return Skill.objects.for_page().get(pk=skill.pk)


def evolved(skill: Skill) -> tuple[SkillVersion, Review]:
    """A draft for a degraded skill, waiting for a person."""
    return skills.submit_version(
        skill,
        files=builders.step_package(skill.capability.name, changelog="Better."),
        actor=Actor.bot(builders.bot_token()[0]),
    )


def moves(skill: Skill) -> list[str]:
    return [row.to_state for row in skill.transitions.order_by("id")]


def test_a_person_puts_the_earlier_version_back_in_service():
    skill, first = replaced()
    second = skill.current_version
    told = builders.person("operator")
    before = len(moves(skill))

    rollbacks.roll_back(skill, first, actor=reviewer(), note="The new one is rude.")

    skill = fresh(skill)
    first.refresh_from_db()
    second.refresh_from_db()
    assert (skill.state, skill.current_version) == (State.SHADOW_PRIMARY, first)
    assert (first.status, second.status) == (VersionStatus.RELEASED, VersionStatus.REVOKED)
    assert moves(skill)[before:] == ["claude_native", "skill_candidate", "draft", "sandbox", "shadow_primary"]
    assert {row.note for row in skill.transitions.all()[:5]} == {"The new one is rude."}
    assert AuditEvent.objects.filter(action="skill.rolled_back").count() == 1
    assert Notification.objects.filter(person=told, title__contains="was rolled back to version 1").count() == 1
    assert rollbacks.last_healthy(skill) is None  # the second was withdrawn by a person


def test_the_baseline_is_what_the_version_has_shown_or_none():
    skill, first = replaced()
    rollbacks.roll_back(skill, first, actor=reviewer())
    assert fresh(skill).baseline_mean is None

    skill, first = replaced()
    for _ in range(30):
        builders.divergence(skill, 1.0, of_run=builders.run(skill, version=first), version=first)
    rollbacks.roll_back(skill, first, actor=reviewer())
    skill = fresh(skill)
    assert (skill.baseline_mean, skill.baseline_n, skill.baseline_version) == (1.0, 30, first)


@pytest.mark.parametrize("state", [State.FLAGGED_FOR_REVIEW, State.DEGRADED, State.CLAUDE_NATIVE, State.DRAFT])
def test_it_works_from_every_state(state):
    skill, first = replaced()
    if state in {State.FLAGGED_FOR_REVIEW, State.DEGRADED}:
        transitions.move(skill, State.FLAGGED_FOR_REVIEW, reason=Reason.DEGRADATION, actor=builders.SYSTEM)
    if state == State.DEGRADED:
        transitions.move(skill, State.DEGRADED, reason=Reason.HUMAN_APPROVAL, actor=reviewer())
    if state in {State.CLAUDE_NATIVE, State.DRAFT}:
        transitions.move(skill, State.CLAUDE_NATIVE, reason=Reason.MANUAL_OVERRIDE, actor=reviewer())
    waiting = evolved(skill)[1] if state == State.DRAFT else None
    rollbacks.roll_back(fresh(skill), first, actor=reviewer())
    skill = fresh(skill)
    assert (skill.state, skill.current_version) == (State.SHADOW_PRIMARY, first)
    if waiting:
        waiting.refresh_from_db()
        assert waiting.state == ReviewState.OPEN


def test_a_sandbox_version_that_never_served_is_superseded_and_not_revoked():
    skill = builders.skill(State.TRUSTED)
    first = skill.current_version
    second = builders.version(skill, current=False)
    review = reviews.open_review(ReviewKind.DRAFT, capability=skill.capability, version=second, actor=builders.SYSTEM)
    reviews.approve(review, by=builders.person("reviewer"), seen_digest=review.subject_digest)
    rollbacks.roll_back(fresh(skill), first, actor=reviewer())
    second.refresh_from_db()
    assert second.status == VersionStatus.SUPERSEDED


def test_a_bot_cannot_nor_a_person_without_the_permission_nor_the_author_of_the_version():
    author = builders.person("admin")
    skill = builders.skill(State.TRUSTED, author=author)
    first = skill.current_version
    transitions.move(skill, State.CLAUDE_NATIVE, reason=Reason.MANUAL_OVERRIDE, actor=reviewer())
    bot = Actor.bot(builders.bot_token()[0])
    for actor, error in ((bot, HumanGateRequired), (Actor.person(builders.person("operator")), NotPermitted)):
        with pytest.raises(error):
            rollbacks.roll_back(fresh(skill), first, actor=actor)
    with pytest.raises(NotPermitted) as own:
        rollbacks.roll_back(fresh(skill), first, actor=Actor.person(author))
    assert own.value.code == "own_work"
    assert fresh(skill).state == State.CLAUDE_NATIVE
    assert AuditEvent.objects.filter(action="skill.roll_back.refused").count() == 3


def test_only_a_version_that_served_and_is_not_in_force_can_return():
    skill, first = replaced()
    never = builders.version(skill, current=False)
    other = builders.skill(State.TRUSTED).current_version
    for version in (never, skill.current_version, other):
        with pytest.raises(Conflict):
            rollbacks.roll_back(skill, version, actor=reviewer())
    stale = fresh(skill)
    rollbacks.roll_back(fresh(skill), first, actor=reviewer())
    with pytest.raises(StaleState):
        rollbacks.roll_back(stale, first, actor=reviewer())


def no_longer_valid(skill: Skill) -> None:
    """The first version asks for a tool that the capability is no longer granted."""
    type(skill.capability).objects.filter(pk=skill.capability_id).update(granted_tools=[])


def test_a_package_that_is_no_longer_valid_stays_where_it_is():
    skill, first = replaced(tools=True)
    no_longer_valid(skill)
    with pytest.raises(Invalid):
        rollbacks.roll_back(fresh(skill), first, actor=reviewer())
    assert (fresh(skill).state, fresh(skill).current_version_id) == (State.SHADOW_PRIMARY, skill.current_version_id)


def test_what_was_found_degraded_or_withdrawn_is_not_healthy():
    skill, first = replaced()
    assert rollbacks.last_healthy(skill) == first
    skill = degrade(skill)
    assert rollbacks.last_healthy(skill) == first
    _, review = evolved(skill)
    reviews.reject(review, by=builders.person("reviewer"), reason="No.", seen_digest=review.subject_digest)
    skill = degrade(fresh(skill))  # now the first has slipped too
    assert rollbacks.last_healthy(skill) is None


@pytest.mark.parametrize(("agreement", "state"), [(1.0, State.TRUSTED), (None, State.SHADOW_PRIMARY)])
def test_rejecting_a_draft_restores_the_healthy_version_in_the_state_that_its_evidence_allows(agreement, state):
    skill, first = replaced(State.TRUSTED)
    if agreement is not None:
        for _ in range(30):
            builders.divergence(skill, agreement, of_run=builders.run(skill, version=first), version=first)
    skill = degrade(skill)
    version, review = evolved(skill)

    reviews.reject(review, by=builders.person("reviewer"), reason="Worse.", seen_digest=review.subject_digest)

    skill = fresh(skill)
    version.refresh_from_db()
    assert (skill.state, skill.current_version, version.status) == (state, first, VersionStatus.REJECTED)
    assert "Version 3 was rejected; version 1 serves again. Worse." in skill.transitions.first().note
    assert (skill.baseline_mean is None) is (agreement is None)


def test_a_version_that_was_never_trusted_is_not_trusted_by_a_rejection():
    skill, first = replaced(State.SHADOW_PRIMARY)
    for _ in range(30):
        builders.divergence(skill, 1.0, of_run=builders.run(skill, version=first), version=first)
    _, review = evolved(degrade(skill))
    reviews.reject(review, by=builders.person("reviewer"), reason="No.", seen_digest=review.subject_digest)
    assert fresh(skill).state == State.SHADOW_PRIMARY


def test_rejecting_goes_through_even_when_the_healthy_version_can_no_longer_be_read():
    skill, _ = replaced(tools=True)
    version, review = evolved(degrade(skill))
    no_longer_valid(skill)
    reviews.reject(review, by=builders.person("reviewer"), reason="No.", seen_digest=review.subject_digest)
    version.refresh_from_db()
    assert (fresh(skill).state, version.status) == (State.CLAUDE_NATIVE, VersionStatus.REJECTED)


def given_up() -> tuple[Skill, SkillVersion, Review]:
    """A degraded skill with a healthy version, whose attempts the gates refused twice in a row."""
    from django.utils import timezone

    from lifecycle.models import AttemptStatus, Evolution

    skill, first = replaced()
    skill = degrade(skill)
    move = evolutionwork.last_degraded(skill)
    fields: dict[str, Any] = {"skill": skill, "from_version": skill.current_version, "degraded_by": move}
    for _ in range(2):
        now = timezone.now()
        Evolution.objects.create(**fields, status=AttemptStatus.REFUSED, started_at=now, finished_at=now)
    assert givingup.consider(skill, move, actor=builders.SYSTEM)
    return skill, first, Review.objects.get(kind=ReviewKind.ROLLBACK)


def test_after_two_refusals_a_person_is_asked_about_the_healthy_version_once():
    decider = builders.person("reviewer")
    skill, first, review = given_up()
    assert (fresh(skill).state, review.version, review.state) == (State.DEGRADED, first, ReviewState.OPEN)
    givingup.consider(fresh(skill), evolutionwork.last_degraded(skill), actor=builders.SYSTEM)
    assert Review.objects.filter(kind=ReviewKind.ROLLBACK).count() == 1
    assert Notification.objects.filter(person=decider, title__contains="was refused 2 times").count() == 1


def test_approving_the_rollback_walks_the_table_with_the_person():
    skill, first, review = given_up()
    by = builders.person("reviewer")
    reviews.approve(review, by=by, comment="Back to the old one.", seen_digest=review.subject_digest)
    skill = fresh(skill)
    assert (skill.state, skill.current_version) == (State.SHADOW_PRIMARY, first)
    walked = list(skill.transitions.all()[:3])
    assert [(row.to_state, row.reason, row.person) for row in reversed(walked)] == [
        (State.DRAFT, Reason.MANUAL_OVERRIDE, by),
        (State.SANDBOX, Reason.HUMAN_APPROVAL, by),
        (State.SHADOW_PRIMARY, Reason.HUMAN_APPROVAL, by),
    ]


def test_declining_the_rollback_leaves_the_skill_to_the_reference():
    skill, _, review = given_up()
    reviews.reject(review, by=builders.person("reviewer"), reason="No.", seen_digest=review.subject_digest)
    last = fresh(skill).transitions.first()
    assert (last.to_state, last.reason, last.actor_kind) == (State.CLAUDE_NATIVE, Reason.EVOLUTION_FAILED, "system")


def test_a_skill_that_moves_on_withdraws_the_question_of_its_rollback():
    skill, _, review = given_up()
    evolved(fresh(skill))
    review.refresh_from_db()
    assert review.state == ReviewState.SUPERSEDED
