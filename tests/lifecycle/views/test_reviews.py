"""The page of a review: what it shows, how it is decided with and without JavaScript, and what is refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from donna_skills.accounts.models import User
from donna_skills.audit.models import AuditEvent
from lifecycle.models import Fixture, Review, ReviewKind, ReviewState, Skill
from lifecycle.services import reviews, subjects
from lifecycle.states import State
from tests import builders
from tests.lifecycle.services import questions
from tests.lifecycle.views import reviewing

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def person() -> User:
    return builders.person("reviewer", name="vera")


@pytest.fixture
def reviewer(client: Client, person: User) -> Client:
    client.force_login(person)
    return client


def page_of(client: Client, review: Review, query: str = "") -> str:
    return " ".join(client.get(f"/review/{review.pk}/{query}").content.decode().split())


def decide(client: Client, review: Review, act: str, *, htmx: bool = False, **sent: Any) -> Any:
    data = {"seen_digest": subjects.seen_digest(review), **sent}
    return client.post(f"/review/{review.pk}/{act}/", data, headers=HTMX if htmx else {})


def test_hostile_text_is_shown_and_does_nothing(reviewer: Client):
    prompt = "Say <script>alert(1)</script> \u202e{{ inputs.text }} " + "long " * 3_000
    skill = builders.skill(State.TRUSTED)
    review = reviewing.draft(skill, files=builders.step_package(skill.capability.name, prompt=prompt))
    for query in ("", "?diff=side"):
        page = page_of(reviewer, review, query)
        assert "<script>alert" not in page and "\u202e" not in page
        assert "&lt;script&gt;alert(1)" in page and ">U+202E</span>" in page
        assert "1 hidden character" in page
        assert len(page) < 120_000


def test_the_version_is_held_against_the_one_that_serves_word_by_word(reviewer: Client):
    skill = builders.skill(State.TRUSTED)
    review = reviewing.draft(
        skill, files=builders.step_package(skill.capability.name, prompt="Label this well: {{ inputs.text }}")
    )
    page = page_of(reviewer, review)
    assert "Version 2 against version 1." in page
    assert "<ins> well</ins>" in page and "Show it side by side" in page
    assert "What serves now stops, until the new version has earned as much trust." in page
    side = reviewer.get(f"/review/{review.pk}/?diff=side", headers=HTMX)
    assert "<html" not in side.content.decode() and "diff-sides" in side.content.decode()
    assert "HX-Request" in side.headers["Vary"]


def test_the_evidence_is_told_with_n_interval_and_cost(reviewer: Client):
    review = reviewing.draft()
    case = {"name": "one", "split": "train", "passed": False, "problems": ["label is missing"], "output": {"x": 1}}
    gate = {
        "gate": "fixtures", "status": "BLOCK", "cost_usd": "0.04",
        "reasons": [{"code": "FIXTURES_FAILED", "message": "7 of 10 pass.", "status": "BLOCK"}],
        "figures": {"passed": 7, "total": 10, "newly_failing": ["one"]},
    }  # fmt: skip
    reviewing.said(review, "BLOCK", gates=[gate], cases=[case, {"name": "two", "passed": None}], replays=[])
    page = page_of(reviewer, review)
    assert "FIXTURES_FAILED" in page and "Passed: 7 of 10" in page and "0.70 <span" in page and "n 10)" in page
    assert "0 of 2 examples pass, 1 gave no answer." in page
    assert "label is missing" in page and "No answer" in page and "$0.04" in page
    assert "it needs a fix before it can be approved" in page and "/approve/" not in page


@pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])
def test_a_yes_takes_effect_and_leads_on_to_the_next_which_tells_of_it(reviewer: Client, htmx: bool):
    review, following = reviewing.draft(), reviewing.promotion()
    answer = decide(reviewer, review, "approve", comment="Reads well.", keep_gate="on", htmx=htmx)
    onwards = f"/review/{following.pk}/?after={review.pk}"
    assert (answer.headers["HX-Redirect"] if htmx else answer.url) == onwards
    skill = Skill.objects.get(pk=review.skill_id)
    assert (skill.state, skill.requires_human_gate) == (State.SANDBOX, True)
    page = " ".join(reviewer.get(onwards).content.decode().split())
    assert "went to the sandbox." in page and "Was that wrong?" in page
    assert "Decided" in page_of(reviewer, review) and "Reads well." in page_of(reviewer, review)


def test_the_last_answer_leads_back_to_the_queue(reviewer: Client):
    review = reviewing.promotion()
    answer = decide(reviewer, review, "reject", reason="Too early.")
    assert answer.url == f"/review/?after={review.pk}"
    page = reviewer.get(answer.url).content.decode()
    assert "stayed where it was" in page and "Nothing waits for you" in page


def test_a_no_without_a_reason_brings_the_form_back_with_the_rest_of_the_page(reviewer: Client):
    review = reviewing.draft()
    answer = decide(reviewer, review, "reject", reason="  ")
    assert answer.status_code == 422
    assert "Say why." in answer.content.decode() and "What changes" in answer.content.decode()
    fragment = decide(reviewer, review, "reject", reason="", htmx=True)
    assert fragment.status_code == 422 and fragment.content.decode().count('id="decision"') == 1
    assert "<html" not in fragment.content.decode()
    assert Review.objects.get(pk=review.pk).state == ReviewState.OPEN


def test_changes_are_asked_for_and_it_is_set_aside_until_a_day(reviewer: Client):
    review = reviewing.draft()
    assert decide(reviewer, review, "changes", comment="Say it in two lines.").status_code == 302
    assert Review.objects.get(pk=review.pk).state == ReviewState.CHANGES_REQUESTED
    other = reviewing.promotion()
    day = (timezone.now() + timedelta(days=3)).date()
    assert decide(reviewer, other, "aside", until=day.isoformat()).status_code == 302
    other.refresh_from_db()
    assert other.set_aside_until and other.set_aside_until.date() == day and other.state == ReviewState.OPEN
    assert "Bring it back now" in page_of(reviewer, other)
    reviewer.post(f"/review/{other.pk}/bring-back/")
    assert Review.objects.get(pk=other.pk).set_aside_until is None
    refused = decide(reviewer, other, "aside", until="2020-01-01")
    assert refused.status_code == 422 and "Say until when." in refused.content.decode()
    assert decide(reviewer, other, "aside", until="soon").status_code == 422


@pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])
def test_the_second_of_two_sees_who_was_first(reviewer: Client, htmx: bool):
    review = reviewing.draft()
    seen = subjects.seen_digest(review)
    reviews.reject(review, by=builders.person("reviewer", name="anna"), reason="No.", seen_digest=seen)
    answer = decide(reviewer, review, "approve", htmx=htmx)
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "already by anna" in page and "was refused and never runs" in page
    assert 'class="button button-primary wide"' not in page


def test_what_has_changed_meanwhile_has_to_be_looked_at_before_it_is_decided(reviewer: Client):
    review = reviewing.draft()
    seen = subjects.seen_digest(review)
    Fixture.objects.filter(skill=review.skill).update(assertions=[])
    answer = reviewer.post(
        f"/review/{review.pk}/reject/", {"seen_digest": seen, "reason": "My long reason."}, headers=HTMX
    )
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "The fixtures that it is held against have changed." in page and "Look at it as it is now" in page
    assert "<form" not in page
    again = page_of(reviewer, review)
    assert "My long reason." in again and subjects.seen_digest(review) in again
    plain = reviewer.post(f"/review/{review.pk}/approve/", {"seen_digest": seen})
    assert plain.status_code == 409 and subjects.seen_digest(review) in plain.content.decode()
    assert Review.objects.get(pk=review.pk).state == ReviewState.OPEN


@pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])
def test_a_session_that_ends_in_the_middle_loses_no_words(client: Client, person: User, htmx: bool):
    review = reviewing.draft()
    answer = decide(client, review, "reject", reason="A reason that took a while.", htmx=htmx)
    login = answer.headers["HX-Redirect"] if htmx else answer.url
    assert login == f"/login/?next=%2Freview%2F{review.pk}%2F"
    back = client.post(login, {"username": "vera", "password": "correct horse"}, follow=True)
    page = back.content.decode()
    assert "You had been logged out, and nothing was decided." in page
    assert "A reason that took a while." in page
    assert Review.objects.get(pk=review.pk).state == ReviewState.OPEN
    decide(client, review, "reject", reason="A reason that took a while.")
    assert "review_words" not in client.session or str(review.pk) not in client.session["review_words"]


def test_opening_writes_nothing_and_the_claim_is_a_post_of_its_own(reviewer: Client, person: User):
    review = reviewing.draft()
    page = page_of(reviewer, review)
    assert 'hx-trigger="load, submit"' in page
    assert Review.objects.get(pk=review.pk).claimed_by is None
    fragment = reviewer.post(f"/review/{review.pk}/claim/", headers=HTMX).content.decode()
    assert "Others see for 15 min that you are looking." in fragment and "<html" not in fragment
    other = Client()
    other.force_login(builders.person("reviewer", name="anna"))
    assert "vera is looking at it, 15 min left." in page_of(other, review)
    assert other.post(f"/review/{review.pk}/claim/").status_code == 302
    assert Review.objects.get(pk=review.pk).claimed_by == person
    other.post(f"/review/{review.pk}/take-over/")
    assert "anna is looking" in reviewer.get(f"/review/{review.pk}/looking/").content.decode()
    assert AuditEvent.objects.filter(action="review.taken_over").count() == 1


def test_only_who_may_is_offered_anything_and_a_forged_post_is_refused(client: Client):
    review = reviewing.draft()
    for role, offered in {"viewer": False, "author": False, "reviewer": True, "admin": True}.items():
        client.force_login(builders.person(role))
        page = page_of(client, review)
        assert ("/approve/" in page) is offered, role
        assert ("/edit/" in page) is (role in {"author", "admin"}), role
    client.force_login(builders.person("viewer"))
    assert decide(client, review, "approve").status_code == 403
    assert decide(client, review, "approve", htmx=True).status_code == 422
    assert client.get(f"/review/{review.pk}/approve/").status_code == 405
    assert client.post(f"/review/{review.pk}/destroy/").status_code == 404
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(builders.person("reviewer"))
    assert strict.post(f"/review/{review.pk}/approve/").status_code == 403
    assert Review.objects.get(pk=review.pk).state == ReviewState.OPEN


def test_nobody_is_offered_a_yes_to_their_own_work_but_an_admin_the_emergency(client: Client):
    admin = builders.person("admin")
    client.force_login(admin)
    review = reviewing.draft(by=admin)
    page = page_of(client, review)
    assert "You wrote or triggered version 2 yourself" in page and "/approve/" not in page and "/glass/" in page
    assert decide(client, review, "approve").status_code == 403
    assert decide(client, review, "glass", reason="It burns.").status_code == 302
    decided = Review.objects.get(pk=review.pk)
    assert (decided.state, decided.glass_broken) == (ReviewState.APPROVED, True)
    follow_up = Review.objects.get(kind=ReviewKind.FOLLOW_UP)
    assert "Undo what was done" in page_of(client, follow_up)


def test_a_flag_shows_how_the_version_agreed_and_asks_to_save_or_degrade(reviewer: Client):
    skill = builders.skill(State.FLAGGED_FOR_REVIEW)
    for agreement in (0.9, 0.2, None):
        builders.divergence(skill, agreement)
    moved = skill.transitions.first()
    assert moved is not None
    review = reviews.open_flag(skill, moved, actor=builders.SYSTEM, summary="It slipped.", evidence={})
    page = page_of(reviewer, review)
    assert f"Save {skill.capability.name}" in page and f"Degrade {skill.capability.name}" in page
    assert 'data-chart="agreement-data"' in page and "0.50 <span" in page and "n 2)" in page
    assert "No file changes" in page and "/changes/" not in page


def test_a_capability_shows_what_it_promises(reviewer: Client):
    made = builders.capability(granted_tools=["web_fetch"])
    review = reviews.open_review(ReviewKind.CAPABILITY, capability=made, actor=builders.SYSTEM, summary="Alike.")
    page = page_of(reviewer, review)
    assert "Its skills may call: web_fetch." in page and "becomes active: bots may ask for it." in page


def test_a_promotion_tells_what_it_led_to(reviewer: Client):
    review = reviewing.promotion()
    assert "becomes live, shadowed." in page_of(reviewer, review)
    decide(reviewer, review, "approve")
    assert "became live, shadowed." in page_of(reviewer, review)


def test_an_evolved_version_says_what_it_fixes_and_breaks_case_by_case(reviewer: Client):
    skill = builders.skill(State.TRUSTED)
    case = builders.divergence(skill, 0.2, reference_output={"label": "greeting"})
    version = builders.version(skill, current=False)
    review = reviews.open_review(
        ReviewKind.EVOLUTION,
        capability=skill.capability,
        version=version,
        actor=builders.SYSTEM,
        summary="It is better.",
        evidence={"fixes": 1, "breaks": 0},
    )
    line = {"id": str(case.pk), "run_id": str(case.run_id), "before": 0.2, "now": None, "because": "It timed out."}
    reviewing.said(review, "HOLD", targeted=[{**line, "output": None, "reference_output": {"label": "greeting"}}])
    page = page_of(reviewer, review)
    assert "Fixes 1 case, breaks 0." in page
    assert "Cases that went wrong before" in page and "It timed out." in page and "No answer" in page
    assert "until they do, a person is asked before each promotion" in page


def test_the_first_of_two_approvals_is_kept_and_told(reviewer: Client, person: User, settings: Any, tmp_path: Any):
    questions.two_persons(settings, tmp_path)
    made = builders.capability(granted_tools=["web_fetch"])
    review = reviews.open_review(ReviewKind.CAPABILITY, capability=made, actor=builders.SYSTEM, summary="Alike.")
    onwards = decide(reviewer, review, "approve").url
    assert "a second person has to approve it too" in reviewer.get(onwards).content.decode()
    again = decide(reviewer, review, "approve", htmx=True)
    assert again.status_code == 409 and "You have approved it already" in again.content.decode()
    other = Client()
    other.force_login(builders.person("reviewer"))
    assert "vera approved it" in page_of(other, review)
    decide(other, review, "approve")
    assert Review.objects.get(pk=review.pk).state == ReviewState.APPROVED


def test_where_a_draft_came_from_is_told_with_its_arithmetic(reviewer: Client):
    skill = builders.skill()
    builders.candidate(skill)
    review = reviewing.draft(Skill.objects.for_page().get(pk=skill.pk))
    page = page_of(reviewer, review)
    assert "200 calls × $0.10 in 30 days cost $20.00" in page and '<strong class="number">$17.00</strong>' in page
    assert "The first version of this skill" in page
    answer = reviewer.post(f"/review/{review.pk}/verify/")
    assert answer.status_code == 302 and answer.url.startswith("/jobs/")


def test_the_number_of_queries_does_not_grow_with_the_past(reviewer: Client, django_assert_max_num_queries: Any):
    skill = builders.skill(State.TRUSTED)

    def queries(more: int) -> int:
        for _ in range(more):
            review = reviewing.draft(
                skill, files=builders.step_package(skill.capability.name, changelog=f"{skill.versions.count()}")
            )
            builders.divergence(skill, 0.9)
        page_of(reviewer, review)  # what never changes is read once by each process
        with django_assert_max_num_queries(45) as counted:
            page_of(reviewer, review)
        return len(counted)

    assert queries(2) == queries(5)
