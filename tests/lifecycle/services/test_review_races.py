"""Many people deciding at once: one decision, and a truthful answer to everybody else."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

import pytest
from django.db import connection

from donna_skills.accounts.models import User
from donna_skills.audit.models import AuditEvent
from donna_skills.errors import AlreadyDecided, DonnaError
from lifecycle.models import Review, ReviewKind, ReviewState, Skill
from lifecycle.services import reviews
from lifecycle.states import State
from tests import builders
from tests.lifecycle.services import questions

pytestmark = pytest.mark.django_db(transaction=True)
MANY = 50


def all_at_once(people: list[User], act: Callable[[User], Review]) -> list[Review | DonnaError]:
    """Everybody acts in a thread and a connection of their own, none before all are there."""
    answers: list[Review | DonnaError] = []
    start = threading.Barrier(len(people))

    def one(person: User) -> None:
        start.wait()
        try:
            answers.append(act(person))
        except DonnaError as refused:
            answers.append(refused)
        finally:
            connection.close()

    threads = [threading.Thread(target=one, args=[person]) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_of_fifty_that_decide_at_once_one_does_and_the_others_are_told_who():
    review = questions.draft()
    people = [builders.person("reviewer") for _ in range(MANY)]

    def decide(person: User) -> Review:
        if people.index(person) % 2:
            return reviews.reject(review, by=person, reason="No.", seen_digest=review.subject_digest)
        return reviews.approve(review, by=person, seen_digest=review.subject_digest)

    answers = all_at_once(people, decide)

    truth = Review.objects.get(pk=review.pk)
    assert Counter(type(answer) for answer in answers) == {Review: 1, AlreadyDecided: MANY - 1}
    told = {answer.message for answer in answers if isinstance(answer, AlreadyDecided)}
    assert told == {f"It is {truth.get_state_display().lower()} already by {truth.decided_by}."}
    assert AuditEvent.objects.filter(action__in=["review.approved", "review.rejected"]).count() == 1
    expected = State.SANDBOX if truth.state == ReviewState.APPROVED else State.CLAUDE_NATIVE
    assert Skill.objects.get(pk=review.skill_id).state == expected


def test_of_two_first_approvals_at_once_one_comes_second(settings, tmp_path):
    questions.two_persons(settings, tmp_path)
    capability = builders.capability(granted_tools=["web_fetch"])
    review = reviews.open_review(ReviewKind.CAPABILITY, capability=capability, actor=builders.SYSTEM)
    people = [builders.person("reviewer") for _ in range(2)]

    def approve(person: User) -> Review:
        return reviews.approve(review, by=person, seen_digest=review.subject_digest)

    answers = all_at_once(people, approve)

    states = sorted(answer.state for answer in answers if isinstance(answer, Review))
    assert states == [ReviewState.APPROVED, ReviewState.OPEN]
    assert review.approvals.count() == 2


def test_a_new_version_and_the_approval_of_the_old_one_never_wait_for_each_other():
    review = questions.draft()
    author, reviewer = builders.person("author"), builders.person("reviewer")

    def act(person: User) -> Review:
        if person == author:
            return questions.draft(review.skill, by=author)
        return reviews.approve(review, by=person, seen_digest=review.subject_digest)

    answers = all_at_once([author, reviewer], act)

    assert all(isinstance(answer, Review | AlreadyDecided) or answer.status == 409 for answer in answers)
    assert Review.objects.open().count() == 1
