"""The lifecycle's pages: what they show, what they refuse, and how many queries they take."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from lifecycle.models import RunStatus, Skill, SkillRun
from lifecycle.services import seeds
from lifecycle.states import State
from tests import builders


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(builders.person("operator"))
    return client


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/skills/", "/runs/", "/try/"])
def test_pages_ask_for_a_log_in_and_show_an_empty_state_that_names_what_to_do(client: Client, path: str):
    assert client.get(path).url == f"/login/?next={path}"
    client.force_login(builders.person("viewer"))
    assert b'class="empty"' in client.get(path).content or path == "/"


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/skills/", "/runs/", "/skills/{name}/"])
def test_the_number_of_queries_does_not_grow_with_the_rows(
    operator: Client, path: str, django_assert_max_num_queries: Any
):
    def fill(n: int) -> Skill:
        for _ in range(n):
            skill = builders.skill(State.TRUSTED)
            builders.run(skill)
            builders.run(skill, status=RunStatus.FAILED, error="It broke.")
        return skill

    def queries(name: str) -> int:
        cache.clear()
        with django_assert_max_num_queries(40) as counted:
            assert operator.get(path.format(name=name)).status_code == 200
        return len(counted)

    few = queries(fill(2).capability.name)
    many = queries(fill(6).capability.name)
    assert many == few


@pytest.mark.django_db
def test_home_stops_telling_a_newcomer_what_to_do_once_it_is_done(client: Client):
    person = builders.person("operator")
    client.force_login(person)
    skill = builders.skill(State.TRUSTED)
    assert b"Where to start" in client.get("/").content
    builders.run(skill, requested_by=person)
    _, secret = builders.bot_token()
    assert b"Where to start" in client.get("/").content
    client.get("/api/v1/skill-runs", headers=builders.headers(secret))
    assert b"Where to start" not in client.get("/").content


@pytest.mark.django_db
def test_runs_are_filtered_by_the_address_and_nonsense_is_no_filter(operator: Client):
    skill = builders.skill(State.TRUSTED)
    builders.run(skill)
    builders.run(skill, status=RunStatus.FAILED)
    assert operator.get("/runs/").context["page"].paginator.count == 2
    assert operator.get("/runs/?status=failed").context["page"].paginator.count == 1
    assert operator.get("/runs/?status=splendid&page=nine").context["page"].paginator.count == 2


@pytest.mark.django_db
def test_a_run_shows_everything_it_left_and_hidden_characters_are_visible(operator: Client):
    skill = builders.skill(State.TRUSTED)
    run = builders.run(skill, status=RunStatus.FAILED, error="bad \u202etxet <script>alert(1)</script>")
    page = operator.get(f"/runs/{run.pk}/").content.decode()
    assert "<script>alert(1)</script>" not in page
    assert "\u202e" not in page
    assert operator.get("/runs/00000000-0000-7000-8000-000000000000/").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_a_tried_skill_answers_on_the_page_with_and_without_htmx(operator: Client):
    seeds.load()
    sent = {"capability": "parse_task", "in_text": "call the mechanic monday about the brakes, urgent"}

    plain = operator.post("/try/", sent)
    fragment = operator.post("/try/", sent, headers={"HX-Request": "true"})

    assert plain.status_code == 302
    assert "Call the mechanic about the brakes" in operator.get(plain.url).content.decode()
    assert fragment.status_code == 200
    assert "<html" not in fragment.content.decode()
    assert "Call the mechanic about the brakes" in fragment.content.decode()
    assert SkillRun.objects.filter(requested_by__isnull=False, status="succeeded").count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_form_that_does_not_fit_the_schema_comes_back_with_the_error_on_its_field(operator: Client):
    seeds.load()
    empty = operator.post("/try/", {"capability": "parse_task", "in_text": " "})
    assert (empty.status_code, empty.context["fields"][0]["error"]) == (422, "This is needed.")
    wrong = operator.post("/try/", {"capability": "parse_task", "in_text": "x", "in_today": "someday"})
    assert wrong.status_code == 422
    assert {f["key"]: bool(f["error"]) for f in wrong.context["fields"]} == {"text": False, "today": True}
    assert not SkillRun.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_viewer_cannot_run_a_skill_and_nobody_sees_anothers_answer_by_guessing(client: Client):
    seeds.load()
    client.force_login(builders.person("viewer"))
    refused = client.post("/try/", {"capability": "parse_task", "in_text": "x"})
    assert refused.status_code == 422
    assert "Viewers cannot run skills" in refused.content.decode()
    other = builders.run(Skill.objects.get(capability__name="parse_task"), requested_by=builders.person("operator"))
    assert client.get(f"/try/?capability=parse_task&run={other.pk}").context.get("run") is None
    assert client.get("/try/?capability=nothing&run=nonsense").status_code == 200


@pytest.mark.django_db
def test_forged_posts_are_refused(operator: Client):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(builders.person("operator"))
    assert strict.post("/try/", {"capability": "parse_task", "in_text": "x"}).status_code == 403
