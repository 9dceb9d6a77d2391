"""What people and gates said goes on to matter: in the next version's prompt, and before each promotion."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from lifecycle import selectors
from lifecycle.models import GateDecision, Review, ReviewKind, RunPath, RunStatus, Skill
from lifecycle.services import drafting, evidence, promotions, reviews
from lifecycle.states import State
from tests import builders
from tests.lifecycle.services.evolving import Models, degraded, mends, successes, try_once

pytestmark = pytest.mark.django_db


def decision(skill: Skill, verdict: str, *, inputs: str = "a") -> GateDecision:
    assert skill.current_version is not None
    return GateDecision.objects.create(
        skill=skill,
        digest=skill.current_version.digest,
        inputs_digest=inputs * 64,
        verdict=verdict,
        gates=[],
        cost_usd=0,
        at=timezone.now(),
    )


def eligible() -> Skill:
    """In the sandbox, with all that the next state asks for and no human gate."""
    skill = builders.skill(State.SANDBOX)
    Skill.objects.filter(pk=skill.pk).update(requires_human_gate=False)
    for _ in range(20):
        builders.run(skill, path=RunPath.SANDBOX)
    return Skill.objects.for_page().get(pk=skill.pk)


def state_of(skill: Skill) -> str:
    return Skill.objects.get(pk=skill.pk).state


def test_while_the_gates_hold_a_person_is_asked_and_may_say_yes():
    skill = eligible()
    decision(skill, "HOLD")
    promotions.consider(skill.pk)
    assert state_of(skill) == State.SANDBOX
    assert "gates_on_hold" in {reason.code for reason in selectors.why_not(skill).unmet}

    review = Review.objects.open().get(kind=ReviewKind.PROMOTION, skill=skill)
    reviews.approve(review, by=builders.person("reviewer"), seen_digest=review.subject_digest)
    assert state_of(skill) == State.SHADOW_PRIMARY


def test_once_the_gates_pass_the_promotion_follows_by_itself():
    skill = eligible()
    decision(skill, "HOLD")
    decision(skill, "PASS", inputs="b")
    promotions.consider(skill.pk)
    assert state_of(skill) == State.SHADOW_PRIMARY


def test_what_the_gates_block_is_neither_promoted_nor_asked_about():
    skill = eligible()
    decision(skill, "BLOCK")
    promotions.consider(skill.pk)
    assert state_of(skill) == State.SANDBOX
    assert not Review.objects.open().filter(kind=ReviewKind.PROMOTION).exists()
    assert "gate_blocked" in {reason.code for reason in selectors.why_not(skill).unmet}


def test_what_the_gates_said_about_other_files_is_no_matter():
    skill = eligible()
    decision(skill, "BLOCK")
    builders.version(skill)
    for _ in range(20):
        builders.run(skill, path=RunPath.SANDBOX)
    promotions.consider(skill.pk)
    assert state_of(skill) == State.SHADOW_PRIMARY


def test_failures_beside_the_reference_count_against_trust():
    skill = builders.skill(State.SHADOW_PRIMARY)
    Skill.objects.filter(pk=skill.pk).update(requires_human_gate=False)
    for _ in range(100):
        builders.divergence(skill, 1.0)
    for _ in range(12):
        builders.run(skill, path=RunPath.SANDBOX, status=RunStatus.FAILED)
    promotions.consider(skill.pk)
    assert state_of(skill) == State.SHADOW_PRIMARY


@pytest.mark.parametrize("answer", ["reject", "request_changes"])
def test_words_of_a_reviewer_reach_the_next_draft(answer: str):
    skill = builders.skill(State.DRAFT)
    review = reviews.open_review(
        ReviewKind.DRAFT, capability=skill.capability, version=skill.current_version, actor=builders.SYSTEM
    )
    said: dict[str, Any] = {"reason" if answer == "reject" else "comment": "Name the carrier in full."}
    getattr(reviews, answer)(review, by=builders.person("reviewer"), seen_digest=review.subject_digest, **said)
    assert [one["words"] for one in drafting._said(skill)] == ["Name the carrier in full."]


def test_words_of_a_reviewer_reach_the_next_evolution(openai_stub: Any):
    models = Models(openai_stub)
    skill = degraded()
    successes(skill)
    review = reviews.open_review(
        ReviewKind.EVOLUTION, capability=skill.capability, version=skill.current_version, actor=builders.SYSTEM
    )
    words = "It has to say NEW in capitals."
    reviews.reject(review, by=builders.person("reviewer"), reason=words, seen_digest=review.subject_digest)
    models.replies = [mends()]
    try_once(skill)
    assert words in models.asked[0]


def test_an_evaluation_is_what_the_promotion_asks_about(openai_stub: Any):
    """The row that the pipeline writes is the row that the promotion reads."""
    skill = eligible()
    assert skill.current_version is not None
    evidence.record(skill, digest=skill.current_version.digest, inputs_digest="c" * 64, results=[], evidence={})
    promotions.consider(skill.pk)
    assert state_of(skill) == State.SANDBOX
