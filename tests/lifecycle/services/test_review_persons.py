"""Nobody alone: one's own work, two persons for high risk, and the glass that can be broken once."""

from __future__ import annotations

import pytest

from donna_skills.accounts.models import User
from donna_skills.audit.models import AuditEvent
from donna_skills.errors import Conflict, Invalid, NotPermitted, StaleState
from donna_skills.notifications.models import Level, Notification
from lifecycle.models import CapabilityStatus, Review, ReviewKind, ReviewState, RiskTier, Skill
from lifecycle.services import reviews
from lifecycle.states import State
from tests import builders
from tests.lifecycle.services import questions

pytestmark = pytest.mark.django_db


def risky(**given) -> Review:
    """A first version with wider inputs, on a skill that served before: two ordinary reasons, so high."""
    skill = builders.skill(State.TRUSTED)
    name = skill.capability.name
    files = builders.step_package(name, prompt="\n".join(f"{n} {{{{ inputs.more }}}}" for n in range(40)))
    return questions.draft(skill, **{"steps/answer.md": files["steps/answer.md"], **given})


def approve(review: Review, by: User, **more) -> Review:
    return reviews.approve(review, by=by, seen_digest=reviews.seen_digest(review), **more)


def test_the_risk_of_a_version_stands_on_its_review():
    assert questions.draft().risk == RiskTier.MEDIUM
    found = risky()
    assert found.risk == RiskTier.HIGH
    assert [reason["code"] for reason in found.risk_reasons] == ["INPUTS_WIDENED", "LARGE_CHANGE"]
    small = questions.draft(builders.skill(State.TRUSTED))
    assert (small.risk, small.risk_reasons) == (RiskTier.LOW, [])


def test_where_it_is_not_asked_for_one_person_is_enough():
    assert approve(risky(), builders.person("reviewer")).state == ReviewState.APPROVED


def test_high_risk_takes_two_persons_where_that_is_asked_for(settings, tmp_path):
    questions.two_persons(settings, tmp_path)
    review, first, second = risky(), builders.person("reviewer"), builders.person("reviewer")

    waits = approve(review, first, comment="Fine by me.", keep_gate=True)

    assert (waits.state, review.skill.state) == (ReviewState.OPEN, State.TRUSTED)
    assert Notification.objects.filter(person=second, title__endswith="waits for a second approval").exists()
    with pytest.raises(Conflict) as refused:
        approve(review, first)
    assert refused.value.code == "second_approval_needed"

    assert approve(review, second).state == ReviewState.APPROVED

    skill = Skill.objects.get(pk=review.skill_id)
    assert (skill.state, skill.requires_human_gate) == (State.SANDBOX, True)  # one of them wanted to be asked again
    assert list(review.approvals.values_list("by", flat=True)) == [first.pk, second.pk]


def test_an_approval_of_something_else_is_not_the_first_of_two(settings, tmp_path):
    questions.two_persons(settings, tmp_path)
    review, first, second = risky(), builders.person("reviewer"), builders.person("reviewer")
    approve(review, first)
    questions.fixture(review.skill)
    assert approve(review, second).state == ReviewState.OPEN
    assert approve(review, first).state == ReviewState.APPROVED


def test_a_rejection_takes_one_and_low_risk_takes_one(settings, tmp_path):
    questions.two_persons(settings, tmp_path)
    review = risky()
    reviews.reject(review, by=builders.person("reviewer"), reason="No.", seen_digest=review.subject_digest)
    assert approve(questions.draft(), builders.person("reviewer")).state == ReviewState.APPROVED


def test_who_asks_for_a_capability_does_not_approve_it():
    admin = builders.person("admin")
    asked = questions.capability_review(by=admin)
    with pytest.raises(NotPermitted) as refused:
        approve(asked, admin)
    assert refused.value.code == "own_work"
    approve(asked, builders.person("reviewer"))


