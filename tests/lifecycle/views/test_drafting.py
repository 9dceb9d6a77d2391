"""Drafting on the page of candidates: the button, live progress that ends, and what came of it."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from donna_skills.jobs import services as jobs
from donna_skills.jobs.models import JobRun, JobStatus
from lifecycle.models import Skill
from lifecycle.services import drafts
from lifecycle.services.drafts import ACTOR
from tests import builders
from tests.lifecycle import guests
from tests.lifecycle.services import authors

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def writer(client: Client) -> Client:
    client.force_login(builders.person("author"))
    return client


def text_of(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def test_who_may_not_draft_sees_no_button_and_is_refused(client: Client):
    candidate = guests.candidate()
    client.force_login(builders.person("viewer"))
    assert "Draft guest_notes now" not in text_of(client.get("/candidates/"))
    assert client.post(f"/candidates/{candidate.pk}/draft/").status_code == 403
    assert client.get(f"/candidates/{candidate.pk}/draft/").status_code == 405
    assert not JobRun.objects.exists()


def test_without_javascript_the_list_shows_how_far_it_is(writer: Client):
    candidate = guests.candidate()
    assert "Draft guest_notes now" in text_of(writer.get("/candidates/"))
    answer = writer.post(f"/candidates/{candidate.pk}/draft/")
    assert (answer.status_code, answer.url) == (302, "/candidates/")
    page = text_of(writer.get("/candidates/"))
    assert (
        "A draft is asked for and waits for a worker." in page and "A skill for guest_notes is being drafted." in page
    )
    assert "Draft guest_notes now" not in page
    assert writer.get(f"/candidates/{candidate.pk}/drafting/").url == "/candidates/"


def test_with_htmx_the_card_polls_until_the_job_is_over(writer: Client):
    candidate = guests.candidate()
    card = text_of(writer.post(f"/candidates/{candidate.pk}/draft/", headers=HTMX))
    polls = f'hx-get="/candidates/{candidate.pk}/drafting/" hx-trigger="every 2s"'
    assert card.count("<article") == 1 and polls in card
    fragment = writer.get(f"/candidates/{candidate.pk}/drafting/", headers=HTMX)
    assert polls in text_of(fragment) and "<article" not in text_of(fragment)
    jobs.run(JobRun.objects.get().pk)
    done = writer.get(f"/candidates/{candidate.pk}/drafting/", headers=HTMX)
    assert done["HX-Retarget"] == f"#candidate-{candidate.pk}"
    assert "hx-trigger" not in text_of(done) and "Version 1 was drafted" in text_of(done)
    assert "0 open candidates" in text_of(done)


def test_a_refused_draft_says_why_and_may_be_tried_again(writer: Client, settings: Any):
    candidate = guests.candidate()
    authors.script(settings, '{"files": {"<b>": 7}}')
    drafts.write(candidate, actor=ACTOR, now=timezone.now())
    page = text_of(writer.get("/candidates/"))
    assert "was refused" in page and "file_not_text" in page and "Draft guest_notes now" in page
    assert "<b>" not in page


def test_a_job_that_broke_off_is_told_and_the_button_is_there_again(writer: Client):
    candidate = guests.candidate()
    writer.post(f"/candidates/{candidate.pk}/draft/")
    JobRun.objects.update(status=JobStatus.INTERRUPTED, error="The worker went away.", finished_at=timezone.now())
    page = text_of(writer.get("/candidates/"))
    assert "The worker went away." in page and "Draft guest_notes now" in page


def test_a_placeholder_has_no_button_and_a_post_all_the_same_is_refused(writer: Client):
    candidate = guests.candidate(guests.capability(output_schema={}))
    page = text_of(writer.get("/candidates/"))
    assert "accepts anything" in page and "Draft guest_notes now" not in page
    answer = writer.post(f"/candidates/{candidate.pk}/draft/", headers=HTMX)
    assert answer.status_code == 409 and "accepts anything" in text_of(answer)


def test_many_cards_cost_as_few_queries_as_one(writer: Client, django_assert_max_num_queries: Any):
    for number in range(6):
        builders.candidate(builders.skill(name=f"work_{number}"))
    with django_assert_max_num_queries(12):
        writer.get("/candidates/")
    assert Skill.objects.count() == 6
