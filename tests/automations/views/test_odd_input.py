"""Whatever is sent, the pages answer with a form that says what is wrong, and write nothing."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from automations.models import Automation
from tests.automations import made
from tests.automations.views.conftest import HTMX
from tests.automations.views.test_editing import NEW, filled

pytestmark = pytest.mark.django_db
AS_JSON = {"alert_as": "json"}
REFUSED: tuple[dict[str, Any], ...] = (
    {"in_text": "a\x00b"},
    {"name": "a\x00b"},
    {"alert_op": ["=="], "alert_value": ["a\x00b"]},
    {**AS_JSON, "alert_json": '{"field": "note", "op": "==", "value": "\\ud800"}'},
    {**AS_JSON, "alert_json": '{"field": "note", "op": "==", "value": "\\u0000"}'},
    {**AS_JSON, "alert_json": "[1]"},
    {**AS_JSON, "alert_json": '{"not": ' * 150 + "{}" + "}" * 150},
    {**AS_JSON, "alert_json": "[" * 100_000},
    {"event_filter": '{"field": "x", "op": "==", "value": "\\u0000"}'},
    {"trigger": "on_event", "event_name": "x.y", "event_filter": "[1]"},
    {"min_interval_seconds": "999999999 d"},
    {"max_cost_per_run_usd": "NaN"},
    {"timezone": "../etc"},
    {"schedule": "* * * * * *"},
    {"schedule": ""},
    {"preferred_from": "08:00"},
    {"follow_ups": ["x"]},
    {"alert_channels": ["x"]},
    {"alert_runs": "999", "alert_of": "1"},
    {"capability_name": "nope\x00"},
    {"capability_name": ""},
)
HELPED: tuple[dict[str, Any], ...] = (
    {"act": "remove-row:99999999999999999999"},
    {"act": "test-channel:\x00"},
    {"act": "as-rows", **AS_JSON, "alert_json": "[1]"},
    {"act": "as-rows", **AS_JSON, "alert_json": "{"},
    {"act": "rehearse", **AS_JSON, "alert_json": "[1]"},
    {"act": "rehearse", "cool_down_seconds": "x"},
    {"act": "rehearse", "capability_name": ""},
    {"act": "choose", "schedule": "\x00", "timezone": "\x00", "min_interval_seconds": "999999999 d"},
    {"act": "rhythm", "rhythm_at": "99:99"},
    {"act": "nonsense", "revision": "x", "seen": "[", "via": "hack"},
)


def test_what_cannot_be_kept_is_refused_with_the_form(operator: Client):
    name = made.price_capability()
    answers = [operator.post(NEW, filled(name, **more), headers=HTMX).status_code for more in REFUSED]
    assert dict(zip(range(len(REFUSED)), answers, strict=True)) == dict.fromkeys(range(len(REFUSED)), 422)
    assert not Automation.objects.exists()


def test_help_with_what_cannot_be_read_is_the_form_again(operator: Client):
    name = made.price_capability()
    answers = [operator.post(NEW, filled(name, **more), headers=HTMX).status_code for more in HELPED]
    assert answers == [200] * len(HELPED)
    assert not Automation.objects.exists()


@pytest.mark.parametrize("query", ["text=%00", "owner=%00", "capability=x%00", "page=-1", "status=%F0"])
def test_filters_that_are_none_are_left_out(operator: Client, query: str):
    assert operator.get(f"/automations/?{query}").status_code == 200


@pytest.mark.parametrize(
    "query", ["schedule=%00", "timezone=%00&schedule=@hourly", "min_interval_seconds=999999999d&schedule=@hourly"]
)
def test_an_outlook_of_nonsense_says_so(operator: Client, query: str):
    name = made.price_capability()
    for asked in (query, f"capability_name={name}&{query}", f"capability_name=%00&{query}"):
        assert operator.get(f"/automations/outlook/?{asked}", headers=HTMX).status_code == 200


def test_words_that_say_nothing_are_refused(operator: Client):
    for text, status in (("a\x00b", 200), ("x" * 3000, 422), ("", 422), ("?", 200)):
        assert operator.post("/automations/from-words/", {"text": text}).status_code == status, text[:5]
