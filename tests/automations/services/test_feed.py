"""Events start the automations that wait for them, once each; successes start what follows."""

from __future__ import annotations

import pytest
from django.db import transaction
from django.utils import timezone

from automations.models import AutomationRun, RunStatus, RunTrigger
from automations.services import automations, dispatch, feed
from donna_skills.accounts.actors import Actor
from donna_skills.errors import Invalid
from donna_skills.notifications import events
from lifecycle.states import State
from tests import builders
from tests.automations import made

pytestmark = pytest.mark.django_db


def waits_for(name: str, **fields: object):
    return made.automation(trigger="on_event", event_name=name, **fields)


def test_a_posted_event_starts_those_that_wait_for_it_and_whose_filter_fits():
    owner = builders.person("operator")
    by = Actor.person(owner)
    plain = waits_for("parcel.arrived", owner=owner)
    family = waits_for("parcel.*", owner=owner)
    narrow = waits_for("parcel.arrived", owner=owner, event_filter={"field": "weight", "op": ">", "value": 10})
    waits_for("parcel", owner=owner)
    started = feed.post("parcel.arrived", {"weight": 3}, actor=by)
    assert {run.automation_id for run in started} == {plain.pk, family.pk}
    assert {run.automation_id for run in feed.post("parcel.arrived", {"weight": 30}, actor=by)} >= {narrow.pk}
    assert plain.runs.first().payload == {"weight": 30}


def test_an_event_starts_nothing_that_its_sender_may_not_run():
    automation = waits_for("door.opened")
    assert feed.post("door.opened", {}, actor=Actor.person(builders.person("viewer"))) == []
    assert not automation.runs.exists()


@pytest.mark.parametrize("name", ["", "Parcel", "a b", "x" * 73, ".a", "a/b", "é"])
def test_a_name_that_is_none_is_refused(name: str):
    with pytest.raises(Invalid):
        feed.post(name, {}, actor=builders.SYSTEM)


def test_a_second_event_while_the_first_is_on_follows_the_overlap_policy():
    automation = waits_for("tick.tock")
    by = Actor.person(automation.owner)
    feed.post("tick.tock", {}, actor=by)
    feed.post("tick.tock", {}, actor=by)
    assert sorted(automation.runs.values_list("status", flat=True)) == ["queued", "skipped_overlap"]


def test_a_paused_one_waits_for_nothing():
    automation = waits_for("tick.tock")
    by = Actor.person(automation.owner)
    automations.pause(automation, actor=by)
    assert feed.post("tick.tock", {}, actor=by) == []


def test_the_platforms_own_events_start_automations_once_whoever_reads_the_feed():
    automation = waits_for("channel.*")
    feed.read(timezone.now())
    with transaction.atomic():
        events.publish("channel.failing", subject_type="channel", subject_id="x", payload={"channel": "mail"})
    feed.read(timezone.now())
    assert automation.runs.get().payload == {"channel": "mail"}
    from automations.models import FeedCursor

    FeedCursor.objects.update(seq=0)  # as a second reader that was behind
    feed.read(timezone.now())
    assert automation.runs.filter(payload__channel="mail").count() == 1


def test_the_past_starts_nothing_and_automations_own_events_never_do():
    with transaction.atomic():
        events.publish("channel.failing", subject_type="channel", subject_id="x")
    automation = waits_for("channel.failing")
    assert feed.read(timezone.now()) == 0
    with transaction.atomic():
        events.publish("automation.alert", subject_type="automation", subject_id="x")
    feed.read(timezone.now())
    assert not automation.runs.exists()


def test_a_success_starts_what_follows_and_a_failure_does_not():
    owner = builders.person("operator")
    first = made.automation(owner=owner, capability_name=made.price_capability(), trigger="on_manual")
    then = made.automation(
        owner=owner, capability_name=builders.skill(State.CLAUDE_NATIVE).capability.name, trigger="on_manual"
    )
    automations.update(first, {"follow_ups": [then.pk]}, actor=Actor.person(owner))
    made.PRICES.append(ValueError("gone"))
    made.run_once(first)
    assert not then.runs.exists()
    run = made.run_once(first)
    follow = then.runs.get()
    assert (follow.trigger, follow.depth, follow.cause) == (RunTrigger.FOLLOW_UP, 1, f"after:{run.pk}")
    assert follow.status == RunStatus.SUCCEEDED  # the same drain went on to it


def test_a_chain_that_grew_too_long_ends_in_a_row_that_says_so():
    owner = builders.person("operator")
    first, then = (
        made.automation(owner=owner, capability_name=made.price_capability(), trigger="on_manual") for _ in range(2)
    )
    automations.update(first, {"follow_ups": [then.pk]}, actor=Actor.person(owner))
    run = automations.run_now(first, actor=Actor.person(owner))
    AutomationRun.objects.filter(pk=run.pk).update(depth=5)
    dispatch.drain()
    last = then.runs.get()
    assert (last.status, "chain" in last.reason) == (RunStatus.CANCELLED, True)
