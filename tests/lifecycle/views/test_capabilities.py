"""The pages of capabilities: what can be asked for, its contract, and its words, which authors improve."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from lifecycle.models import Capability, RunPath, RunStatus
from lifecycle.states import State
from tests import builders

pytestmark = pytest.mark.django_db


@pytest.fixture
def author(client: Client) -> Client:
    client.force_login(builders.person("author"))
    return client


def text(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_the_list_says_what_will_fill_it_and_is_for_people_who_are_logged_in(client: Client):
    assert client.get("/capabilities/").url == "/login/?next=/capabilities/"
    client.force_login(builders.person("viewer"))
    assert "No capabilities yet" in text(client, "/capabilities/")
    assert 'href="/capabilities/"' in text(client, "/skills/")


def test_the_list_finds_by_name_description_and_status(author: Client):
    builders.capability("label_mail", description="Labels mails.")
    builders.capability("weigh_parcels", description="Weighs parcels in grams.")
    Capability.objects.filter(name="weigh_parcels").update(status="pending_review")
    for query, found in (
        ("", {"label_mail", "weigh_parcels"}),
        ("?q=GRAMS", {"weigh_parcels"}),
        ("?q=label", {"label_mail"}),
        ("?status=pending_review", {"weigh_parcels"}),
        ("?status=nonsense&page=nine", {"label_mail", "weigh_parcels"}),
    ):
        page = text(author, f"/capabilities/{query}")
        assert {name for name in ("label_mail", "weigh_parcels") if f"/capabilities/{name}/" in page} == found, query
    assert "No capability matches" in text(author, "/capabilities/?q=zebra%00")


def test_the_number_of_queries_does_not_grow_with_the_capabilities(author: Client, django_assert_max_num_queries: Any):
    def queries(more: int) -> int:
        for _ in range(more):
            builders.run(builders.skill(State.SANDBOX))
        with django_assert_max_num_queries(12) as counted:
            assert author.get("/capabilities/").status_code == 200
        return len(counted)

    assert queries(2) == queries(4)


def test_a_capability_shows_its_contract_who_answers_and_how_well(client: Client):
    client.force_login(builders.person("viewer"))
    skill = builders.skill(State.TRUSTED, description="Say \u202ehello <b>there</b>")
    builders.run(skill)
    builders.run(skill, status=RunStatus.FAILED)
    builders.run(skill, path=RunPath.NATIVE)
    builders.run(skill, path=RunPath.SHADOW)
    page = text(client, f"/capabilities/{skill.capability.name}/")
    assert "<b>there" not in page and "\u202e" not in page and "U+202E" in page
    assert "additionalProperties" in page and "label" in page
    assert "0.67" in page and "n 3" in page
    assert f"/try/?capability={skill.capability.name}" in page
    assert client.get("/capabilities/nowhere/").status_code == 404


def test_authors_improve_its_words_and_its_contract_stays(author: Client):
    capability = builders.capability("label_mail")
    before = Capability.objects.values("input_schema", "output_schema", "name").get()
    sent = {"description": "Labels a mail.", "examples": "label this\n\n  what is this  \n"}
    assert author.post("/capabilities/label_mail/describe/", sent).url == "/capabilities/label_mail/"
    capability.refresh_from_db()
    assert (capability.description, capability.examples) == ("Labels a mail.", ["label this", "what is this"])
    assert Capability.objects.values("input_schema", "output_schema", "name").get() == before


@pytest.mark.parametrize(
    "sent", [{"description": " "}, {"description": "x" * 4001}, {"description": "ok", "examples": "x" * 301}], ids=str
)
def test_words_that_are_refused_come_back(author: Client, sent: dict[str, str]):
    capability = builders.capability("label_mail", description="As it was.")
    answer = author.post("/capabilities/label_mail/describe/", sent)
    assert answer.status_code == 422
    assert "field-error" in answer.content.decode()
    capability.refresh_from_db()
    assert capability.description == "As it was."


def test_who_may_not_is_not_offered_it_and_a_forged_post_is_refused(client: Client):
    capability = builders.capability("label_mail", description="As it was.")
    client.force_login(builders.person("operator"))
    assert "Improve its words" not in text(client, "/capabilities/label_mail/")
    assert client.post("/capabilities/label_mail/describe/", {"description": "Forged."}).status_code == 403
    assert client.get("/capabilities/label_mail/describe/").status_code == 405
    capability.refresh_from_db()
    assert capability.description == "As it was."
