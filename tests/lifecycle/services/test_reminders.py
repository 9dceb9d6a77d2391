"""Reminders: who hears that reviews wait, and that nobody hears it too often."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from donna_skills.accounts.models import User
from donna_skills.entities import new_id
from donna_skills.notifications import inbox
from donna_skills.notifications.models import Event, Notification
from lifecycle.models import GateVerdict, Review, ReviewKind, ReviewState
from lifecycle.services import reminders, reviews
from lifecycle.states import State
from tests import builders

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture
def now() -> datetime:
    return timezone.now()


def asked(*, since: timedelta = timedelta(0), author: User | None = None, **fields: Any) -> Review:
    """A draft that waits for a decision since then."""
    skill = builders.skill(State.DRAFT, author=author)
    review = reviews.open_review(
        ReviewKind.DRAFT, capability=skill.capability, version=skill.current_version, actor=builders.SYSTEM
    )
    Review.objects.filter(pk=review.pk).update(opened_at=timezone.now() - since, **fields)
    return review


def told(person: User) -> list[str]:
    lines = Notification.objects.filter(person=person, event__kind=reminders.KIND).order_by("created_at")
    return [line.title for line in lines]


def outcomes(now: datetime, **options: Any) -> dict[str, str]:
    return {line.capability: line.outcome for line in reminders.send(now, **options).lines}


def test_only_those_who_may_decide_are_told_what_waits_and_for_how_long(now: datetime):
    people = {role: builders.person(role) for role in ("viewer", "operator", "author", "reviewer", "admin")}
    asked(since=2 * DAY + timedelta(hours=3))
    asked()
    asked()
    reminders.send(now)
    sentence = "3 drafts wait for you, the oldest for 2 days"
    expected = {"viewer": [], "operator": [], "author": [], "reviewer": [sentence], "admin": [sentence]}
    assert {role: told(person) for role, person in people.items()} == expected
    assert Notification.objects.filter(event__kind=reminders.KIND).first().url == "/review/"  # type: ignore[union-attr]


def test_nothing_is_said_when_nothing_waits(now: datetime):
    reviewer = builders.person("reviewer")
    assert outcomes(now) == {reviewer.username: "free"}
    assert not Event.objects.filter(kind=reminders.KIND).exists()


def test_what_is_set_aside_or_needs_a_fix_or_is_ones_own_work_does_not_wait(now: datetime):
    reviewer, colleague = builders.person("reviewer"), builders.person("reviewer")
    asked(set_aside_until=now + DAY)
    asked(verdict=GateVerdict.BLOCK)
    asked(author=reviewer)
    asked(asked_by=reviewer)
    assert outcomes(now) == {reviewer.username: "free", colleague.username: "reminded"}
    assert told(colleague) == ["2 drafts wait for you, the oldest for a few minutes"]


def test_a_person_is_told_at_most_once_in_twenty_four_hours(now: datetime):
    reviewer = builders.person("reviewer")
    asked()
    assert outcomes(now) == {reviewer.username: "reminded"}
    asked()
    for later in (timedelta(0), timedelta(hours=1), timedelta(hours=23)):
        assert outcomes(now + later) == {reviewer.username: "quiet"}
    assert outcomes(now + DAY) == {reviewer.username: "reminded"}
    assert len(told(reviewer)) == 2


def test_one_nights_reminder_is_not_lost_because_the_night_before_took_longer(now: datetime):
    reviewer = builders.person("reviewer")
    asked()
    reminders.send(now)
    asked()
    assert outcomes(now + DAY - timedelta(minutes=10)) == {reviewer.username: "reminded"}


def test_nobody_is_told_again_of_the_same_until_something_is_overdue(now: datetime):
    reviewer = builders.person("reviewer")
    asked()
    assert outcomes(now) == {reviewer.username: "reminded"}
    assert outcomes(now + 2 * DAY) == {reviewer.username: "quiet"}
    assert outcomes(now + 4 * DAY) == {reviewer.username: "reminded"}


def test_something_new_is_worth_a_reminder(now: datetime):
    reviewer = builders.person("reviewer")
    asked()
    reminders.send(now)
    asked()
    assert outcomes(now + 2 * DAY) == {reviewer.username: "reminded"}
    assert told(reviewer)[-1].startswith("2 drafts wait for you")


def test_a_dry_run_says_who_would_be_told_and_tells_nobody(now: datetime):
    reviewer = builders.person("reviewer")
    asked()
    assert outcomes(now, dry_run=True) == {reviewer.username: "reminded"}
    assert told(reviewer) == []
    assert outcomes(now) == {reviewer.username: "reminded"}


@pytest.mark.parametrize(
    ("kinds", "sentence"),
    [
        ({"flag": 1}, "1 flag has waited for you for 5 hours."),
        ({"draft": 2}, "2 drafts wait for you, the oldest for 5 hours."),
        ({"draft": 3, "flag": 1}, "3 drafts and 1 flag wait for you, the oldest for 5 hours."),
        (
            {"draft": 3, "flag": 2, "rollback": 1},
            "3 drafts, 2 flags and 1 rollback wait for you, the oldest for 5 hours.",
        ),
        ({"capability": 2}, "2 capabilities wait for you, the oldest for 5 hours."),
    ],
)  # fmt: skip
def test_the_sentence_counts_by_kind(now: datetime, kinds: dict[str, int], sentence: str):
    since = now - timedelta(hours=5, minutes=40)
    rows = [
        reminders.Waiting(new_id(), kind, since, None, None) for kind, number in kinds.items() for _ in range(number)
    ]
    assert reminders.sentence(rows, now=now) == sentence


def test_the_queries_do_not_grow_with_what_waits(now: datetime):
    builders.person("reviewer")

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            reminders.send(now, dry_run=True)
        return len(captured)

    asked()
    few = queries()
    for _ in range(6):
        asked()
        builders.person("reviewer")
    assert queries() == few <= 4


def log_in(person: User) -> str:
    """What the page after log-in says."""
    answer = Client().post(reverse("login"), {"username": person.username, "password": "correct horse"}, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def test_who_logs_in_reads_what_waits_and_is_not_told_twice(now: datetime):
    reviewer, author = builders.person("reviewer"), builders.person("author")
    asked(since=2 * DAY)
    sentence = "1 draft has waited for you for 2 days."
    assert sentence in log_in(reviewer)
    assert sentence not in log_in(reviewer)
    assert outcomes(now) == {reviewer.username: "quiet"}
    assert told(reviewer) == []  # read on the page, and in no inbox
    assert "waited for you" not in log_in(author)


def test_who_logs_in_after_a_reminder_reads_it_on_the_page(now: datetime):
    reviewer = builders.person("reviewer")
    asked(since=2 * DAY)
    reminders.send(now)
    assert "1 draft has waited for you for 2 days." in log_in(reviewer)
    assert "waited for you" not in log_in(reviewer)
    assert not Notification.objects.filter(person=reviewer, event__kind=reminders.KIND, read_at=None).exists()


def test_a_reminder_of_what_was_decided_meanwhile_is_not_repeated_at_log_in(now: datetime):
    reviewer = builders.person("reviewer")
    review = asked()
    reminders.send(now)
    Review.objects.filter(pk=review.pk).update(state=ReviewState.SUPERSEDED)
    assert "waited for you" not in log_in(reviewer)


def test_log_in_works_where_reminders_are_unwanted(now: datetime):
    reviewer = builders.person("reviewer")
    asked()
    inbox.prefer(reviewer, way=inbox.Way.INBOX, enabled=False, event_kind=reminders.KIND)
    reminders.send(now)
    assert "waited for you" not in log_in(reviewer)