def test_in_an_emergency_one_person_goes_past_the_rule_and_everybody_is_told():
    admin, reviewer = builders.person("admin", name="root"), builders.person("reviewer")
    review = questions.draft(by=admin)

    decided = reviews.break_glass(
        review, by=admin, reason="The old prompt mails customers.", seen_digest=review.subject_digest
    )

    skill = Skill.objects.get(pk=review.skill_id)
    assert (decided.state, decided.glass_broken) == (ReviewState.APPROVED, True)
    assert (skill.state, skill.requires_human_gate) == (State.SANDBOX, True)
    loud = Notification.objects.get(person=reviewer, level=Level.ERROR)
    assert loud.title.startswith("Emergency: root approved")
    assert AuditEvent.objects.filter(action="review.glass_broken", actor_user_id=admin.pk).count() == 1

    follow_up = Review.objects.get(kind=ReviewKind.FOLLOW_UP)
    assert (follow_up.follow_up_of, follow_up.state, follow_up.risk) == (decided, ReviewState.OPEN, RiskTier.HIGH)
    with pytest.raises(NotPermitted):
        approve(follow_up, admin)
    with pytest.raises(Conflict):
        reviews.break_glass(follow_up, by=admin, reason="Again.", seen_digest=follow_up.subject_digest)
    approve(follow_up, reviewer)
    assert Skill.objects.get(pk=skill.pk).state == State.SANDBOX


def test_the_no_of_a_follow_up_takes_the_version_out_of_service():
    admin = builders.person("admin")
    review = questions.draft(by=admin)
    reviews.break_glass(review, by=admin, reason="Now.", seen_digest=review.subject_digest)
    follow_up = Review.objects.get(kind=ReviewKind.FOLLOW_UP)

    reviews.reject(
        follow_up, by=builders.person("reviewer"), reason="It was none.", seen_digest=follow_up.subject_digest
    )

    assert Skill.objects.get(pk=review.skill_id).state == State.CLAUDE_NATIVE


def test_a_capability_that_was_activated_past_a_rule_waits_again_after_a_no():
    admin = builders.person("admin")
    asked = questions.capability_review(by=admin)
    reviews.break_glass(asked, by=admin, reason="Now.", seen_digest=asked.subject_digest)
    asked.capability.refresh_from_db()
    assert asked.capability.status == CapabilityStatus.ACTIVE
    follow_up = Review.objects.get(kind=ReviewKind.FOLLOW_UP)

    reviews.reject(follow_up, by=builders.person("reviewer"), reason="A twin.", seen_digest=follow_up.subject_digest)

    asked.capability.refresh_from_db()
    assert asked.capability.status == CapabilityStatus.PENDING_REVIEW
    assert Review.objects.open().get().kind == ReviewKind.CAPABILITY


def test_a_follow_up_waits_beside_whatever_is_asked_next():
    admin = builders.person("admin")
    review = questions.draft(by=admin)
    reviews.break_glass(review, by=admin, reason="Now.", seen_digest=review.subject_digest)
    newer = questions.draft(review.skill, by=admin)
    reviews.break_glass(newer, by=admin, reason="And again.", seen_digest=reviews.seen_digest(newer))
    assert Review.objects.open().filter(kind=ReviewKind.FOLLOW_UP).count() == 2


def test_the_glass_takes_a_permission_a_reason_and_a_rule_in_the_way():
    admin, reviewer = builders.person("admin"), builders.person("reviewer")
    own, others = questions.draft(by=admin), questions.draft()
    with pytest.raises(NotPermitted):
        reviews.break_glass(own, by=reviewer, reason="Now.", seen_digest=own.subject_digest)
    with pytest.raises(Invalid):
        reviews.break_glass(own, by=admin, reason=" ", seen_digest=own.subject_digest)
    with pytest.raises(StaleState):
        reviews.break_glass(own, by=admin, reason="Now.", seen_digest="0" * 64)
    with pytest.raises(Conflict) as refused:
        reviews.break_glass(others, by=admin, reason="Now.", seen_digest=others.subject_digest)
    assert refused.value.code == "glass_not_needed"
    assert set(Review.objects.values_list("state", flat=True)) == {ReviewState.OPEN}


def test_no_emergency_opens_what_the_gates_block():
    admin = builders.person("admin")
    review = questions.draft(by=admin)
    questions.gates_say("BLOCK", review.version)
    with pytest.raises(Conflict) as refused:
        reviews.break_glass(review, by=admin, reason="Now.", seen_digest=review.subject_digest)
    assert refused.value.code == "gate_blocked"
    assert Skill.objects.get(pk=review.skill_id).state == State.DRAFT
