"""Every door to a decision: what a forged, late or misplaced request can do, which is nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from donna_skills.audit.models import AuditEvent
from lifecycle.models import Review, ReviewKind, ReviewState, RiskTier, Skill
from lifecycle.services import claims, reviews, subjects
from lifecycle.states import State
from tests import builders
from tests.lifecycle.services import questions
from tests.lifecycle.views import reviewing

pytestmark = pytest.mark.django_db

ACTS = ("approve", "reject", "changes", "aside", "glass")
DOORS = (*ACTS, "claim", "take-over", "release", "bring-back", "verify", "edit", "edit/check")


def flag() -> Review:
    skill = builders.skill(State.FLAGGED_FOR_REVIEW)
    moved = skill.transitions.first()
    assert moved is not None
    return reviews.open_flag(skill, moved, actor=builders.SYSTEM, summary="It slipped.", evidence={})


def rollback() -> Review:
    skill = builders.skill(State.DEGRADED)
    healthy = skill.current_version
    builders.version(skill)
    return reviews.open_review(
        ReviewKind.ROLLBACK, capability=skill.capability, version=healthy, actor=builders.SYSTEM, summary="It served."
    )


def evolution() -> Review:
    skill = builders.skill(State.DEGRADED)
    version = builders.version(skill, current=False)
    return reviews.open_review(
        ReviewKind.EVOLUTION, capability=skill.capability, version=version, actor=builders.SYSTEM, summary="Better."
    )


def follow_up() -> Review:
    admin = builders.person("admin")
    review = reviewing.draft(by=admin)
    reviews.break_glass(review, by=admin, reason="It burns.", seen_digest=subjects.seen_digest(review))
    return Review.objects.get(kind=ReviewKind.FOLLOW_UP)


KINDS = {
    "draft": reviewing.draft,
    "evolution": evolution,
    "promotion": reviewing.promotion,
    "flag": flag,
    "rollback": rollback,
    "capability": questions.capability_review,
    "follow_up": follow_up,
}


def everything(review: Review) -> tuple[object, ...]:
    """What a forged request must not change."""
    row = Review.objects.values("state", "comment", "decided_by", "claimed_by", "claimed_until", "set_aside_until")
    skill = Skill.objects.filter(pk=review.skill_id).values("state", "current_version")
    return (row.get(pk=review.pk), list(skill), AuditEvent.objects.count(), Review.objects.count())


def sent(review: Review) -> dict[str, str]:
    day = (timezone.now() + timedelta(days=2)).date().isoformat()
    return {"seen_digest": subjects.seen_digest(review), "reason": "No.", "comment": "Words.", "until": day}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_listed_opened_without_a_trace_and_decided(client: Client, kind: str):
    review = KINDS[kind]()
    assert review.kind == kind
    client.force_login(builders.person("reviewer"))
    before = everything(review)
    assert f"/review/{review.pk}/" in client.get(f"/review/?kind={kind}").content.decode()
    page = client.get(f"/review/{review.pk}/")
    assert page.status_code == 200 and f"/review/{review.pk}/approve/" in page.content.decode()
    assert everything(review) == before
    assert client.post(f"/review/{review.pk}/approve/", sent(review)).status_code == 302
    assert Review.objects.get(pk=review.pk).state == ReviewState.APPROVED
    after = client.get(f"/review/{review.pk}/").content.decode()
    assert "Decided" in after and "/approve/" not in after


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_gates_block_is_offered_no_yes_whatever_is_asked(client: Client, kind: str):
    review = KINDS[kind]()
    if review.version is None:
        return
    questions.gates_say("BLOCK", review.version)
    client.force_login(builders.person("admin"))
    page = client.get(f"/review/{review.pk}/").content.decode()
    assert "/approve/" not in page and "/glass/" not in page and "/reject/" in page
    answer = client.post(f"/review/{review.pk}/approve/", sent(review))
    assert answer.status_code == 409 and Review.objects.get(pk=review.pk).state == ReviewState.OPEN


def test_no_door_opens_by_a_get_and_none_without_the_token_of_the_form(client: Client):
    review = reviewing.draft()
    admin = builders.person("admin")
    strict = Client(enforce_csrf_checks=True)
    for browser in (client, strict):
        browser.force_login(admin)
    before = everything(review)
    for door in DOORS:
        assert client.get(f"/review/{review.pk}/{door}/").status_code == (200 if door == "edit" else 405), door
        assert strict.post(f"/review/{review.pk}/{door}/", sent(review)).status_code == 403, door
    assert strict.post("/review/bulk/", {"id": review.pk, f"seen-{review.pk}": "x"}).status_code == 403
    assert everything(review) == before


def test_a_bots_token_opens_no_page_and_a_log_in_is_asked_for_at_every_door(client: Client):
    review = reviewing.draft()
    secret = builders.bot_token()[1]
    before = everything(review)
    for door in DOORS:
        for headers in ({}, builders.headers(secret), builders.headers(secret, **{"HX-Request": "true"})):
            answer = client.post(f"/review/{review.pk}/{door}/", sent(review), headers=headers)
            asked = answer.headers.get("HX-Redirect") or answer.headers.get("Location", "")
            refused = answer.status_code == 403 and door.startswith("edit")
            assert asked.startswith("/login/?next=") or refused, door
    assert everything(review) == before


@pytest.mark.parametrize("act", [*ACTS, "bring-back"])
def test_a_decided_review_is_decided(client: Client, act: str):
    review = reviewing.draft()
    reviews.reject(review, by=builders.person("reviewer"), reason="No.", seen_digest=subjects.seen_digest(review))
    admin = builders.person("admin")
    client.force_login(admin)
    before = everything(review)[:2]
    answer = client.post(f"/review/{review.pk}/{act}/", sent(review))
    assert answer.status_code == (302 if act == "bring-back" else 409), act
    assert everything(review)[:2] == before


def test_a_colleagues_claim_is_neither_given_back_nor_in_the_way(client: Client):
    review, colleague = reviewing.draft(), builders.person("reviewer")
    claims.claim(review, by=colleague)
    client.force_login(builders.person("reviewer"))
    client.post(f"/review/{review.pk}/release/")
    assert Review.objects.get(pk=review.pk).claimed_by == colleague
    assert client.post(f"/review/{review.pk}/approve/", sent(review)).status_code == 302
    assert Review.objects.get(pk=review.pk).state == ReviewState.APPROVED


def test_a_digest_of_another_review_is_none_of_this_one_and_bulk_takes_low_risk_only(client: Client):
    one, other = reviewing.draft(), reviewing.promotion(risk=RiskTier.HIGH)
    client.force_login(builders.person("reviewer"))
    stale = client.post(f"/review/{one.pk}/approve/", sent(other))
    assert stale.status_code == 409
    client.post("/review/bulk/", {"id": other.pk, f"seen-{other.pk}": subjects.seen_digest(other)})
    assert set(Review.objects.values_list("state", flat=True)) == {ReviewState.OPEN}
