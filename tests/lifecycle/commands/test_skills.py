"""The review loop on the command line: what the issue "auto-notify pending skill drafts for human review" asks for."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import CommandError, call_command

from donna_skills.notifications.models import Notification
from lifecycle.models import Review, ReviewKind, ReviewState, Skill
from lifecycle.services import evidence, reviews, versions
from lifecycle.states import State
from tests import builders
from tests.lifecycle.services import questions, talking

pytestmark = pytest.mark.django_db


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*words: str) -> str:
        call_command("skills", *words)
        return capsys.readouterr().out

    return run


def test_criterion_1_a_new_draft_is_announced_on_the_command_line(told):
    vera = builders.person("reviewer", name="vera")
    review = questions.draft()
    shown = told("drafts", "--pending", "--as", "vera")
    assert f"A new draft of {review.capability.name} waits for a decision" in shown
    assert Notification.objects.filter(person=vera).count() == 1


def test_criterion_2_a_changed_verdict_is_seen_without_reading_audit_files(told):
    review = questions.draft()
    assert " none " in told("drafts")
    questions.gates_say("HOLD", review.version)
    assert " HOLD " in told("drafts")
    assert "verdict: On hold" in told("inspect", review.capability.name)


def test_criterion_3_pending_drafts_are_listed_with_what_still_takes_a_person(told):
    waiting, sent_back, tried = (questions.draft() for _ in range(3))
    by = builders.person("reviewer")
    reviews.request_changes(sent_back, by=by, comment="Shorter.", seen_digest=sent_back.subject_digest)
    reviews.approve(tried, by=by, seen_digest=tried.subject_digest)

    lines = {line.split()[0]: line for line in told("drafts").splitlines()[1:]}

    assert "yes: waits for a decision" in lines[waiting.capability.name]
    assert "yes: changes were requested; a new version asks again" in lines[sent_back.capability.name]
    assert "no: the gates decide about promotions" in lines[tried.capability.name]
    assert "Sandbox, unseen" in lines[tried.capability.name]
    pending = told("drafts", "--pending")
    assert waiting.capability.name in pending
    assert sent_back.capability.name not in pending


def test_criterion_4_a_decision_goes_through_the_one_pipeline(told):
    review = questions.draft()
    name = review.capability.name
    builders.person("reviewer", name="vera")
    questions.gates_say("BLOCK", review.version)
    with pytest.raises(CommandError, match="gates block"):
        told("approve", name, "--as", "vera")
    questions.gates_say("PASS", review.version)

    assert "went to the sandbox" in told("approve", name, "--as", "vera", "--comment", "Good.", "--keep-gate")

    skill = Skill.objects.get(pk=review.skill_id)
    moved = skill.transitions.order_by("-id").first()
    assert (skill.state, skill.requires_human_gate, moved.note) == (State.SANDBOX, True, "Good.")
    assert (str(moved.person), moved.evidence["verdict"]) == ("vera", "PASS")


def test_criterion_5_an_unchanged_draft_is_announced_once(told):
    builders.person("reviewer", name="vera")
    review = questions.draft()
    for _ in range(3):
        reviews.open_review(
            ReviewKind.DRAFT, capability=review.capability, version=review.version, actor=builders.SYSTEM
        )
    assert told("drafts", "--as", "vera").count("A new draft of") == 1


def test_criterion_6_replays_are_a_gate_of_the_one_pipeline_and_no_second_source_of_truth(told):
    review = questions.draft()
    assert review.version is not None and review.skill is not None
    talking.recorded(review.skill, "good morning")
    decision = evidence.evaluate(
        review.skill, versions.files_of(review.version), actor=builders.SYSTEM, models=talking.Talking()
    )
    assert "replay" in [gate["gate"] for gate in decision.gates]
    review.refresh_from_db()
    assert review.verdict == decision.verdict
    shown = told("inspect", review.capability.name)
    assert '"gate": "replay"' in shown and f"verdict: {review.get_verdict_display()}" in shown


def test_a_rejection_gives_its_reason_and_only_what_was_seen_is_decided(told):
    builders.person("reviewer", name="vera")
    review = questions.draft()
    name = review.capability.name
    digest = reviews.seen_digest(review)
    assert f"digest: {digest}" in told("inspect", name)
    questions.fixture(review.skill)
    with pytest.raises(CommandError, match="fixtures that it is held against have changed"):
        told("reject", name, "--as", "vera", "--reason", "It invents dates.", "--digest", digest)

    told("reject", name, "--as", "vera", "--reason", "It invents dates.")

    review.refresh_from_db()
    assert (review.state, review.comment, str(review.decided_by)) == (ReviewState.REJECTED, "It invents dates.", "vera")
    assert "state: Rejected by vera" in told("inspect", name)
    assert "No draft waits" in told("drafts", "--pending")


def test_who_may_not_and_what_is_not_there_is_said(told):
    author = builders.person("author", name="ann")
    review = questions.draft(by=author)
    for words, message in [
        (("approve", review.capability.name, "--as", "ann"), "may not decide"),
        (("approve", review.capability.name, "--as", "nobody"), "no active user 'nobody'"),
        (("approve", "nothing", "--as", "ann"), "Nothing of 'nothing' waits"),
        (("inspect", "nothing"), "Nothing of 'nothing' was reviewed"),
    ]:
        with pytest.raises(CommandError, match=message):
            told(*words)
    assert Review.objects.get().state == ReviewState.OPEN


def test_files_cannot_talk_to_the_terminal(told):
    skill = builders.capability().skill
    prompt = b"Label this: {{ inputs.text }} \x1b[2J\xe2\x80\xae\nAnswer as JSON with the key label.\n"
    review = questions.draft(skill, **{"steps/answer.md": prompt})
    shown = told("inspect", review.capability.name)
    assert "\\u001b[2J\\u202e" in shown
    assert "\x1b" not in shown


def test_words_of_others_cannot_either(told):
    builders.person("reviewer", name="vera")
    asked = questions.draft()
    Review.objects.filter(pk=asked.pk).update(
        summary="\x1b[2JApprove me\u202e", risk_reasons=[{"code": "X", "message": "\x1b[2J"}]
    )
    Notification.objects.update(title="\x1b]0;owned\x07")
    for words in (("inspect", asked.capability.name), ("drafts", "--as", "vera")):
        shown = told(*words)
        assert "\\u001b" in shown and "\x1b" not in shown and "\u202e" not in shown


def test_the_list_costs_the_same_whatever_it_lists(told, django_assert_num_queries):
    for _ in range(4):
        questions.draft()
    with django_assert_num_queries(2):
        assert len(told("drafts").splitlines()) == 5
