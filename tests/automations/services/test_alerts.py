"""Alerts: told on the edge and once, in words, with the trace of why; and rehearsed by the same code."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from automations.models import AlertDecision, Automation, RunStatus
from automations.services import alerts, automations, dispatch, proposals
from donna_skills.accounts.actors import Actor
from donna_skills.errors import Invalid
from donna_skills.notifications import channels
from donna_skills.notifications.models import Delivery, Event, Notification
from tests import builders
from tests.automations import made

pytestmark = pytest.mark.django_db
BELOW = {"field": "price", "op": "<", "value": 100}


def watch(**fields: object) -> Automation:
    fields.setdefault("alert_conditions", BELOW)
    return made.automation(capability_name=made.price_capability(), trigger="on_manual", **fields)


def told(automation: Automation, *prices: object) -> list[str]:
    found = []
    for price in prices:
        made.PRICES.append(price)
        found.append(made.run_once(automation).alert)
    return found


def inbox(automation: Automation) -> list[str]:
    lines = Notification.objects.filter(person=automation.owner, event__kind__startswith="automation.")
    return list(lines.order_by("created_at").values_list("title", flat=True))


def test_an_alert_rings_on_the_edge_on_a_change_and_when_it_is_over():
    automation = watch(name="Jacket")
    assert told(automation, 120, 89.5, 89.5, 85, 120, 120) == [
        "none", "opened", "none", "changed", "resolved", "none"
    ]  # fmt: skip
    assert inbox(automation) == [
        "Jacket: price is 89.5, below 100",
        "Jacket: price is 85, below 100",
        "Jacket: it is over",
    ]


def test_a_run_keeps_the_value_and_the_verdict_of_every_clause():
    automation = watch(alert_conditions={"all_of": [BELOW, {"field": "note", "op": "contains", "value": "sale"}]})
    made.PRICES.append({"price": 50, "note": "as always"})
    run = made.run_once(automation)
    assert [(one["path"], one["value"], one["verdict"]) for one in run.trace] == [
        ("/all_of/0", 50, True),
        ("/all_of/1", "as always", False),
    ]
    assert (run.alert, run.alert_reason) == ("none", "The condition is not true.")


def test_a_cool_down_and_a_repetition_hold_back_and_ring_again():
    automation = watch(cool_down_seconds=3600)
    assert told(automation, 90, 80) == ["opened", "none"]
    again = watch(repeat_every_seconds=0)
    assert told(again, 90, 90) == ["opened", "repeated"]


def test_a_failure_can_be_what_is_alerted_on():
    automation = watch(alert_conditions={"on": "failure"})
    assert told(automation, ValueError("gone"), 90) == ["opened", "resolved"]
    assert "The run failed." in Notification.objects.filter(person=automation.owner).order_by("created_at")[0].body


def test_a_budget_that_is_used_up_is_no_data():
    automation = watch(alert_conditions={"on": "no_data"}, max_cost_per_run_usd=Decimal(1000))
    run = made.run_once(automation)
    assert (run.status, run.alert) == (RunStatus.SKIPPED_BUDGET, "opened")


def test_a_failure_neither_opens_nor_ends_what_is_asked_of_outputs():
    automation = watch()
    assert told(automation, 90, ValueError("gone"), 90) == ["opened", "none", "none"]


def test_hysteresis_asks_for_several_runs_in_a_row():
    automation = watch(alert_conditions={**BELOW, "for": {"runs": 2}})
    assert told(automation, 90, 120, 90, 90) == ["none", "none", "none", "opened"]


def test_changes_are_counted_from_the_success_before_over_failures_too():
    automation = watch(alert_conditions={"field": "price", "op": "decreased_by", "value": "10%"})
    assert told(automation, 100, ValueError("gone"), 95, 85) == ["none", "none", "none", "opened"]


def test_a_condition_that_cannot_be_judged_marks_the_run_and_is_told_once_for_each_version():
    automation = watch()
    Automation.objects.filter(pk=automation.pk).update(alert_conditions={"field": "price", "op": "~"})
    assert told(automation, 90, 90) == [AlertDecision.ERROR, AlertDecision.ERROR]
    run = automation.runs.order_by("-id").first()
    assert run is not None and run.status == RunStatus.SUCCEEDED and "op" in run.alert_reason
    assert len(inbox(automation)) == 1


def test_another_condition_begins_anew():
    automation = watch()
    assert told(automation, 90) == ["opened"]
    by = Actor.person(automation.owner)
    automation = automations.update(automation, {"alert_conditions": {**BELOW, "value": 95}}, actor=by)
    assert told(automation, 90) == ["opened"]


def test_an_alert_goes_to_the_channels_that_are_named_and_to_all_where_none_is():
    owner = builders.person("operator")
    by = Actor.person(owner)
    one, other = (
        channels.create(name=name, kind="email", target=f"{name}@example.org", by=by, person=owner)[0]
        for name in ("one", "other")
    )
    narrow = watch(owner=owner, alert_channels=[str(one.pk)])
    told(narrow, 90)
    sent = Delivery.objects.filter(event__kind="automation.alert")
    assert list(sent.values_list("channel", flat=True)) == [one.pk]
    sent.delete()
    told(watch(owner=owner), 90)
    assert set(sent.values_list("channel", flat=True)) == {one.pk, other.pk}
    with pytest.raises(Invalid):
        watch(alert_channels=[str(one.pk)])  # somebody else's


def test_a_worker_that_comes_back_late_tells_nothing():
    automation = watch()
    automations.run_now(automation, actor=Actor.person(automation.owner))
    held = dispatch.claim(timezone.now())
    dispatch.reap(timezone.now() + timedelta(minutes=3))
    made.PRICES.append(10)
    dispatch.carry_out(held)
    assert not Event.objects.filter(kind="automation.alert").exists()


def test_a_rehearsal_tells_what_the_live_path_would_have_told():
    prices = [120, 89, 89, 85, 120, 99, 99]
    automation = watch()
    live = [one for one in told(automation, *prices) if one != "none"]
    silent = watch(alert_conditions={})
    told(silent, *prices)
    silent.alert_conditions = BELOW
    found = proposals.rehearse(silent, list(silent.runs.order_by("-id")))
    assert [one.notice.kind for one in reversed(found.told)] == live == ["opened", "changed", "resolved", "opened"]
    assert (found.looked_at, found.alerts) == (7, 3)
    assert not Event.objects.filter(kind="automation.alert", subject_id=silent.pk).exists()


def test_a_rehearsal_with_hysteresis_sees_the_runs_before():
    automation = watch(alert_conditions={})
    told(automation, 90, 90, 90, 120)
    automation.alert_conditions = {**BELOW, "for": {"runs": 2, "of": 3}}
    found = proposals.rehearse(automation, list(automation.runs.order_by("-id")))
    assert [one.notice.kind for one in found.told] == ["opened"]


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        (None, "nothing"),
        (True, "yes"),
        ([1, 2, 3, 4, 5, 6], "1, 2, 3, 4, 5 and 1 more"),
        ({"a": {"b": None}}, "a: b: nothing"),
        ("x" * 500, "x" * 159 + "…"),
    ],
)
def test_values_are_said_in_words_and_never_as_json(output: object, shown: str):
    from automations.services import texts

    assert texts.in_words(output) == shown


def test_an_empty_success_is_no_data():
    assert [alerts.kind_of(RunStatus.SUCCEEDED, one) for one in ({}, [], None, "", {"a": 1}, 0)] == [
        "no_data", "no_data", "no_data", "no_data", "success", "success"
    ]  # fmt: skip
