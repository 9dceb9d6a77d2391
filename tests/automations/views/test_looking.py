"""The list, one automation and one run: what they show, to whom, and that they cost the same whatever they list."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from automations.models import Automation, RunStatus
from automations.services import automations
from automations.services.automations import Share
from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import User
from tests import builders
from tests.automations import made
from tests.automations.views.conftest import HTMX, as_person, words

pytestmark = pytest.mark.django_db


def test_the_list_asks_for_a_log_in_and_says_what_will_fill_it(client: Client):
    assert client.get("/automations/").url == "/login/?next=/automations/"
    page = words(as_person("operator").get("/automations/"))
    assert "No automations yet" in page and 'href="/automations/new/"' in page
    assert 'href="/automations/" aria-current="page"' in page
    assert "/automations/new/" not in words(as_person("viewer").get("/automations/"))


def test_the_list_says_when_each_runs_how_it_went_and_filters(operator: Client, jacket: Automation):
    now = timezone.now()
    for minutes, status in ((30, RunStatus.SUCCEEDED), (20, RunStatus.SUCCEEDED), (10, RunStatus.FAILED)):
        made.ended(jacket, status=status, now=now, ago=timedelta(minutes=minutes))
    made.automation(owner=jacket.owner, name="Shoes", trigger="on_manual")
    page = words(operator.get("/automations/"))
    assert "every day at 08:00, Prague" in page and "by hand" in page
    assert 'aria-label="The last 3 runs: 1 failed, 2 succeeded"' in page
    for query, there, gone in (
        ("trigger=on_manual", "Shoes", "Jacket"),
        ("text=jack", "Jacket", "Shoes"),
        (f"capability={jacket.capability.name}", "Jacket", "Shoes"),
        ("owner=olga&status=active", "Jacket", "nobody"),
    ):
        shown = words(operator.get(f"/automations/?{query}"))
        assert f">{there}</a>" in shown and f">{gone}</a>" not in shown
    assert "No automation matches" in words(operator.get("/automations/?status=error"))
    assert ">Jacket</a>" in words(operator.get("/automations/?status=nonsense&page=nine"))


def test_what_an_owner_wrote_is_shown_and_never_obeyed(operator: Client, owner: User):
    shown = made.automation(owner=owner, name="<b>Bold \u202eone", description="<script>alert(1)</script>")
    for path in ("/automations/", f"/automations/{shown.pk}/", f"/automations/{shown.pk}/edit/"):
        page = operator.get(path).content.decode()
        assert "<b>Bold" not in page and "<script>alert" not in page


def test_the_page_answers_why_it_runs_and_why_it_alerts(operator: Client, jacket: Automation):
    made.PRICES.extend([120, 90])
    made.run_once(jacket)
    made.run_once(jacket)
    page = words(operator.get(f"/automations/{jacket.pk}/"))
    assert "It is active and runs every day at 08:00, Prague." in page
    assert "Two starts are at least 15 min apart: while its skill is “trusted”, nothing may start more often." in page
    assert "It alerts when price is at or below 100." in page
    assert "It is alerting now" in page
    assert "price is at or below 100 <span" in page and "found: 90" in page
    assert 'data-chart="over-time-data"' in page and "alert: price is at or below 100" in page
    assert "Next starts" in page and "Europe/Prague" in page


def test_a_trace_says_what_it_was_held_against_until_that_is_changed(operator: Client, jacket: Automation):
    made.PRICES.append(90)
    path, actor = f"/automations/runs/{made.run_once(jacket).pk}/", Actor.person(jacket.owner)
    automations.pause(jacket, actor=actor)
    assert "price is at or below 100 <span" in words(operator.get(path))
    automations.update(jacket, {"alert_conditions": {"field": "price", "op": "<=", "value": 5}}, actor=actor)
    page = words(operator.get(path))
    assert "price &lt;= <span" in page and "found: 90" in page


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"pause_reason": "failures", "pause_note": "It has failed 5 times."}, "It is paused. It has failed 5 times."),
        ({"pause_reason": "policy"}, "paused by policy until its skill&#x27;s review is over"),
        ({"pause_reason": "person"}, "It is paused until somebody resumes it."),
    ],
)
def test_a_paused_one_says_why(operator: Client, jacket: Automation, columns: dict[str, str], sentence: str):
    nothing_due = {"next_run_at": None, "next_occurrence": None}
    Automation.objects.filter(pk=jacket.pk).update(status="paused", **columns, **nothing_due)
    page = words(operator.get(f"/automations/{jacket.pk}/"))
    assert sentence in page and ">Resume</button>" in page and ">Pause</button>" not in page


def test_an_overdue_one_says_that_no_scheduler_calls(operator: Client, owner: User):
    late = made.automation(owner=owner, due=timezone.now() - timedelta(minutes=10))
    assert "no scheduler process has called lately" in words(operator.get(f"/automations/{late.pk}/"))


def test_a_skip_says_its_reason(operator: Client, jacket: Automation):
    run = made.ended(jacket, status=RunStatus.SKIPPED_BUDGET, now=timezone.now())
    type(run).objects.filter(pk=run.pk).update(reason="The budget of today is used up.")
    page = words(operator.get(f"/automations/{jacket.pk}/"))
    assert "The last one: skipped: budget. The budget of today is used up." in page
    assert "was not judged" in words(operator.get(f"/automations/runs/{run.pk}/"))
    assert "The budget of today" in words(operator.get(f"/automations/{jacket.pk}/?status=skipped_budget"))
    assert "No run ended like this" in words(operator.get(f"/automations/{jacket.pk}/?status=failed"))


def test_one_that_somebody_may_not_see_is_not_there(jacket: Automation):
    other = as_person("viewer")
    run = made.ended(jacket, now=timezone.now())
    for path in (f"/automations/{jacket.pk}/", f"/automations/{jacket.pk}/edit/", f"/automations/runs/{run.pk}/"):
        assert other.get(path).status_code == 404
    assert other.get(f"/automations/{uuid.uuid4()}/").status_code == 404
    assert ">Jacket</a>" not in words(other.get("/automations/"))


def test_each_is_offered_what_they_may(jacket: Automation):
    acts = ("/run/", "/pause/", "/edit/", "/share/", "/delete/", "/duplicate/")
    viewer, runner = builders.person("viewer", name="vera"), builders.person("viewer", name="rita")
    shares = [Share("view", person="vera"), Share("run", person="rita")]
    automations.share(jacket, shares, actor=Actor.person(jacket.owner))
    offers = {}
    for who in (viewer, runner, builders.person("operator"), builders.person("admin"), jacket.owner):
        client = Client()
        client.force_login(who)
        page = client.get(f"/automations/{jacket.pk}/").content.decode()
        offers[who.get_username()] = [act for act in acts if f"/automations/{jacket.pk}{act}" in page]
    everything = list(acts)
    assert offers.pop("vera") == [] and offers.pop("rita") == ["/run/"]
    assert list(offers.values()) == [everything] * 3


def test_a_run_that_is_on_asks_for_itself_again_and_one_that_is_over_does_not(operator: Client, jacket: Automation):
    run = automations.run_now(jacket, actor=Actor.person(jacket.owner))
    path = f"/automations/runs/{run.pk}/"
    waiting = operator.get(path, headers=HTMX)
    assert "<html" not in words(waiting) and 'hx-trigger="every 2s"' in words(waiting)
    assert waiting["Vary"].count("HX-Request") == 1
    assert "It waits for a worker" in words(operator.get(path))
    assert "The run waits for a worker." in words(operator.get(f"{path}progress/", headers=HTMX))
    assert operator.get(f"{path}progress/").url == path
    made.run_once(jacket)
    for part in (path, f"{path}progress/"):
        assert "hx-trigger" not in words(operator.get(part, headers=HTMX))
    over = words(operator.get(path))
    assert "Succeeded" in over and "What carried it out" in over and "price is at or below 100" in over


def test_home_has_a_line_about_them(operator: Client, jacket: Automation):
    assert "1 active" in words(operator.get("/")) and "/automations/" in words(operator.get("/"))
    nothing_due = {"next_run_at": None, "next_occurrence": None}
    Automation.objects.filter(pk=jacket.pk).update(status="paused", pause_reason="failures", **nothing_due)
    page = words(operator.get("/"))
    assert "0 active, 1 paused after 5 failures" in page
    assert 'href="/automations/?status=paused"' in page


@pytest.mark.parametrize(
    "path", ["/automations/", "/automations/{pk}/", "/automations/{pk}/edit/", "/automations/new/"]
)
def test_the_number_of_queries_does_not_grow_with_the_rows(
    operator: Client, owner: User, path: str, django_assert_max_num_queries: Any
):
    name = made.price_capability()

    def queries(more: int) -> int:
        for _ in range(more):
            one = made.automation(owner=owner, capability_name=name)
            for minutes in range(more):
                made.ended(one, output={"price": 5}, now=timezone.now(), ago=timedelta(minutes=minutes))
        with django_assert_max_num_queries(40) as counted:
            assert operator.get(path.format(pk=one.pk)).status_code == 200
        return len(counted)

    assert queries(2) == queries(5)
