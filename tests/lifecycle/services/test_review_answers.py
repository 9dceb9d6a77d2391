"""What an answer is bound to, what the gates keep from being approved, and what a no leaves behind."""

from __future__ import annotations

import pytest

from donna_skills.accounts.actors import Actor
from donna_skills.audit.models import AuditEvent
from donna_skills.errors import AlreadyDecided, Conflict, Invalid, NotPermitted, StaleState
from donna_skills.notifications.models import Event, Notification
from lifecycle.models import Review, ReviewKind, ReviewState, Skill, SkillVersion, VersionStatus
from lifecycle.services import reviews, skills, walks
from lifecycle.states import State
from tests import builders
from tests.lifecycle.services import questions

pytestmark = pytest.mark.django_db


def reviewer():
    return builders.person("reviewer")


def changed(error: pytest.ExceptionInfo) -> list[tuple[str, str]]:
    return [(one.path, one.code) for one in error.value.errors]


def test_as_long_as_nothing_changes_the_digest_of_the_files_is_what_one_has_seen():
    review = questions.draft()
    assert reviews.seen_digest(review) == review.subject_digest == review.version.digest


def test_fixtures_that_changed_since_one_looked_are_named_and_nothing_is_decided():
    review = questions.draft()
    seen = reviews.seen_digest(review)
    questions.fixture(review.skill)

    with pytest.raises(StaleState) as refused:
        reviews.approve(review, by=reviewer(), seen_digest=seen)

    assert changed(refused) == [("fixtures", "changed")]
    assert Review.objects.get(pk=review.pk).state == ReviewState.OPEN
    looked_again = reviews.seen_digest(Review.objects.get(pk=review.pk))
    assert looked_again != seen
    reviews.approve(review, by=reviewer(), seen_digest=looked_again)


def test_another_version_in_force_than_the_one_compared_with_is_named():
    skill = builders.skill(State.TRUSTED)
    review = questions.draft(skill)
    seen = reviews.seen_digest(review)
    other = builders.version(skill, current=False)
    walks.make_current(skill, other)

    with pytest.raises(StaleState) as refused:
        reviews.approve(review, by=reviewer(), seen_digest=seen)

    assert ("base", "changed") in changed(refused)
    assert Skill.objects.get(pk=skill.pk).state == State.TRUSTED


@pytest.mark.parametrize("seen", ["", "0" * 64, "é", "..", "0" * 64 + ".a.b.c"])
def test_whatever_else_is_given_as_seen_was_not_seen(seen):
    review = questions.draft()
    with pytest.raises(StaleState) as refused:
        reviews.approve(review, by=reviewer(), seen_digest=seen)
    assert ("files", "changed") in changed(refused)


def test_a_question_about_a_state_is_bound_to_no_fixtures():
    skill = builders.skill(State.SANDBOX)
    asked = reviews.open_review(
        ReviewKind.PROMOTION,
        capability=skill.capability,
        version=skill.current_version,
        actor=builders.SYSTEM,
        evidence={"to_state": State.SHADOW_PRIMARY},
        occasion="once",
    )
    questions.fixture(skill)
    reviews.approve(asked, by=reviewer(), seen_digest=asked.subject_digest)
    assert Skill.objects.get(pk=skill.pk).state == State.SHADOW_PRIMARY


def test_what_the_gates_block_cannot_be_approved_but_rejected():
    review = questions.draft()
    questions.gates_say("BLOCK", review.version)

    with pytest.raises(Conflict) as refused:
        reviews.approve(review, by=reviewer(), seen_digest=review.subject_digest)

    assert refused.value.code == "gate_blocked"
    assert Skill.objects.get(pk=review.skill_id).state == State.DRAFT
    reviews.reject(review, by=reviewer(), reason="It leaks.", seen_digest=review.subject_digest)
    assert Skill.objects.get(pk=review.skill_id).state == State.CLAUDE_NATIVE


@pytest.mark.parametrize("verdict", ["HOLD", ""])
def test_on_hold_or_without_evidence_a_draft_goes_to_the_sandbox_and_the_decision_says_so(verdict):
    review = questions.draft()
    if verdict:
        questions.gates_say(verdict, review.version)

    decided = reviews.approve(review, by=reviewer(), seen_digest=review.subject_digest)

    skill = Skill.objects.get(pk=review.skill_id)
    assert (decided.verdict, skill.state, skill.serves) == (verdict, State.SANDBOX, False)
    assert skill.transitions.order_by("-id").first().evidence["verdict"] == (verdict or "none")


