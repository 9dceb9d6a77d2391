"""The form: made from a capability's schema, helped without saving, refused where it is wrong, and never overwriting
what somebody else changed meanwhile."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from automations import forms_conflicts, sheets
from automations.models import Automation
from automations.services import automations
from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import User
from donna_skills.notifications import channels
from donna_skills.notifications.models import Delivery
from lifecycle.models import Capability
from lifecycle.services import seeds
from tests import builders
from tests.automations import made
from tests.automations.views.conftest import HTMX, as_person, words

pytestmark = pytest.mark.django_db
NEW = "/automations/new/"


def filled(capability: str, **more: Any) -> dict[str, Any]:
    """The form as a browser sends it, with one condition."""
    return {
        "act": "save", "capability_name": capability, "in_text": "the jacket", "name": "Jacket", "description": "",
        "trigger": "on_schedule", "schedule": "0 8 * * *", "timezone": "Europe/Prague", "event_name": "",
        "event_filter": "", "min_interval_seconds": "15 min", "preferred_from": "", "preferred_until": "",
        "jitter_seconds": "0 s", "overlap_policy": "skip", "catch_up_policy": "latest_once",
        "catch_up_window_seconds": "1 d", "repeat_every_seconds": "", "cool_down_seconds": "0 s",
        "max_cost_per_run_usd": "2", "alert_as": "rows", "alert_match": "all", "alert_field": ["price"],
        "alert_op": ["<="], "alert_value": ["100"], "alert_runs": "", "alert_of": "", **more,
    }  # fmt: skip


def opened(automation: Automation, **more: Any) -> dict[str, Any]:
    """The form of an automation as it is sent back untouched, but for what is named."""
    values = sheets.kept_values(automation)
    form = filled(automation.capability.name, in_text=automation.inputs["text"], name=automation.name)
    seen = {
        "revision": str(automation.revision),
        "seen": forms_conflicts.snapshot(values),
        "min_interval_seconds": "5 min",
    }
    return {**form, **seen, **more}


def test_the_form_makes_an_automation_and_shows_it(operator: Client, owner: User):
    answer = operator.post(NEW, filled(made.price_capability(), repeat_every_seconds="2 h", description="Mine."))
    one = Automation.objects.get()
    assert (answer.status_code, answer.url) == (302, f"/automations/{one.pk}/")
    assert (one.owner, one.created_via, one.timezone, one.repeat_every_seconds) == (
        owner,
        "page",
        "Europe/Prague",
        7200,
    )
    assert one.inputs == {"text": "the jacket"}
    assert one.alert_conditions == {"field": "price", "op": "<=", "value": 100}
    assert (one.min_interval_seconds, one.catch_up_window_seconds) == (900, 86_400)


def test_everything_that_is_wrong_is_said_where_it_is_and_what_was_typed_stays(operator: Client):
    wrong = filled(
        made.price_capability(),
        schedule="61 8 * * *", alert_field=["prise"], alert_value=["cheap"], min_interval_seconds="15 min",
        in_text="what I typed", alert_channels=[],
    )  # fmt: skip
    answer = operator.post(NEW, wrong)
    page = words(answer)
    assert answer.status_code == 422 and not Automation.objects.exists()
    assert "Outputs never have `prise`" in page and 'id="alert-error-0"' in page
    assert 'value="what I typed"' in page and 'value="cheap"' in page
    assert 'id="id_schedule_error"' in page
    half = operator.post(
        NEW, filled(made.price_capability(), min_interval_seconds="soon", in_text="", alert_value=[""])
    )
    page = words(half)
    assert half.status_code == 422
    assert "Write a length of time" in page and "This is needed." in page and "Say what it is compared with." in page
    assert operator.post(NEW, filled("")).status_code == 422


def test_a_condition_as_json_is_refused_with_its_place(operator: Client):
    name = made.price_capability()
    as_json = {"alert_as": "json", "alert_field": [], "alert_op": [], "alert_value": []}
    bad = operator.post(NEW, filled(name, **as_json, alert_json='{\n "field": }'))
    assert bad.status_code == 422 and "in line 2, column 11" in words(bad)
    nested = {"all_of": [{"field": "price", "op": "<", "value": 5}, {"field": "price", "op": "nearly", "value": 1}]}
    refused = operator.post(NEW, filled(name, **as_json, alert_json=json.dumps(nested)))
    assert refused.status_code == 422 and "(at /all_of/1" in words(refused)
    nested["all_of"][1] = {"not": {"field": "note", "op": "exists"}}
    assert operator.post(NEW, filled(name, **as_json, alert_json=json.dumps(nested))).status_code == 302
    one = Automation.objects.get()
    assert one.alert_conditions == nested
    page = words(operator.get(f"/automations/{one.pk}/edit/"))
    assert 'name="alert_as" value="json"' in page


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["plain", "htmx"])
def test_helping_acts_save_nothing_and_keep_what_was_typed(operator: Client, headers: dict[str, str]):
    name = made.price_capability()

    def ask(act: str, **more: Any) -> str:
        answer = operator.post(NEW, filled(name, **{"act": act, "name": "Kept name", **more}), headers=headers)
        page = words(answer)
        assert answer.status_code == 200 and 'value="Kept name"' in page
        assert ("<html" in page) == (not headers)
        return page

    assert ask("add-row").count('name="alert_field"') == 2
    assert ask("remove-row:0").count('value="100"') == 0
    assert '"op": "&lt;="' in ask("as-json").replace("&quot;", '"')
    assert 'value="30 7 * * 1-5"' in ask("rhythm", rhythm_every="weekday", rhythm_at="07:30")
    assert "There is no run of the last 90 days" in ask("rehearse")
    other = builders.capability(input_schema={"type": "object", "properties": {"city": {"type": "string"}}}).name
    assert 'name="in_city"' in ask("choose", capability_name=other)
    assert not Automation.objects.exists()


def test_a_rehearsal_says_on_which_runs_it_would_have_alerted(operator: Client, jacket: Automation):
    now = timezone.now()
    for hours, price in ((4, 120), (3, 90), (2, 130), (1, 80)):
        made.ended(jacket, output={"price": price}, now=now, ago=timedelta(hours=hours))
    edit = f"/automations/{jacket.pk}/edit/"
    page = words(operator.post(edit, opened(jacket, act="rehearse"), headers=HTMX))
    assert "this would have alerted <strong>2 times</strong> in 4 runs." in page
    assert page.count("/automations/runs/") >= 2
    wrong = words(operator.post(edit, opened(jacket, act="rehearse", alert_field=["prise"]), headers=HTMX))
    assert "Outputs never have `prise`" in wrong
    jacket.refresh_from_db()
    assert (jacket.revision, jacket.alert_open) == (1, False)
    other = words(operator.post(NEW, filled(jacket.capability.name, act="rehearse"), headers=HTMX))
    assert "There is no run" in other


def test_the_outlook_is_live_and_says_what_the_floor_does(operator: Client):
    skill = builders.skill()
    asked = {"capability_name": skill.capability.name, "schedule": "0 8 * * 1-5", "timezone": "Europe/Prague"}
    page = words(operator.get("/automations/outlook/", asked, headers=HTMX))
    assert "Every weekday at 08:00, Prague" in page and page.count("<tr>") == 11
    dense = words(operator.get("/automations/outlook/", {**asked, "schedule": "0 * * * *"}, headers=HTMX))
    assert "the shortest allowed is 12 hours" in dense
    spaced = {**asked, "schedule": "0 * * * *", "spaced": "on"}
    assert "closer than 12 h is passed over" in words(operator.get("/automations/outlook/", spaced, headers=HTMX))
    assert "field-error" in words(operator.get("/automations/outlook/", {**asked, "schedule": "x"}, headers=HTMX))
    assert operator.get("/automations/outlook/", {}, headers=HTMX).status_code == 200
    assert operator.get("/automations/outlook/", asked).url == NEW


def test_an_untouched_form_changes_nothing_and_a_touched_one_only_that(operator: Client, jacket: Automation):
    edit = f"/automations/{jacket.pk}/edit/"
    assert operator.post(edit, opened(jacket)).status_code == 302
    jacket.refresh_from_db()
    assert jacket.revision == 1
    assert operator.post(edit, opened(jacket, schedule="0 9 * * *")).status_code == 302
    changed = Automation.objects.get()
    assert (changed.schedule, changed.revision, changed.next_run_at != jacket.next_run_at) == ("0 9 * * *", 2, True)


def test_what_another_changed_meanwhile_is_shown_and_what_was_typed_is_kept(operator: Client, jacket: Automation):
    edit, stale = f"/automations/{jacket.pk}/edit/", opened(jacket, name="My name", schedule="0 10 * * *")
    admin = Actor.person(builders.person("admin", name="adam"))
    automations.update(jacket, {"schedule": "0 9 * * *", "cool_down_seconds": 3600}, actor=admin)
    answer = operator.post(edit, stale)
    page = words(answer)
    assert answer.status_code == 409
    assert "Somebody changed it meanwhile" in page and "adam changed it" in page and "Save over it" in page
    assert "<td>0 8 * * *</td><td>0 9 * * *</td><td>0 10 * * *</td>" in page
    assert '<td>1 h</td><td><span class="muted">left alone</span></td>' in page
    assert 'value="My name"' in page and 'value="0 10 * * *"' in page and 'value="1 h"' in page
    assert Automation.objects.get().name == "Jacket"
    newest = Automation.objects.get()
    again = opened(newest, name="My name", schedule="0 10 * * *", cool_down_seconds="1 h")
    assert operator.post(edit, again).status_code == 302
    saved = Automation.objects.get()
    assert (saved.name, saved.schedule, saved.cool_down_seconds) == ("My name", "0 10 * * *", 3600)


def test_a_capability_that_is_no_longer_active_stays_chosen(operator: Client, jacket: Automation):
    Capability.objects.filter(pk=jacket.capability_id).update(status="pending_review")
    page = words(operator.get(f"/automations/{jacket.pk}/edit/"))
    assert f'<option value="{jacket.capability.name}" selected>' in page
    assert operator.post(f"/automations/{jacket.pk}/edit/", opened(jacket, name="Still it")).status_code == 302
    jacket.refresh_from_db()
    assert (jacket.name, jacket.capability.status) == ("Still it", "pending_review")


def test_a_name_that_is_taken_is_said_at_the_name(operator: Client, jacket: Automation):
    answer = operator.post(NEW, filled(jacket.capability.name))
    assert answer.status_code == 409 and "This name is taken." in words(answer)
    assert Automation.objects.count() == 1


def test_a_channel_is_tested_from_the_form(operator: Client, owner: User, jacket: Automation):
    channel, _ = channels.create(
        name="Mail", kind="email", target="o@example.org", by=Actor.person(owner), person=owner
    )
    edit = f"/automations/{jacket.pk}/edit/"
    page = words(operator.post(edit, opened(jacket, act=f"test-channel:{channel.pk}"), headers=HTMX))
    assert "A test of Mail is on its way." in page and Delivery.objects.count() == 1
    again = words(operator.post(edit, opened(jacket, act=f"test-channel:{channel.pk}"), headers=HTMX))
    assert "A test is on its way on this channel already." in again
    assert operator.post(edit, opened(jacket, act="test-channel:x"), headers=HTMX).status_code == 200
    assert Delivery.objects.count() == 1
    assert operator.post(edit, opened(jacket, alert_channels=[str(channel.pk)])).status_code == 302
    assert Automation.objects.get().alert_channels == [str(channel.pk)]


def test_words_fill_the_form_and_what_they_leave_open_is_asked(operator: Client):
    seeds.load()
    text = "tell me when the jacket at https://shop.example/jacket drops below $100, check every morning"
    page = words(operator.post("/automations/from-words/", {"text": text}))
    assert 'value="product_watch" selected' in page and "> https://shop.example/jacket</textarea>" in page
    assert 'value="0 8 * * *"' in page and 'value="100"' in page and 'value="price"' in page
    assert "In which time zone?" in page and 'name="via" value="text"' in page
    assert not Automation.objects.exists()
    assert operator.post(NEW, filled(made.price_capability(), via="text")).status_code == 302
    assert Automation.objects.get().created_via == "text"
    vague = words(operator.post("/automations/from-words/", {"text": "do the thing"}))
    assert "How often, and at what time of day?" in vague and "Which capability is to do it?" in vague
    assert operator.post("/automations/from-words/", {"text": " "}).status_code == 422
    assert operator.get("/automations/from-words/").status_code == 405


def test_only_who_may_makes_and_changes(jacket: Automation):
    vera = as_person("viewer", name="vera")
    automations.share(jacket, [automations.Share("run", person="vera")], actor=Actor.person(jacket.owner))
    jacket.refresh_from_db()
    for method in (vera.get, vera.post):
        assert method(NEW).status_code == 403
        assert method(f"/automations/{jacket.pk}/edit/").status_code == 403
    assert vera.post("/automations/from-words/", {"text": "hello"}).status_code == 403
    assert as_person("operator").post(f"/automations/{jacket.pk}/edit/", opened(jacket, name="Ours")).status_code == 302
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(jacket.owner)
    assert strict.post(NEW, filled(jacket.capability.name)).status_code == 403
