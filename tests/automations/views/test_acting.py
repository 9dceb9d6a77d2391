"""Run, pause, go on, copy, share, delete and cancel from the pages: the act, the refusal, and the forged request."""

from __future__ import annotations

import pytest
from django.test import Client

from automations.models import Automation, AutomationRun
from automations.services import automations
from donna_skills.accounts.actors import Actor
from tests import builders
from tests.automations.views.conftest import HTMX, as_person, words

pytestmark = pytest.mark.django_db


def test_run_now_leads_to_the_run_or_follows_it_in_place(operator: Client, jacket: Automation):
    path = f"/automations/{jacket.pk}/run/"
    answer = operator.post(path)
    run = AutomationRun.objects.get()
    assert answer.url == f"/automations/runs/{run.pk}/"
    assert (run.trigger, run.requested_by) == ("manual", jacket.owner)
    followed = words(operator.post(path, headers=HTMX))
    assert "The run waits for a worker." in followed and 'hx-trigger="every 2s"' in followed
    assert operator.get(path).status_code == 405


def test_pause_and_resume_and_what_is_so_already(operator: Client, jacket: Automation):
    def act(name: str) -> int:
        return operator.post(f"/automations/{jacket.pk}/{name}/").status_code

    assert (act("pause"), act("pause")) == (302, 409)
    jacket.refresh_from_db()
    assert (jacket.status, jacket.pause_reason) == ("paused", "person")
    refused = operator.post(f"/automations/{jacket.pk}/pause/")
    assert "The automation is paused already." in words(refused)
    assert (act("resume"), act("resume"), act("explode")) == (302, 409, 404)
    jacket.refresh_from_db()
    assert jacket.status == "active"


def test_a_copy_is_paused_and_the_copier_s(operator: Client, jacket: Automation):
    other = as_person("operator", name="oscar")
    assert other.post(f"/automations/{jacket.pk}/duplicate/").status_code == 302
    copy = Automation.objects.get(owner__username="oscar")
    assert (copy.name, copy.status, copy.alert_conditions) == ("Jacket (copy)", "paused", jacket.alert_conditions)


def test_deleting_asks_first(operator: Client, jacket: Automation):
    path = f"/automations/{jacket.pk}/delete/"
    asked = words(operator.get(path))
    assert "Delete Jacket?" in asked and "pause it instead" in asked
    jacket.refresh_from_db()
    assert jacket.status == "active"
    assert operator.post(path).url == "/automations/"
    assert operator.post(path).status_code == 409
    jacket.refresh_from_db()
    assert jacket.status == "deleted"
    assert "It is deleted and never runs again." in words(operator.get(f"/automations/{jacket.pk}/"))
    assert operator.post(f"/automations/{jacket.pk}/run/").status_code == 409
    assert operator.post(f"/automations/{jacket.pk}/run/", headers=HTMX).status_code == 409


def test_sharing_lets_in_and_takes_out(operator: Client, jacket: Automation):
    vera = builders.person("viewer", name="vera")
    path = f"/automations/{jacket.pk}/share/"
    assert operator.post(path, {"kind": "person", "who": "vera", "level": "view"}).status_code == 302
    assert operator.post(path, {"kind": "group", "who": "reviewer", "level": "run"}).status_code == 302
    assert operator.post(path, {"kind": "person", "who": "vera", "level": "run"}).status_code == 302
    shares = {str(one.person or one.group): one.level for one in jacket.shares.all()}
    assert shares == {"vera": "run", "reviewer": "run"}
    nobody = operator.post(path, {"kind": "person", "who": "nobody", "level": "view"})
    assert nobody.status_code == 422 and "Name one person or one group that there is." in words(nobody)
    assert operator.post(path, {"kind": "person"}).status_code == 422
    assert operator.post(path, {"out": str(jacket.shares.get(person=vera).pk)}).status_code == 302
    assert [str(one.group) for one in jacket.shares.all()] == ["reviewer"]


def test_a_run_that_waits_is_cancelled_once(operator: Client, jacket: Automation):
    run = automations.run_now(jacket, actor=Actor.person(jacket.owner))
    path = f"/automations/runs/{run.pk}/cancel/"
    part = words(operator.post(path, headers=HTMX))
    assert "Cancelled by person olga." in part and "hx-trigger" not in part
    late = operator.post(path)
    assert late.status_code == 409 and "The run is over already: it is cancelled." in words(late)
    other = automations.run_now(jacket, actor=Actor.person(jacket.owner))
    assert operator.post(f"/automations/runs/{other.pk}/cancel/").url == f"/automations/runs/{other.pk}/"


def test_whoever_may_only_look_is_refused_and_nothing_changes(jacket: Automation):
    vera = as_person("viewer", name="vera")
    automations.share(jacket, [automations.Share("view", person="vera")], actor=Actor.person(jacket.owner))
    run = automations.run_now(jacket, actor=Actor.person(jacket.owner))
    before = Automation.objects.values().get()
    for act in ("run", "pause", "resume", "duplicate", "delete", "share"):
        data = {"kind": "person", "who": "vera", "level": "run"}
        assert vera.post(f"/automations/{jacket.pk}/{act}/", data).status_code == 403, act
    assert vera.get(f"/automations/{jacket.pk}/delete/").status_code == 403
    assert vera.post(f"/automations/{jacket.pk}/run/", headers=HTMX).status_code == 422
    assert vera.post(f"/automations/runs/{run.pk}/cancel/").status_code == 403
    assert Automation.objects.values().get() == before and AutomationRun.objects.count() == 1
    stranger = as_person("viewer")
    assert stranger.post(f"/automations/{jacket.pk}/run/").status_code == 404
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(jacket.owner)
    assert strict.post(f"/automations/{jacket.pk}/pause/").status_code == 403