def test_the_newest_word_of_the_gates_counts_and_stands_on_the_open_review():
    review = questions.draft()
    questions.gates_say("BLOCK", review.version)
    questions.gates_say("PASS", review.version)
    assert Review.objects.get(pk=review.pk).verdict == "PASS"
    reviews.approve(review, by=reviewer(), seen_digest=review.subject_digest)
    questions.gates_say("HOLD", review.version)
    assert Review.objects.get(pk=review.pk).verdict == "PASS"  # as it was when it was decided


def test_a_question_about_files_that_the_gates_know_opens_with_their_verdict():
    skill = builders.skill(State.DRAFT)
    questions.gates_say("PASS", skill.current_version)
    asked = reviews.open_review(
        ReviewKind.DRAFT, capability=skill.capability, version=skill.current_version, actor=builders.SYSTEM
    )
    assert asked.verdict == "PASS"


def test_a_version_that_is_sent_back_waits_in_draft_until_the_next_one_asks_again():
    author = builders.person("author")
    review = questions.draft(by=author)
    by = reviewer()

    decided = reviews.request_changes(
        review, by=by, comment="Keep the dates as they are.", seen_digest=review.subject_digest
    )

    skill = Skill.objects.for_page().get(pk=review.skill_id)
    assert (decided.state, decided.decided_by, skill.state) == (ReviewState.CHANGES_REQUESTED, by, State.DRAFT)
    told = Notification.objects.get(person=author, event__kind="review.decided")
    assert told.body == "Keep the dates as they are."
    with pytest.raises(AlreadyDecided, match=str(by)):
        reviews.approve(review, by=reviewer(), seen_digest=review.subject_digest)

    again = questions.draft(skill, by=author)

    assert (again.state, again.pk == review.pk) == (ReviewState.OPEN, False)
    assert SkillVersion.objects.get(pk=review.version_id).status == VersionStatus.SUPERSEDED
    reviews.approve(again, by=by, seen_digest=again.subject_digest)
    assert Skill.objects.get(pk=skill.pk).current_version_id == again.version_id


def test_changes_take_words_a_version_and_somebody_who_may_decide():
    review = questions.draft()
    with pytest.raises(Invalid):
        reviews.request_changes(review, by=reviewer(), comment=" ", seen_digest=review.subject_digest)
    with pytest.raises(NotPermitted):
        reviews.request_changes(review, by=builders.person("author"), comment="x", seen_digest=review.subject_digest)
    asked = questions.capability_review()
    with pytest.raises(Conflict):
        reviews.request_changes(asked, by=reviewer(), comment="Shorter.", seen_digest=asked.subject_digest)
    assert set(Review.objects.values_list("state", flat=True)) == {ReviewState.OPEN}
    assert AuditEvent.objects.filter(action="review.request_changes.refused").count() == 2


def test_what_was_said_about_a_skill_is_there_for_the_next_draft_newest_first():
    first = questions.draft()
    reviews.reject(first, by=reviewer(), reason="It invents dates.", seen_digest=first.subject_digest)
    second = questions.draft(first.skill)
    reviews.request_changes(second, by=reviewer(), comment="Name the zone.", seen_digest=second.subject_digest)
    questions.draft()  # another skill's, and open

    said = reviews.said_about(first.skill)

    assert [(one.words, one.decision, one.version) for one in said] == [
        ("Name the zone.", "changes_requested", 2),
        ("It invents dates.", "rejected", 1),
    ]
    assert [one.words for one in reviews.said_about(first.skill, limit=1)] == ["Name the zone."]


def test_a_new_draft_rings_once_and_its_author_hears_of_the_decision():
    by, author = reviewer(), builders.person("author")
    review = questions.draft(by=author)
    skill = review.skill
    reviews.open_review(ReviewKind.DRAFT, capability=skill.capability, version=review.version, actor=builders.SYSTEM)

    line = Notification.objects.get(person=by)
    assert line.title == f"A new draft of {skill.capability.name} waits for a decision"
    assert Notification.objects.filter(person=author).count() == 0

    reviews.approve(review, by=by, comment="Good.", seen_digest=review.subject_digest)

    assert Notification.objects.get(person=author).title.endswith(f"approved by {by}")
    assert Event.objects.filter(kind="review.decided").get().payload["decision"] == "approved"
    assert Notification.objects.filter(person=by).count() == 1  # nobody is told what they did


def test_the_owner_of_a_bot_answers_for_its_draft():
    owner = builders.person("admin")
    token, _ = builders.bot_token(owner=owner)
    skill = builders.capability().skill
    files = builders.step_package(skill.capability.name)
    _, review = skills.submit_version(skill, files=files, actor=Actor.bot(token))
    assert review.asked_by == owner
    with pytest.raises(NotPermitted) as refused:
        reviews.approve(review, by=owner, seen_digest=review.subject_digest)
    assert refused.value.code == "own_work"
    reviews.reject(review, by=owner, reason="Withdrawn.", seen_digest=review.subject_digest)
