"""What a skill lacks for its next state, in every state: meeting exactly that, and nothing besides, makes the move."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from donna_skills.accounts.actors import Actor
from donna_skills.errors import Conflict
from lifecycle import selectors
from lifecycle.models import GateVerdict, Review, Skill
from lifecycle.services import candidates, drafts, evolutions, reviews, skills
from lifecycle.states import State
from tests import builders
from tests.lifecycle import guests
from tests.lifecycle.services import questions
from tests.lifecycle.services.evolving import Models, degraded, mends

pytestmark = pytest.mark.django_db


def fresh(skill: Skill) -> Skill:
    return Skill.objects.for_page().get(pk=skill.pk)


def said(skill: Skill) -> tuple[State | None, list[str]]:
    found = selectors.why_not(fresh(skill))
    assert found.as_dict()["unmet"] == [{"code": one.code, "message": one.message} for one in found.unmet]
    assert all(one.message.endswith(".") for one in found.unmet)
    return found.next_state, [one.code for one in found.unmet]


def hand_in(skill: Skill) -> None:
    files = builders.step_package(skill.capability.name, changelog=f"Number {skill.versions.count() + 1}.")
    skills.submit_version(fresh(skill), files=files, actor=Actor.person(builders.person("author")))


def answer(skill: Skill, *, yes: bool = True) -> Review:
    review = Review.objects.open().get(skill=skill)
    by, seen = builders.person("reviewer"), reviews.seen_digest(review)
    if yes:
        return reviews.approve(review, by=by, seen_digest=seen)
    return reviews.request_changes(review, by=by, comment="Shorter.", seen_digest=seen)


def been_through(skill: Skill) -> list[str]:
    return list(skill.transitions.order_by("id").values_list("to_state", flat=True))


def found_by_detection(skill: Skill) -> None:
    guests.answer(skill.capability)
    candidates.detect(timezone.now())


def drafted(skill: Skill) -> None:
    candidate = skill.capability.candidates.get()
    drafts.write(candidate, actor=drafts.ACTOR, now=timezone.now())


@pytest.mark.parametrize("meet", [hand_in, found_by_detection])
def test_from_the_reference_model(meet: Callable[[Skill], None]):
    skill = guests.capability().skill
    assert said(skill) == (State.SKILL_CANDIDATE, ["no_version"])
    meet(skill)
    assert State.SKILL_CANDIDATE in been_through(skill)


@pytest.mark.parametrize("meet", [hand_in, drafted])
def test_from_candidate(meet: Callable[[Skill], None]):
    skill = guests.candidate().capability.skill
    assert said(skill) == (State.DRAFT, ["no_version"])
    meet(skill)
    assert fresh(skill).state == State.DRAFT


def test_from_draft():
    skill = builders.skill()
    hand_in(skill)
    assert said(skill) == (State.SANDBOX, ["needs_approval"])
    answer(skill)
    assert fresh(skill).state == State.SANDBOX


def test_from_draft_although_it_is_paused():
    """A pause stops serving and promotion; an approved draft is tried unseen all the same."""
    skill = builders.skill()
    hand_in(skill)
    skills.pause(fresh(skill), actor=Actor.person(builders.person("operator")))
    assert said(skill) == (State.SANDBOX, ["needs_approval"])
    answer(skill)
    assert (fresh(skill).state, fresh(skill).paused) == (State.SANDBOX, True)
    assert "paused" in said(skill)[1]


def test_from_a_draft_that_the_gates_block():
    skill = builders.skill()
    hand_in(skill)
    questions.gates_say(GateVerdict.BLOCK, fresh(skill).current_version)
    assert said(skill) == (State.SANDBOX, ["gate_blocked"])
    with pytest.raises(Conflict):
        answer(skill)
    hand_in(skill)
    assert said(skill) == (State.SANDBOX, ["needs_approval"])
    answer(skill)
    assert fresh(skill).state == State.SANDBOX


def test_from_a_draft_that_was_sent_back():
    skill = builders.skill()
    hand_in(skill)
    answer(skill, yes=False)
    assert said(skill) == (State.SANDBOX, ["changes_requested"])
    hand_in(skill)
    assert said(skill) == (State.SANDBOX, ["needs_approval"])
    answer(skill)
    assert fresh(skill).state == State.SANDBOX


@pytest.mark.parametrize("switch", ["", "paused", "gated", "disabled"])
def test_from_flagged(switch: str, settings: Any, tmp_path: Any):
    """Saving is a person's word, which neither a pause nor a gate nor the master switch keeps back."""
    for state in (State.SHADOW_PRIMARY, State.TRUSTED):
        skill = builders.skill(state)
        Skill.objects.filter(pk=skill.pk).update(paused=switch == "paused", requires_human_gate=switch == "gated")
        reviewer = Actor.person(builders.person("reviewer"))
        skills.request_move(
            fresh(skill), to_state=State.FLAGGED_FOR_REVIEW, reason="manual_override", actor=reviewer, note="Odd."
        )
        if switch == "disabled":
            (tmp_path / "skills.yaml").write_text("enabled: false\n")
            settings.CONFIG_DIR = tmp_path
        assert said(skill) == (state, ["needs_decision"])
        answer(skill)
        assert fresh(skill).state == state


def test_from_degraded(openai_stub: Any):
    by_hand, at_night = degraded(), degraded()
    assert said(by_hand) == said(at_night) == (State.DRAFT, ["no_version"])
    hand_in(by_hand)
    Models(openai_stub).replies = [mends()]
    evolutions.attempt(at_night, actor=Actor.system("nightly"), now=timezone.now())
    assert (fresh(by_hand).state, fresh(at_night).state) == (State.DRAFT, State.DRAFT)


def test_from_trusted_there_is_nothing_more_to_earn():
    assert said(builders.skill(State.TRUSTED)) == (None, [])


@pytest.mark.parametrize("state", list(State))
def test_it_takes_few_queries_in_every_state(state: State, django_assert_max_num_queries: Any):
    skill = fresh(builders.skill(state))
    with django_assert_max_num_queries(6):
        selectors.why_not(skill)
