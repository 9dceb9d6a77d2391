"""What can be done in the admin is done by the services: who may, what happens, and what is said when it is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.http import HttpResponse
from django.test import Client

from donna_skills.accounts.models import User
from donna_skills.audit.models import AuditEvent
from donna_skills.jobs.models import JobStatus
from donna_skills.notifications.models import Delivery, DeliveryStatus
from lifecycle.models import Capability, CapabilityStatus, Review, ReviewKind, ReviewState, RunStatus, Skill, SkillRun
from lifecycle.services import capabilities, reviews
from lifecycle.states import State
from tests import builders
from tests.admin import addresses, rows

AsRole = Callable[..., Client]


def said(response: HttpResponse) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def person_of(client: Client) -> User:
    return User.objects.get(pk=client.session["_auth_user_id"])


def decision(review: Review, **fields: Any) -> dict[str, Any]:
    return {"seen_digest": review.subject_digest, **fields}


# --- Skills ----------------------------------------------------------------------------------------------------------


def test_pausing_a_skill_says_before_what_will_happen_and_after_what_did(as_role: AsRole) -> None:
    operator, skill = as_role("operator"), builders.skill(State.SANDBOX)
    asked = operator.get(addresses.act(skill, "pause"))
    assert "the reference model answers" in asked.content.decode()
    assert not Skill.objects.get(pk=skill.pk).paused
    done = operator.post(addresses.act(skill, "pause"), {"note": "Looks odd."})
    assert (done.status_code, done["Location"]) == (302, addresses.change(skill))
    assert "is paused" in said(done)
    assert Skill.objects.get(pk=skill.pk).paused
    event = AuditEvent.objects.get(action="skill.paused")
    assert (event.actor_user, event.data["note"]) == (person_of(operator), "Looks odd.")


def test_pausing_what_is_paused_shows_the_truth_as_a_conflict(as_role: AsRole) -> None:
    operator, skill = as_role("operator"), builders.skill(State.SANDBOX)
    operator.post(addresses.act(skill, "pause"))
    again = operator.post(addresses.act(skill, "pause"))
    assert again.status_code == 409
    assert "paused already" in again.content.decode()
    assert "nothing left to do" in again.content.decode()


def test_a_paused_skill_is_resumed(as_role: AsRole) -> None:
    operator, skill = as_role("operator"), builders.skill(State.SANDBOX)
    operator.post(addresses.act(skill, "pause"))
    assert operator.post(addresses.act(skill, "resume")).status_code == 302
    assert not Skill.objects.get(pk=skill.pk).paused


def test_buttons_are_shown_to_those_who_may_press_them_and_only_while_they_lead_somewhere(as_role: AsRole) -> None:
    skill = builders.skill(State.SANDBOX)
    offered = {
        role: [button["title"] for button in as_role(role).get(addresses.change(skill)).context["actions_detail"]]
        for role in ("viewer", "operator", "reviewer")
    }
    assert offered == {
        "viewer": [],
        "operator": ["Pause skill", "Improve skill"],
        "reviewer": ["Pause skill", "Improve skill", "Lift human gate"],
    }


@pytest.mark.parametrize("name", ["pause", "resume", "set-gate", "lift-gate"])
def test_a_viewer_can_press_no_button_of_a_skill(as_role: AsRole, name: str) -> None:
    viewer, skill = as_role("viewer"), builders.skill(State.SANDBOX)
    before = Skill.objects.filter(pk=skill.pk).values().get()
    assert viewer.get(addresses.act(skill, name)).status_code == 403
    assert viewer.post(addresses.act(skill, name)).status_code == 403
    assert Skill.objects.filter(pk=skill.pk).values().get() == before


def test_the_human_gate_is_lifted_and_set_by_a_reviewer(as_role: AsRole) -> None:
    reviewer, skill = as_role("reviewer"), builders.skill(State.SANDBOX)
    reviewer.post(addresses.act(skill, "lift-gate"))
    assert not Skill.objects.get(pk=skill.pk).requires_human_gate
    reviewer.post(addresses.act(skill, "set-gate"))
    assert Skill.objects.get(pk=skill.pk).requires_human_gate


def test_the_state_of_a_skill_cannot_be_sent_along(chief: Client) -> None:
    skill = builders.skill(State.DRAFT)
    assert chief.post(addresses.change(skill), {"state": State.TRUSTED, "_save": "Save"}).status_code == 403
    chief.post(addresses.act(skill, "pause"), {"state": State.TRUSTED, "current_version": ""})
    assert Skill.objects.get(pk=skill.pk).state == State.DRAFT


# --- Reviews ---------------------------------------------------------------------------------------------------------


def test_the_page_of_a_decision_shows_what_is_decided_on(as_role: AsRole) -> None:
    review = rows.review()
    page = as_role("reviewer").get(addresses.act(review, "approve")).content.decode()
    for shown in (
        review.subject_digest,
        "steps/answer.md",
        "Label this: {{ inputs.text }}",
        "goes to the sandbox",
    ):
        assert shown in page


def test_approving_a_draft_moves_the_skill_by_the_service(as_role: AsRole) -> None:
    reviewer, review = as_role("reviewer"), rows.review()
    done = reviewer.post(addresses.act(review, "approve"), decision(review, comment="Good.", keep_gate="on"))
    assert (done.status_code, done["Location"]) == (302, addresses.change(review))
    decided = Review.objects.get(pk=review.pk)
    assert (decided.state, decided.decided_by, decided.comment) == (ReviewState.APPROVED, person_of(reviewer), "Good.")
    skill = Skill.objects.get(pk=review.skill_id)
    assert (skill.state, skill.requires_human_gate) == (State.SANDBOX, True)


def test_approving_something_else_than_was_shown_decides_nothing(as_role: AsRole) -> None:
    reviewer, review = as_role("reviewer"), rows.review()
    answer = reviewer.post(addresses.act(review, "approve"), {"seen_digest": "0" * 64, "comment": "Fine."})
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "changed since you looked" in page
    assert f'value="{review.subject_digest}"' in page  # the form now stands for what is shown now
    assert "Fine." in page
    assert Review.objects.get(pk=review.pk).state == ReviewState.OPEN


def test_a_second_decision_sees_the_first(as_role: AsRole) -> None:
    first, second, review = as_role("reviewer"), as_role("reviewer"), rows.review()
    first.post(addresses.act(review, "reject"), decision(review, reason="It guesses."))
    answer = second.post(addresses.act(review, "approve"), decision(review))
    page = answer.content.decode()
    assert answer.status_code == 409
    assert f"rejected already by {person_of(first)}" in page
    assert 'name="seen_digest"' not in page
    assert Review.objects.get(pk=review.pk).decided_by == person_of(first)


def test_a_rejection_needs_a_reason(as_role: AsRole) -> None:
    reviewer, review = as_role("reviewer"), rows.review()
    for reason in ("", "   "):
        assert reviewer.post(addresses.act(review, "reject"), decision(review, reason=reason)).status_code == 422
    assert Review.objects.get(pk=review.pk).state == ReviewState.OPEN
    reviewer.post(addresses.act(review, "reject"), decision(review, reason="It guesses."))
    assert Review.objects.get(pk=review.pk).comment == "It guesses."


def test_nobody_approves_what_they_wrote(as_role: AsRole) -> None:
    admin = as_role("admin")
    skill = builders.skill(State.DRAFT, author=person_of(admin))
    review = reviews.open_review(
        ReviewKind.DRAFT, capability=skill.capability, version=skill.current_version, actor=builders.SYSTEM
    )
    answer = admin.post(addresses.act(review, "approve"), decision(review))
    assert answer.status_code == 403
    assert 'role="alert"' in answer.content.decode()
    assert Review.objects.get(pk=review.pk).state == ReviewState.OPEN
    assert Skill.objects.get(pk=skill.pk).state == State.DRAFT


@pytest.mark.parametrize("name", ["approve", "reject"])
@pytest.mark.parametrize("role", ["viewer", "operator", "author"])
def test_only_those_who_may_decide_get_the_form(as_role: AsRole, role: str, name: str) -> None:
    client, review = as_role(role), rows.review()
    assert client.get(addresses.act(review, name)).status_code == 403
    assert client.post(addresses.act(review, name), decision(review, reason="No.")).status_code == 403
    assert client.get(addresses.change(review)).context["actions_detail"] == []
    assert Review.objects.get(pk=review.pk).state == ReviewState.OPEN


def test_a_form_from_another_site_decides_nothing(as_role: AsRole) -> None:
    strict, review = Client(enforce_csrf_checks=True), rows.review()
    strict.force_login(person_of(as_role("reviewer")))
    assert strict.post(addresses.act(review, "approve"), decision(review)).status_code == 403
    assert Review.objects.get(pk=review.pk).state == ReviewState.OPEN


def test_what_a_skill_hides_is_spelt_out_and_never_runs(as_role: AsRole) -> None:
    capability = builders.capability()
    files = builders.step_package(capability.name, prompt="<script>alert(1)</script>\u202e{{ inputs.text }}")
    version = builders.version(capability.skill, files=files)
    review = reviews.open_review(
        ReviewKind.DRAFT, capability=capability, version=version, actor=builders.SYSTEM, summary="<b>\u200b</b>"
    )
    reviewer = as_role("reviewer")
    for url in (addresses.act(review, "approve"), addresses.change(review), addresses.change(version.files.all()[3])):
        page = reviewer.get(url).content.decode()
        assert "<script>alert" not in page and "<b>" not in page
        assert "\u202e" not in page and "\u200b" not in page
    assert "U+202E" in reviewer.get(addresses.act(review, "approve")).content.decode()


# --- Capabilities ----------------------------------------------------------------------------------------------------


def test_an_author_describes_a_capability_and_its_contract_stays(as_role: AsRole) -> None:
    author, capability = as_role("author"), builders.capability()
    before = (capability.name, capability.input_schema, capability.output_schema, capability.granted_tools)
    sent = {
        "description": "Labels mail.",
        "examples": "label this\n\n sort my mail ",
        "name": "other",
        "input_schema": "{}",
    }
    assert author.post(addresses.act(capability, "describe"), sent).status_code == 302
    now = Capability.objects.get(pk=capability.pk)
    assert (now.description, now.examples) == ("Labels mail.", ["label this", "sort my mail"])
    assert (now.name, now.input_schema, now.output_schema, now.granted_tools) == before
    assert AuditEvent.objects.get(action="capability.described").actor_user == person_of(author)


def test_a_blank_description_is_refused_with_the_form(as_role: AsRole) -> None:
    capability = builders.capability()
    answer = as_role("author").post(addresses.act(capability, "describe"), {"description": " ", "examples": "x"})
    assert answer.status_code == 422
    assert Capability.objects.get(pk=capability.pk).description == capability.description


def test_endless_examples_are_refused_by_the_service(as_role: AsRole) -> None:
    capability = builders.capability()
    sent = {"description": "Labels.", "examples": "\n".join(str(number) for number in range(51))}
    answer = as_role("author").post(addresses.act(capability, "describe"), sent)
    assert answer.status_code == 422
    assert "at most 50 phrases" in answer.content.decode()


def test_describing_puts_an_open_question_about_the_old_words_anew(as_role: AsRole) -> None:
    capability = builders.capability()
    Capability.objects.filter(pk=capability.pk).update(status=CapabilityStatus.PENDING_REVIEW)
    asked = reviews.open_review(ReviewKind.CAPABILITY, capability=capability, actor=builders.SYSTEM, summary="A twin?")
    author, reviewer = as_role("author"), as_role("reviewer")
    author.post(addresses.act(capability, "describe"), {"description": "Something else entirely.", "examples": ""})
    assert Review.objects.get(pk=asked.pk).state == ReviewState.SUPERSEDED
    anew = Review.objects.open().get(capability=capability)
    assert anew.summary == "A twin?"
    assert reviewer.post(addresses.act(anew, "approve"), decision(anew)).status_code == 302
    assert Capability.objects.get(pk=capability.pk).status == CapabilityStatus.ACTIVE


def test_a_bot_cannot_describe(as_role: AsRole) -> None:
    bot = builders.Actor.bot(builders.bot_token()[0])
    with pytest.raises(capabilities.NotPermitted):
        capabilities.describe(builders.capability(), description="Anything.", examples=[], actor=bot)


# --- Runs, jobs, deliveries ------------------------------------------------------------------------------------------


def test_an_open_run_is_cancelled_and_a_finished_one_is_not(as_role: AsRole) -> None:
    operator, skill = as_role("operator"), builders.skill(State.SANDBOX)
    running, over = builders.run(skill, status=RunStatus.RUNNING), builders.run(skill)
    assert operator.post(addresses.act(running, "cancel")).status_code == 302
    assert SkillRun.objects.get(pk=running.pk).status == RunStatus.CANCELLED
    assert AuditEvent.objects.get(action="run.cancelled").subject_id == str(running.pk)
    answer = operator.post(addresses.act(over, "cancel"))
    assert answer.status_code == 409
    assert "it is succeeded" in answer.content.decode()
    assert SkillRun.objects.get(pk=over.pk).status == RunStatus.SUCCEEDED


def test_a_viewer_cancels_no_run(as_role: AsRole) -> None:
    run = builders.run(builders.skill(State.SANDBOX), status=RunStatus.RUNNING)
    assert as_role("viewer").post(addresses.act(run, "cancel")).status_code == 403
    assert SkillRun.objects.get(pk=run.pk).status == RunStatus.RUNNING


def test_a_job_is_cancelled_by_an_operator_or_by_who_asked_for_it(as_role: AsRole) -> None:
    author, operator = as_role("author"), as_role("operator")
    theirs, others = rows.job(), rows.job()
    type(theirs).objects.filter(pk=theirs.pk).update(requested_by=person_of(author))
    assert author.post(addresses.act(others, "cancel")).status_code == 403
    assert author.post(addresses.act(theirs, "cancel")).status_code == 302
    assert operator.post(addresses.act(others, "cancel")).status_code == 302
    assert operator.post(addresses.act(others, "cancel")).status_code == 409
    assert set(type(theirs).objects.values_list("status", flat=True)) == {JobStatus.CANCELLED}


def test_a_dead_letter_is_sent_again_by_an_admin(as_role: AsRole) -> None:
    admin, letter = as_role("admin"), rows.delivery()
    assert admin.post(addresses.act(letter, "redeliver")).status_code == 302
    queued = Delivery.objects.get(pk=letter.pk)
    assert (queued.status, queued.dead) == (DeliveryStatus.QUEUED, False)
    assert admin.post(addresses.act(letter, "redeliver")).status_code == 409


def test_what_is_not_there_is_not_found(chief: Client) -> None:
    skill = builders.skill()
    url = addresses.act(skill, "pause").replace(str(skill.pk), "0198c0de-0000-7000-8000-000000000000")
    assert chief.get(url).status_code == 404
    assert chief.get(addresses.act(skill, "pause").replace(str(skill.pk), "no-id")).status_code == 404


def test_the_history_of_a_row_is_the_audit_log(as_role: AsRole) -> None:
    skill = builders.skill(State.SANDBOX)
    reviewer = as_role("reviewer")
    page = reviewer.get(addresses.of(skill, "history"), follow=True)
    subjects = {(event.subject_type, event.subject_id) for event in page.context["cl"].result_list}
    assert subjects == {("skill", str(skill.pk))}
    assert as_role("viewer").get(addresses.of(skill, "history")).status_code == 403
