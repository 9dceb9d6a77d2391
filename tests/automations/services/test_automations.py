"""What people and bots may ask of an automation, what is refused and where, and that a refusal leaves nothing."""

from __future__ import annotations

from datetime import time, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from django.db import IntegrityError
from django.utils import timezone

from automations.models import Automation, AutomationRun, CreatedVia, RunStatus, RunTrigger, Status
from automations.services import access, automations, tick
from automations.services.automations import Share
from donna_skills.accounts.actors import Actor
from donna_skills.audit.models import AuditEvent
from donna_skills.errors import Conflict, Invalid, NotFound, NotPermitted, PreconditionFailed
from lifecycle.states import State
from tests import builders
from tests.automations import made

pytestmark = pytest.mark.django_db


def make(**fields: Any) -> Automation:
    return made.automation(**fields)


def refused(**fields: Any) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as caught:
        make(**fields)
    assert not Automation.objects.exists()
    return [(error.path, error.message) for error in caught.value.errors]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"schedule": "0 0 31 2 *"}, "schedule"),
        ({"schedule": "0 0 * * * *"}, "schedule"),
        ({"schedule": "R * * * *"}, "schedule"),
        ({"schedule": "@reboot"}, "schedule"),
        ({"schedule": ""}, "schedule"),
        ({"schedule": None}, "schedule"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"schedule": "*/5 * * * *"}, "schedule"),
        ({"inputs": {"text": 3}}, "/inputs/text"),
        ({"inputs": {}}, "/inputs"),
        ({"max_cost_per_run_usd": Decimal("-1")}, "max_cost_per_run_usd"),
        ({"max_cost_per_run_usd": Decimal("NaN")}, "max_cost_per_run_usd"),
        ({"max_cost_per_run_usd": None}, "max_cost_per_run_usd"),
        ({"min_interval_seconds": 1}, "min_interval_seconds"),
        ({"name": " \t "}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"capability_name": "unheard_of"}, "capability_name"),
        ({"trigger": "on_event"}, "event_name"),
        ({"trigger": "on_event", "event_name": "automation.alert"}, "event_name"),
        ({"alert_conditions": {"field": "label", "op": "~"}}, "/alert_conditions/op"),
        ({"alert_conditions": {"all_of": [{"field": "label", "op": "exists"}, {"field": "lable", "op": "exists"}]}},
         "/alert_conditions/all_of/1/field"),
        ({"alert_conditions": {"field": "label", "op": "matches", "value": "(a+)+$"}}, "/alert_conditions/value"),
        ({"alert_channels": ["nobody"]}, "/alert_channels/0"),
        ({"preferred_from": time(8), "preferred_until": None}, "preferred_until"),
        ({"preferred_from": time(8), "preferred_until": time(8)}, "preferred_until"),
        ({"schedule": "0 3 * * *", "preferred_from": time(8), "preferred_until": time(9)}, "schedule"),
        ({"jitter_seconds": 4000}, "jitter_seconds"),
        ({"overlap_policy": "queue"}, "overlap_policy"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_place_and_nothing_is_written(fields: dict[str, Any], path: str):
    found = refused(**fields)
    assert found[0][0] == path, found
    assert found[0][1]


def test_a_tree_that_is_too_deep_or_too_wide_is_refused_quickly():
    deep: Any = {"field": "label", "op": "exists"}
    for _ in range(80):
        deep = {"not": deep}
    wide = {"any_of": [{"field": "label", "op": "exists"}] * 10_000}
    assert "deep" in refused(alert_conditions=deep)[0][1]
    assert "at most" in refused(alert_conditions=wide)[0][1]


def test_several_errors_are_said_at_once():
    found = refused(inputs={"text": 1}, max_cost_per_run_usd=Decimal(-1), timezone="Nowhere")
    assert {"/inputs/text", "max_cost_per_run_usd", "timezone"} <= {path for path, _ in found}


def test_a_schedule_denser_than_the_floor_is_kept_when_it_is_to_be_spaced():
    automation = make(schedule="*/5 * * * *", spaced=True, state=State.CLAUDE_NATIVE)
    assert (automation.schedule, automation.floor_seconds) == ("*/5 * * * *", 43_200)


def test_a_name_is_given_once_per_owner_whatever_its_case_and_free_again_after_a_deletion():
    owner = builders.person("operator")
    first = make(owner=owner, name="Price  watch")
    assert first.name == "Price watch"
    with pytest.raises(Conflict) as caught:
        make(owner=owner, name="PRICE watch")
    assert caught.value.code == "duplicate_name"
    make(name="Price watch")
    other = make(owner=owner, name="Other")
    with pytest.raises(Conflict):
        automations.update(other, {"name": "price watch"}, actor=Actor.person(owner))
    automations.delete(first, actor=Actor.person(owner))
    assert automations.update(other, {"name": "price watch"}, actor=Actor.person(owner)).name == "price watch"


def test_only_operators_admins_and_their_bots_make_automations():
    name = builders.skill(State.TRUSTED).capability.name
    for role in ("viewer", "author", "reviewer"):
        with pytest.raises(NotPermitted):
            make(owner=builders.person(role), capability_name=name)
    assert AuditEvent.objects.filter(action="automation.create.refused").count() == 3
    owner = builders.person("operator")
    bot = Actor.bot(builders.bot_token(owner=owner)[0])
    wanted = {"name": "a", "capability_name": name, "inputs": {"text": "x"}, "schedule": "@hourly"}
    assert automations.create(wanted, actor=bot, via=CreatedVia.API).owner == owner
    with pytest.raises(NotPermitted):
        stranger = Actor.bot(builders.bot_token(owner=builders.person("viewer"))[0])
        automations.create(wanted, actor=stranger, via=CreatedVia.API)


def test_a_change_moves_only_what_it_names_and_the_next_start_with_the_schedule():
    automation = make(description="before", schedule="0 * * * *")
    by = Actor.person(automation.owner)
    changed = automations.update(automation, {"description": None}, actor=by)
    assert (changed.description, changed.next_run_at, changed.revision) == ("", automation.next_run_at, 2)
    moved = automations.update(changed, {"schedule": "30 5 * * *"}, actor=by)
    assert (moved.next_run_at.hour, moved.next_run_at.minute, moved.revision) == (5, 30, 3)
    same = automations.update(moved, {"schedule": "30 5 * * *"}, actor=by)
    assert same.revision == 3
    by_hand = automations.update(same, {"trigger": "on_manual", "schedule": None}, actor=by)
    assert (by_hand.next_run_at, by_hand.schedule) == (None, "")


def test_a_change_against_an_older_revision_is_refused():
    automation = make()
    by = Actor.person(automation.owner)
    automations.update(automation, {"description": "one"}, actor=by, seen_revision=1)
    with pytest.raises(PreconditionFailed):
        automations.update(automation, {"description": "two"}, actor=by, seen_revision=1)
    assert Automation.objects.get(pk=automation.pk).description == "one"


def test_a_refused_change_leaves_everything_as_it_was():
    automation = make()
    with pytest.raises(Invalid):
        automations.update(automation, {"name": "new", "schedule": "x"}, actor=Actor.person(automation.owner))
    automation.refresh_from_db()
    assert (automation.name != "new", automation.schedule) == (True, "0 * * * *")


def test_pause_and_resume_take_each_other_back_and_only_once():
    automation = make()
    by = Actor.person(automation.owner)
    made.waiting(automation, now=timezone.now(), trigger=RunTrigger.SCHEDULE)
    asked = automations.run_now(automation, actor=by)
    paused = automations.pause(automation, actor=by, note="holiday")
    assert (paused.status, paused.pause_reason, paused.pause_note, paused.next_run_at) == (
        "paused", "person", "holiday", None
    )  # fmt: skip
    assert automation.runs.get(trigger=RunTrigger.SCHEDULE).status == RunStatus.CANCELLED
    assert AutomationRun.objects.get(pk=asked.pk).status == RunStatus.QUEUED
    with pytest.raises(Conflict):
        automations.pause(automation, actor=by)
    Automation.objects.filter(pk=automation.pk).update(failure_count=4)
    resumed = automations.resume(automation, actor=by)
    assert (resumed.status, resumed.failure_count, resumed.next_run_at > timezone.now()) == ("active", 0, True)
    with pytest.raises(Conflict):
        automations.resume(automation, actor=by)


def test_a_deleted_one_takes_no_more_orders_and_can_still_be_read():
    automation = make()
    by = Actor.person(automation.owner)
    waiting = automations.run_now(automation, actor=by)
    automations.delete(automation, actor=by)
    waiting.refresh_from_db()
    assert waiting.status == RunStatus.CANCELLED
    for act in (automations.pause, automations.resume, automations.run_now, automations.delete):
        with pytest.raises(Conflict):
            act(automation, actor=by)
    with pytest.raises(Conflict):
        automations.update(automation, {"name": "x"}, actor=by)
    assert access.get(automation.pk, actor=by).status == Status.DELETED
    assert tick.run(timezone.now() + timedelta(days=2)).claimed == 0


def test_run_now_works_in_any_status_but_deleted_and_moves_no_schedule():
    automation = make()
    by = Actor.person(automation.owner)
    before = automation.next_run_at
    first = automations.run_now(automation, actor=by)
    second = automations.run_now(automation, actor=by)
    assert first.scheduled_for != second.scheduled_for
    automation.refresh_from_db()
    assert automation.next_run_at == before
    automations.pause(automation, actor=by)
    assert automations.run_now(automation, actor=by).status == RunStatus.QUEUED


def test_a_duplicate_is_paused_and_has_a_name_of_its_own():
    automation = make(name="Watch", alert_conditions={"field": "label", "op": "exists"})
    by = Actor.person(automation.owner)
    names = [automations.duplicate(automation, actor=by) for _ in range(2)]
    assert [one.name for one in names] == ["Watch (copy)", "Watch (copy 2)"]
    assert {one.status for one in names} == {"paused"}
    assert names[0].alert_conditions == automation.alert_conditions
    other = automations.duplicate(automation, actor=Actor.person(builders.person("operator")))
    assert (other.name, other.run_count) == ("Watch (copy)", 0)


def test_those_let_in_may_look_or_look_and_run_and_nothing_more():
    automation = make()
    viewer, runner = builders.person("viewer"), builders.person("reviewer")
    stranger = Actor.person(builders.person("author"))
    by = Actor.person(automation.owner)
    shares = [Share("view", person=viewer.get_username()), Share("run", group="reviewer")]
    automations.share(automation, shares, actor=by)
    for actor, may_run in ((Actor.person(viewer), False), (Actor.person(runner), True)):
        assert access.get(automation.pk, actor=actor) == automation
        assert access.may_run(automation, actor) is may_run
        for act in (automations.pause, automations.resume, automations.delete):
            with pytest.raises(NotPermitted):
                act(automation, actor=actor)
        with pytest.raises(NotPermitted):
            automations.update(automation, {"name": "mine"}, actor=actor)
    with pytest.raises(NotPermitted):
        automations.run_now(automation, actor=Actor.person(viewer))
    assert automations.run_now(automation, actor=Actor.person(runner)).requested_by == runner
    with pytest.raises(NotFound):
        access.get(automation.pk, actor=stranger)
    automations.share(automation, [], actor=by)
    with pytest.raises(NotFound):
        access.get(automation.pk, actor=Actor.person(viewer))


def test_shares_with_nobody_or_twice_with_one_are_refused():
    automation = make()
    name = automation.owner.get_username()
    for shares in (
        [Share("view", person="nobody")],
        [Share("view")],
        [Share("view", person=name), Share("run", person=name)],
        [Share("own", person=name)],
        [Share("view", person=name, group="viewer")],
    ):
        with pytest.raises(Invalid):
            automations.share(automation, shares, actor=Actor.person(automation.owner))
    assert not automation.shares.exists()


def test_operators_may_change_what_is_anothers_and_inactive_people_nothing():
    automation = make()
    colleague = builders.person("operator")
    assert automations.pause(automation, actor=Actor.person(colleague)).status == "paused"
    colleague.is_active = False
    colleague.save()
    assert not access.may_change(automation, Actor.person(colleague))
    assert not access.visible(Actor.person(colleague)).exists()


def test_follow_ups_never_close_a_circle_and_chains_end():
    owner = builders.person("operator")
    by = Actor.person(owner)
    name = builders.skill(State.TRUSTED).capability.name
    chain = [make(owner=owner, capability_name=name, trigger="on_manual") for _ in range(7)]
    for before, after in pairwise(chain[:6]):
        automations.update(before, {"follow_ups": [after.pk]}, actor=by)
    for wrong, code in (([chain[0].pk], "cycle"), ([chain[5].pk], "cycle"), ([chain[6].pk], "depth")):
        with pytest.raises(Invalid) as caught:
            automations.update(chain[5], {"follow_ups": wrong}, actor=by)
        assert caught.value.errors[0].code == code
    with pytest.raises(Invalid) as caught:
        automations.update(chain[6], {"follow_ups": [chain[0].pk]}, actor=by)
    assert caught.value.errors[0].code == "depth"
    automations.update(chain[0], {"follow_ups": None}, actor=by)
    assert not chain[0].follow_ups.exists()


def test_the_database_refuses_what_no_service_would_write():
    automation = make()
    for wrong in (
        {"status": "sleeping"},
        {"next_run_at": None},
        {"status": "paused"},
        {"max_cost_per_run_usd": -1},
        {"trigger": "on_event"},
    ):
        from django.db import transaction

        with pytest.raises(IntegrityError), transaction.atomic():
            Automation.objects.filter(pk=automation.pk).update(**wrong)
