"""Approving and rejecting: bound to what was seen, one decision, never one's own work."""

from __future__ import annotations

import pytest

from donna_skills.accounts.actors import Actor
from donna_skills.audit.models import AuditEvent
from donna_skills.errors import AlreadyDecided, Invalid, NotPermitted, StaleState
from donna_skills.notifications.models import Notification
from lifecycle.models import CapabilityStatus, Review, ReviewKind, ReviewState, Skill, SkillVersion, VersionStatus
from lifecycle.services import capabilities, reviews, skills
from lifecycle.states import State
from tests import builders

pytestmark = pytest.mark.django_db


@pytest.fixture
def draft():
    """A bot handed in the first version of a skill."""
    token, _ = builders.bot_token()
    skill = builders.capability().skill
    files = builders.step_package(skill.capability.name)
    version, review = skills.submit_version(skill, files=files, actor=Actor.bot(token), changelog="A first try.")
    return version, review


def test_handing_in_a_version_moves_an_idle_skill_to_draft_and_asks_the_reviewers_once(draft):
    reviewer = builders.person("reviewer")
    version, review = draft
    skill = Skill.objects.get(pk=version.skill_id)
    assert (skill.state, skill.current_version_id) == (State.DRAFT, version.pk)
    assert [row.to_state for row in skill.transitions.order_by("id")] == [State.SKILL_CANDIDATE, State.DRAFT]
    assert (review.kind, review.state, review.subject_digest) == (ReviewKind.DRAFT, ReviewState.OPEN, version.digest)

    again = reviews.open_review(ReviewKind.DRAFT, capability=skill.capability, version=version, actor=builders.SYSTEM)

    assert again.pk == review.pk
    assert Notification.objects.filter(person=reviewer).count() == 0  # hired after the question was asked


def test_approving_takes_the_draft_to_the_sandbox_and_lifts_the_gate(draft):
    version, review = draft
    by = builders.person("reviewer")

    decided = reviews.approve(review, by=by, comment="Reads well.", seen_digest=version.digest)

    skill = Skill.objects.get(pk=version.skill_id)
    assert (skill.state, skill.requires_human_gate) == (State.SANDBOX, False)
    assert (decided.state, decided.decided_by, decided.comment) == (ReviewState.APPROVED, by, "Reads well.")
    last = skill.transitions.order_by("-id").first()
    assert (last.person, last.evidence["digest"]) == (by, version.digest)


def test_keep_gate_asks_again_before_each_promotion(draft):
    version, review = draft
    reviews.approve(review, by=builders.person("reviewer"), seen_digest=version.digest, keep_gate=True)
    assert Skill.objects.get(pk=version.skill_id).requires_human_gate is True


def test_an_approval_of_what_was_not_seen_decides_nothing(draft):
    version, review = draft
    with pytest.raises(StaleState):
        reviews.approve(review, by=builders.person("reviewer"), seen_digest="0" * 64)
    assert Review.objects.get(pk=review.pk).state == ReviewState.OPEN
    assert Skill.objects.get(pk=version.skill_id).state == State.DRAFT
    assert AuditEvent.objects.order_by("-seq").first().action == "review.approve.refused"


def test_the_second_decision_is_told_who_was_first(draft):
    version, review = draft
    first = builders.person("reviewer", name="vera")
    reviews.approve(review, by=first, seen_digest=version.digest)
    with pytest.raises(AlreadyDecided, match="vera"):
        reviews.reject(review, by=builders.person("reviewer"), reason="No.", seen_digest=version.digest)
    assert Skill.objects.get(pk=version.skill_id).state == State.SANDBOX


@pytest.mark.parametrize("role", ["viewer", "operator", "author"])
def test_only_those_who_may_decide_can(draft, role):
    version, review = draft
    with pytest.raises(NotPermitted):
        reviews.approve(review, by=builders.person(role), seen_digest=version.digest)


def test_an_author_cannot_approve_their_own_draft_and_the_review_stays_open():
    admin = builders.person("admin")
    skill = builders.capability().skill
    files = builders.step_package(skill.capability.name)
    version, review = skills.submit_version(skill, files=files, actor=Actor.person(admin))
    with pytest.raises(NotPermitted, match="yourself"):
        reviews.approve(review, by=admin, seen_digest=version.digest)
    assert Review.objects.get(pk=review.pk).state == ReviewState.OPEN


def test_rejecting_needs_a_reason_and_returns_the_skill_to_the_reference(draft):
    version, review = draft
    by = builders.person("reviewer")
    with pytest.raises(Invalid):
        reviews.reject(review, by=by, reason="  ", seen_digest=version.digest)

    reviews.reject(review, by=by, reason="It invents dates.", seen_digest=version.digest)

    assert Skill.objects.get(pk=version.skill_id).state == State.CLAUDE_NATIVE
    assert SkillVersion.objects.get(pk=version.pk).status == VersionStatus.REJECTED


def test_a_newer_draft_supersedes_the_one_that_waits(draft):
    version, review = draft
    skill = Skill.objects.select_related("capability", "current_version").get(pk=version.skill_id)
    files = builders.step_package(skill.capability.name, changelog="Better.")

    newer, second = skills.submit_version(skill, files=files, actor=Actor.person(builders.person("author")))

    assert Review.objects.get(pk=review.pk).state == ReviewState.SUPERSEDED
    assert SkillVersion.objects.get(pk=version.pk).status == VersionStatus.SUPERSEDED
    assert Skill.objects.get(pk=skill.pk).current_version_id == newer.pk
    with pytest.raises(AlreadyDecided):
        reviews.approve(review, by=builders.person("reviewer"), seen_digest=version.digest)
    assert second.version_id == newer.pk


def test_a_new_version_of_a_live_skill_waits_while_the_old_one_serves_and_then_earns_trust_anew():
    skill = builders.skill(State.TRUSTED)
    old = skill.current_version
    author = Actor.person(builders.person("author"))
    files = builders.step_package(skill.capability.name, changelog="Second.")

    newer, review = skills.submit_version(skill, files=files, actor=author)
    served = Skill.objects.get(pk=skill.pk)
    assert (served.state, served.current_version_id) == (State.TRUSTED, old.pk)

    reviews.approve(review, by=builders.person("reviewer"), seen_digest=newer.digest)

    served.refresh_from_db()
    assert (served.state, served.current_version_id) == (State.SANDBOX, newer.pk)
    assert SkillVersion.objects.get(pk=old.pk).status == VersionStatus.SUPERSEDED
    states = [row.to_state for row in served.transitions.order_by("id")][-4:]
    assert states == [State.CLAUDE_NATIVE, State.SKILL_CANDIDATE, State.DRAFT, State.SANDBOX]


def test_a_capability_that_resembles_another_waits_for_a_person():
    author = Actor.person(builders.person("author"))
    given = {"input_schema": builders.TEXT_IN, "output_schema": builders.LABEL_OUT}
    builders.capability("label_mails", description="Sorts incoming mails into support, sales and noise.")
    twin = capabilities.register(
        "sort_mails", description="Sorts incoming mails into support, sales and noise.", actor=author, **given
    )
    assert twin.status == CapabilityStatus.PENDING_REVIEW
    review = Review.objects.get(kind=ReviewKind.CAPABILITY)
    assert "label_mails" in review.summary

    reviews.approve(review, by=builders.person("reviewer"), seen_digest=review.subject_digest)

    twin.refresh_from_db()
    assert twin.status == CapabilityStatus.ACTIVE
