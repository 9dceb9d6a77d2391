"""A session that ends in the middle: the log-in comes as a page, and leads back to the page that one was on."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from donna_skills.accounts.models import User
from tests import builders

pytestmark = pytest.mark.django_db
JOB = "/jobs/0198c0de-0000-7000-8000-000000000000/"


def polled(client: Client, path: str, *, on: str, **headers: str) -> str:
    """Where htmx is sent that asks for a part of the page that it is on."""
    answer = client.get(path, headers={"HX-Request": "true", "HX-Current-URL": f"http://testserver{on}", **headers})
    assert (answer.status_code, answer.content) == (200, b"")
    return answer.headers["HX-Redirect"]


def back(address: str) -> str:
    assert urlsplit(address).path == "/login/"
    return parse_qs(urlsplit(address).query)["next"][0]


def test_a_part_that_is_asked_for_after_a_log_out_is_no_log_in_form_in_the_page(client: Client):
    assert back(polled(client, JOB, on=f"{JOB}?from=list")) == f"{JOB}?from=list"
    assert list(get_messages(client.get("/login/").wsgi_request)) == []


def test_a_page_is_asked_for_again_as_it_always_was(client: Client):
    assert client.get(f"{JOB}?page=2").headers["Location"] == f"/login/?next={JOB}%3Fpage%3D2"
    boosted = client.get(JOB, headers={"HX-Request": "true", "HX-Boosted": "true"})
    assert (boosted.status_code, boosted.headers["Location"]) == (302, f"/login/?next={JOB}")


def test_a_form_that_comes_too_late_leads_back_to_its_page_and_says_that_nothing_was_done(client: Client):
    person = builders.person("operator", name="vera")
    answer = client.post(f"{JOB}cancel/", headers={"Referer": f"http://testserver{JOB}"})
    assert back(answer.headers["Location"]) == JOB
    log_in = client.post(answer.headers["Location"], {"username": person.username, "password": "correct horse"})
    assert log_in.headers["Location"] == JOB
    assert "You had been logged out, and nothing was done." in client.get("/").content.decode()


def test_a_form_with_htmx_does_the_same(client: Client):
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/candidates/"}
    answer = client.post(f"{JOB}cancel/", headers=headers)
    assert back(answer.headers["HX-Redirect"]) == "/candidates/"


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "", "nonsense:"]
)
def test_it_never_leads_to_another_site(client: Client, elsewhere: str):
    answer = client.post(f"{JOB}cancel/", headers={"Referer": elsewhere})
    assert back(answer.headers["Location"]) == "/"


def test_who_is_logged_in_meets_none_of_it_and_logging_out_stays_as_it_is(client: Client, admin_user: User):
    client.force_login(admin_user)
    assert client.get("/jobs/", headers={"HX-Request": "true"}).status_code == 200
    out = client.post("/logout/")
    assert out.headers["Location"] == "/login/"
