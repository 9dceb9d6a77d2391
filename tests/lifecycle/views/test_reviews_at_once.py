"""Reviewers who press a button at the same instant, each in a browser of their own, and the seed's criterion of it."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from django.db import connection
from django.test import Client

from donna_skills.audit.models import AuditEvent
from donna_skills.notifications.models import Event
from lifecycle.models import Review, ReviewState, Skill
from lifecycle.services import subjects
from lifecycle.states import State
from tests import builders
from tests.lifecycle.views import reviewing

pytestmark = pytest.mark.django_db(transaction=True)
MANY = 50


def test_of_fifty_who_press_at_once_one_decides_and_forty_nine_read_who_it_was():
    review = reviewing.draft()
    seen = subjects.seen_digest(review)
    browsers = []
    for _ in range(MANY):
        browser = Client()
        browser.force_login(builders.person("reviewer"))
        browsers.append(browser)
    answers: list[tuple[int, str]] = []
    start = threading.Barrier(MANY)

    def press(browser: Client, act: str, htmx: bool) -> None:
        start.wait()
        try:
            sent = {"seen_digest": seen, "reason": "No."}
            address = f"/review/{review.pk}/{act}/"
            answer = browser.post(address, sent, headers={"HX-Request": "true"} if htmx else {})
            onwards = "HX-Redirect" in answer.headers or answer.status_code == 302
            answers.append((302 if onwards else answer.status_code, answer.content.decode()))
        finally:
            connection.close()

    threads = [
        threading.Thread(target=press, args=(browser, "reject" if number % 2 else "approve", number % 4 < 2))
        for number, browser in enumerate(browsers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    truth = Review.objects.get(pk=review.pk)
    assert Counter(status for status, _ in answers) == {302: 1, 409: MANY - 1}
    sentence = f"It is {truth.get_state_display().lower()} already by {truth.decided_by}."
    assert all(sentence in page for status, page in answers if status == 409)
    assert AuditEvent.objects.filter(action__in=["review.approved", "review.rejected"]).count() == 1
    assert Event.objects.filter(kind="review.decided").count() == 1
    approved = truth.state == ReviewState.APPROVED
    assert (Skill.objects.get(pk=review.skill_id).state == State.SANDBOX) is approved
