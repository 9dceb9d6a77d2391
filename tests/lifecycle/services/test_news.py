"""What people are told of the loop: each event once, to whom it concerns, again only when it comes true again."""

from __future__ import annotations

import ast
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as shipped
from django.utils import timezone

from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import User
from donna_skills.notifications.models import Event, Notification
from lifecycle.models import GateVerdict, Review, ReviewKind, RunPath, Skill
from lifecycle.services import candidates, degradations, drafts, evidence, promotions, reviews, rollbacks, transitions
from lifecycle.states import Reason, State
from tests import builders
from tests.lifecycle import guests
from tests.lifecycle.services.evolving import Models, degraded, try_once

pytestmark = pytest.mark.django_db

PACKAGES = ["donna_skills", "lifecycle", "automations"]


@pytest.fixture(autouse=True)
def reviewer() -> User:
    """Somebody who may decide, pause and resume; is told all of this."""
    return builders.person("reviewer")


def told(person: User, kind: str, **of_event: Any) -> list[str]:
    lines = Notification.objects.filter(person=person, event__kind=kind, **of_event)
    assert kind in shipped.NOTICE_KINDS, "nobody could choose how to be told of it"
    assert all(line.dedup_key for line in lines)
    return [line.title for line in lines.order_by("created_at")]


def fresh(skill: Skill) -> Skill:
    return Skill.objects.for_page().get(pk=skill.pk)


def by_somebody() -> Actor:
    return Actor.person(builders.person("reviewer"))


def test_a_draft(reviewer: User):
    writer = builders.person("author")
    candidate = guests.candidate()
    drafts.write(candidate, actor=drafts.ACTOR, now=timezone.now())
    drafts.sweep(now=timezone.now(), budget_usd=Decimal(5))
    candidates.detect(timezone.now())
    assert told(reviewer, "review.opened") == ["A new draft of guest_notes waits for a decision"]
    assert told(writer, "draft.accepted") == ["A skill for guest_notes was drafted"]
    assert told(reviewer, "draft.accepted") == []  # the question says it already


def test_a_verdict_that_changes_and_not_one_that_is_found_again(reviewer: User):
    skill = builders.skill(State.DRAFT)
    version = skill.current_version
    for number, verdict in enumerate(["HOLD", "HOLD", "BLOCK", "BLOCK", "HOLD"]):
        code = {"HOLD": "REPLAY_REPORT_MISSING", "BLOCK": "SAFETY_SECRET"}[verdict]
        reason = evidence.gates.GateReason(code, f"Said the {number}. time.", status=verdict)
        result = evidence.GateResult("static", (reason,))
        evidence.record(skill, digest=version.digest, inputs_digest=f"{number:0>64}", results=[result], evidence={})
    name = skill.capability.name
    verdicts = [f"The gates {word} version 1 of {name}" for word in ("hold", "block", "hold")]
    assert told(reviewer, "gates.decided") == verdicts
    assert evidence.latest(skill, version.digest).verdict == GateVerdict.HOLD


def test_each_stage_of_release_and_only_those(reviewer: User):
    skill = builders.skill(State.DRAFT)
    name = skill.capability.name
    assert told(reviewer, "skill.state_changed") == []
    Skill.objects.filter(pk=skill.pk).update(requires_human_gate=False)
    skill = fresh(skill)
    transitions.move(skill, State.SANDBOX, reason=Reason.HUMAN_APPROVAL, actor=by_somebody())
    for _ in range(20):
        builders.run(skill, path=RunPath.SANDBOX)
    promotions.consider(skill.pk)
    promotions.consider(skill.pk)
    assert told(reviewer, "skill.state_changed") == [
        f"{name} is now: sandbox, unseen",
        f"{name} is now: live, shadowed",
    ]
    newest = Notification.objects.filter(person=reviewer).latest("created_at")
    assert newest.body.startswith(
        "It answers, and every answer is compared with the reference. Before: sandbox, unseen."
    )
    assert "The gates passed" in newest.body


def test_whoever_makes_a_move_is_not_told_of_it(reviewer: User):
    skill = builders.skill(State.DRAFT)
    transitions.move(skill, State.SANDBOX, reason=Reason.HUMAN_APPROVAL, actor=Actor.person(reviewer))
    assert told(reviewer, "skill.state_changed") == []
    assert Event.objects.filter(kind="skill.state_changed", payload__to=State.SANDBOX).count() == 1


def test_a_flag_is_told_as_the_question_that_it_is(reviewer: User):
    skill = builders.skill(State.TRUSTED)
    baseline = {"baseline_mean": 0.95, "baseline_success_rate": 1.0, "baseline_n": 100}
    Skill.objects.filter(pk=skill.pk).update(**baseline, baseline_version=skill.current_version)
    for _ in range(30):
        builders.divergence(skill, 0.0)
    for _ in range(2):
        degradations.sweep(timezone.now())
    assert told(reviewer, "review.opened") == [f"{skill.capability.name} was flagged and waits for a decision"]
    assert told(reviewer, "skill.state_changed", event__payload__to=State.FLAGGED_FOR_REVIEW) == []


def test_a_rollback_of_many_moves_is_one_line(reviewer: User):
    skill = builders.skill(State.TRUSTED)
    first, name = skill.current_version, skill.capability.name
    second = builders.version(skill, current=False)
    review = reviews.open_review(ReviewKind.DRAFT, capability=skill.capability, version=second, actor=builders.SYSTEM)
    reviews.approve(review, by=builders.person("reviewer"), seen_digest=review.subject_digest)
    assert told(reviewer, "skill.state_changed", event__payload__version_id=str(second.pk)) == [
        f"{name} is now: sandbox, unseen"
    ]
    before = len(told(reviewer, "skill.state_changed"))
    rollbacks.roll_back(fresh(skill), first, actor=by_somebody(), note="The second is worse.")
    assert told(reviewer, "skill.rolled_back") == [f"{name} was rolled back to version 1"]
    assert len(told(reviewer, "skill.state_changed")) == before
    assert fresh(skill).state == State.SHADOW_PRIMARY


def test_a_skill_that_is_eligible_and_waits(reviewer: User):
    skill = builders.skill(State.SANDBOX)
    for _ in range(20):
        builders.run(skill, path=RunPath.SANDBOX)
    Skill.objects.filter(pk=skill.pk).update(requires_human_gate=True)
    for _ in range(3):
        promotions.consider(skill.pk)
        promotions.sweep()
    assert told(reviewer, "review.opened") == [f"{skill.capability.name} is eligible and waits for a decision"]
    assert Review.objects.count() == 1


def test_an_evolution_that_was_refused_twice(reviewer: User, openai_stub: Any):
    skill = degraded()
    Models(openai_stub).replies = ["no"] * 2
    try_once(skill)
    assert told(reviewer, "evolution.given_up") == []
    try_once(skill)
    assert told(reviewer, "evolution.given_up") == [f"Evolving {skill.capability.name} was refused 2 times"]


def test_every_kind_that_tells_people_can_be_chosen():
    """A kind that the settings do not name would stand in everybody's preferences under its bare code."""
    told = set()
    for path in (path for package in PACKAGES for path in Path(package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "events.publish":
                kind = node.args[0]
                if isinstance(kind, ast.Constant) and any(given.arg == "notify" for given in node.keywords):
                    told.add(kind.value)
    assert {"review.opened", "skill.rolled_back", "nightly.failed", "automation.paused"} & told
    assert told - set(shipped.NOTICE_KINDS) == set()
