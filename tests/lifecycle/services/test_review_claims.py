"""Who is looking, and what waits for another day."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from donna_skills.audit.models import AuditEvent
from donna_skills.errors import AlreadyDecided, Conflict, Invalid, NotPermitted
from lifecycle import review_selectors
from lifecycle.models import Review, ReviewState
from lifecycle.services import reviews
from tests import builders
from tests.lifecycle.services import questions

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


def test_a_claim_names_who_looks_for_a_quarter_of_an_hour_and_can_be_renewed():
    review, vera = questions.draft(), builders.person("reviewer", name="vera")
    now = timezone.now()

    assert reviews.claim(review, by=vera, now=now).claimed_until == now + 15 * MINUTE
    assert reviews.claim(review, by=vera, now=now + 5 * MINUTE).claimed_until == now + 20 * MINUTE

    with pytest.raises(Conflict, match=r"vera is looking at it, for another 3 min") as refused:
        reviews.claim(review, by=builders.person("reviewer"), now=now + 17.5 * MINUTE)
    assert refused.value.code == "claimed"


def test_a_claim_that_ran_out_or_was_given_back_is_anybodys():
    review, first, second = questions.draft(), builders.person("reviewer"), builders.person("reviewer")
    now = timezone.now()
    reviews.claim(review, by=first, now=now)
    assert reviews.claim(review, by=second, now=now + 15 * MINUTE).claimed_by == second

    reviews.release(review, by=first)  # not theirs any more
    assert Review.objects.get(pk=review.pk).claimed_by == second
    assert reviews.release(review, by=second).claimed_by is None
    assert reviews.claim(review, by=first).claimed_by == first


def test_taking_over_is_recorded_and_taking_what_nobody_holds_is_not():
    review, first, second = questions.draft(), builders.person("reviewer"), builders.person("admin")
    assert reviews.take_over(review, by=first).claimed_by == first
    assert not AuditEvent.objects.filter(action="review.taken_over").exists()

    assert reviews.take_over(review, by=second).claimed_by == second

    row = AuditEvent.objects.get(action="review.taken_over")
    assert (row.data["from"], row.actor_user_id) == (str(first), second.pk)


def test_deciding_needs_no_claim_and_ends_one():
    review, holder, other = questions.draft(), builders.person("reviewer"), builders.person("reviewer")
    reviews.claim(review, by=holder)
    decided = reviews.approve(review, by=other, seen_digest=review.subject_digest)
    assert (decided.state, Review.objects.get(pk=review.pk).claimed_by) == (ReviewState.APPROVED, None)
    for act in (reviews.claim, reviews.take_over):
        with pytest.raises(AlreadyDecided, match=str(other)):
            act(review, by=holder)


@pytest.mark.parametrize("act", [reviews.claim, reviews.take_over, reviews.bring_back])
def test_those_who_may_not_decide_claim_nothing(act):
    with pytest.raises(NotPermitted):
        act(questions.draft(), by=builders.person("author"))


def test_what_is_set_aside_leaves_the_queue_and_comes_back_by_itself():
    review, by = questions.draft(), builders.person("reviewer")
    now = timezone.now()
    reviews.claim(review, by=by)

    aside = reviews.set_aside(review, by=by, until=now + timedelta(days=3), comment="After the audit.", now=now)

    assert (aside.state, aside.claimed_by) == (ReviewState.OPEN, None)
    assert not review_selectors.review_list(now=now).exists()
    assert review_selectors.review_list(now=now, set_aside=True).get() == review
    assert review_selectors.review_list(now=now + timedelta(days=3)).get() == review
    assert AuditEvent.objects.get(action="review.set_aside").data["comment"] == "After the audit."

    reviews.bring_back(review, by=by)
    assert review_selectors.review_list(now=now).get() == review
    reviews.bring_back(review, by=by)
    assert AuditEvent.objects.filter(action="review.brought_back").count() == 1


@pytest.mark.parametrize("ahead", [timedelta(0), -MINUTE, timedelta(days=367)])
def test_setting_aside_takes_a_time_ahead_within_a_year(ahead):
    review, now = questions.draft(), timezone.now()
    with pytest.raises(Invalid):
        reviews.set_aside(review, by=builders.person("reviewer"), until=now + ahead, now=now)
    assert Review.objects.get(pk=review.pk).set_aside_until is None


def test_what_is_decided_cannot_be_set_aside():
    review, by = questions.draft(), builders.person("reviewer")
    reviews.reject(review, by=by, reason="No.", seen_digest=review.subject_digest)
    with pytest.raises(AlreadyDecided):
        reviews.set_aside(review, by=by, until=timezone.now() + MINUTE)
