"""The page of candidates: the arithmetic in words, the no with and without JavaScript, and who is offered it."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from lifecycle.models import Candidate, Skill
from tests import builders

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def reviewer(client: Client) -> Client:
    client.force_login(builders.person("reviewer"))
    return client


def address(candidate: Candidate) -> str:
    return f"/candidates/{candidate.pk}/dismiss/"


def test_the_page_is_in_the_menu_and_says_what_will_fill_it(client: Client):
    assert client.get("/candidates/").url == "/login/?next=/candidates/"
    client.force_login(builders.person("viewer"))
    page = client.get("/candidates/").content.decode()
    assert 'class="empty"' in page and "0 open candidates" in page
    assert 'href="/candidates/" aria-current="page"' in page


def test_the_evidence_is_told_in_words(reviewer: Client):
    builders.candidate(builders.skill(description="Say \u202ehello <b>there</b>"))
    page = " ".join(reviewer.get("/candidates/").content.decode().split())
    assert "200 calls × $0.10 cost $20.00 with the reference model." in page
    assert "expected to cost $3.00 (15 % until it is measured), so it would save $17.00." in page
    assert "200 answers in 1 shape<" in page
    assert "<b>there" not in page and "\u202e" not in page


def test_a_no_without_javascript_leads_back_to_the_list(reviewer: Client):
    candidate = builders.candidate(builders.skill())
    answer = reviewer.post(address(candidate), {"reason": "We stop doing this."})
    assert (answer.status_code, answer.url) == (302, "/candidates/")
    listed = reviewer.get("/candidates/?status=dismissed")
    assert "We stop doing this." in listed.content.decode()
    assert f"{candidate.capability.name} is dismissed." in listed.content.decode()
    assert Skill.objects.get().state == "claude_native"


def test_a_no_with_htmx_brings_the_card_the_count_and_the_sentence(reviewer: Client):
    candidate = builders.candidate(builders.skill())
    answer = reviewer.post(address(candidate), {"reason": "No."}, headers=HTMX)
    page = answer.content.decode()
    assert (answer.status_code, page.count("<article")) == (200, 1)
    assert "<html" not in page and "<form" not in page
    assert 'id="candidate-count" hx-swap-oob="true">0 open candidates' in page
    assert "is dismissed." in page


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["plain", "htmx"])
def test_a_conflict_shows_the_card_as_it_is_now(reviewer: Client, headers: dict[str, str]):
    candidate = builders.candidate(builders.skill())
    reviewer.post(address(candidate), {"reason": "First."})
    answer = reviewer.post(address(candidate), {"reason": "Second."}, headers=headers)
    assert answer.status_code == 409
    assert "This candidate is dismissed already." in answer.content.decode()
    assert Candidate.objects.get().reason == "First."


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["plain", "htmx"])
def test_ruling_it_out_without_a_reason_brings_the_form_back(reviewer: Client, headers: dict[str, str]):
    candidate = builders.candidate(builders.skill())
    answer = reviewer.post(address(candidate), {"reason": " ", "not_a_skill": "true"}, headers=headers)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "Say why this is no skill" in page
    assert 'value="true" checked' in page


def test_only_who_may_is_offered_it_and_a_forged_post_is_refused(client: Client):
    candidate = builders.candidate(builders.skill())
    offers = {}
    for role in ("viewer", "operator", "author", "reviewer"):
        client.force_login(builders.person(role))
        page = client.get("/candidates/").content.decode()
        offers[role] = (address(candidate) in page, "not_a_skill" in page)
    assert offers == {
        "viewer": (False, False), "operator": (False, False), "author": (True, False), "reviewer": (True, True),
    }  # fmt: skip
    client.force_login(builders.person("viewer"))
    assert client.post(address(candidate)).status_code == 403
    assert client.get(address(candidate)).status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(builders.person("reviewer"))
    assert strict.post(address(candidate)).status_code == 403
    assert Candidate.objects.open().count() == 1


def test_the_number_of_queries_does_not_grow_with_the_candidates(reviewer: Client, django_assert_max_num_queries: Any):
    def queries(more: int) -> int:
        for _ in range(more):
            builders.candidate(builders.skill())
        with django_assert_max_num_queries(20) as counted:
            assert reviewer.get("/candidates/?status=nonsense&page=nine").status_code == 200
        return len(counted)

    assert queries(2) == queries(5)
