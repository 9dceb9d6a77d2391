"""Dispatch: a run is held by one worker, done, and settled with its counters; whatever dies leaves the truth behind."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from automations.models import Automation, AutomationRun, DrainSlot, RunStatus, RunTrigger, Status
from automations.services import automations, dispatch, queue, settlement
from donna_skills.accounts.actors import Actor
from donna_skills.errors import AlreadyDecided, NotPermitted
from donna_skills.llm.models import BudgetPeriod, ModelCall
from donna_skills.notifications.models import Notification
from lifecycle.models import Capability, SkillRun
from lifecycle.states import State
from tests import builders
from tests.automations import made

pytestmark = pytest.mark.django_db


@pytest.fixture
def watch() -> Automation:
    return made.automation(capability_name=made.price_capability(), trigger="on_manual")


def fail(automation: Automation) -> AutomationRun:
    """The skill's tool and the reference model fail: the offline model knows no such work."""
    made.PRICES.append(ValueError("no page"))
    return made.run_once(automation)


def test_a_run_is_done_by_the_serving_skill_and_counted(watch: Automation):
    made.PRICES.append(89.5)
    run = made.run_once(watch)
    assert (run.status, run.output["price"], run.execution_path) == ("succeeded", 89.5, "skill")
    assert (run.lease_owner, run.reserved_usd, run.inputs) == ("", 0, {"text": "hello"})
    behind = SkillRun.objects.get(automation_run_id=run.pk)
    assert (behind.pk, str(behind.pk)) == (run.lifecycle_run_id, run.attempts[0]["run_id"])
    watch.refresh_from_db()
    assert (watch.run_count, watch.failure_count, watch.last_run_at) == (1, 0, run.started_at)


def test_what_the_package_keeps_is_kept_after_a_success_alone(watch: Automation):
    made.PRICES.append(80)
    made.run_once(watch)
    fail(watch)
    watch.refresh_from_db()
    assert watch.kept_state["look"]["found"]["price"] == 80


def test_a_skill_that_fails_is_followed_by_the_reference_and_both_runs_are_known(watch: Automation):
    run = fail(watch)
    assert run.execution_path == "native"
    assert run.attempts[0]["first_run_id"] != run.attempts[0]["run_id"]
    assert SkillRun.objects.filter(automation_run_id=run.pk).count() == 2


def test_inputs_carry_on_from_the_last_success_where_the_contract_has_a_place_for_it():
    schema = {"type": "object", "properties": {"text": {"type": "string"}, "prior_run_end": {"type": "string"}}}
    capability = builders.capability(input_schema=schema)
    automation = made.automation(capability_name=capability.name, trigger="on_manual")
    now = timezone.now()
    made.ended(automation, status=RunStatus.FAILED, now=now - timedelta(hours=1))
    success = made.ended(automation, output={"label": "x"}, now=now - timedelta(hours=2))
    run = made.run_once(automation)
    assert run.inputs == {"text": "hello", "prior_run_end": success.started_at.isoformat()}


def test_five_failures_in_a_row_pause_it_and_the_owner_hears_of_it_once(watch: Automation):
    for _ in range(7):
        assert fail(watch).status in {"failed", "escalated"}
    watch.refresh_from_db()
    assert (watch.status, watch.pause_reason, watch.failure_count) == (Status.PAUSED, "failures", 7)
    assert Notification.objects.filter(person=watch.owner, title__contains="is paused").count() == 1


def test_a_success_ends_the_row_of_failures(watch: Automation):
    for _ in range(4):
        fail(watch)
    made.run_once(watch)
    watch.refresh_from_db()
    assert (watch.status, watch.failure_count, watch.run_count) == (Status.ACTIVE, 0, 5)


def test_a_budget_without_room_skips_the_run_and_counts_nothing(watch: Automation):
    from donna_skills.llm import budget

    for period in budget.periods(timezone.now()):
        BudgetPeriod.objects.create(
            key=period.key, limit_micros=int(period.limit_usd * 10**6), spent_micros=int((period.limit_usd - 1) * 10**6)
        )
    run = made.run_once(watch)
    assert run.status == RunStatus.SKIPPED_BUDGET
    assert run.reason == "It may cost 2.00 USD, and the budget for model calls has 1.00 USD left."
    watch.refresh_from_db()
    assert (watch.run_count, watch.failure_count) == (0, 0)
    Automation.objects.update(max_cost_per_run_usd=Decimal("0.5"))
    assert made.run_once(watch).status == RunStatus.SUCCEEDED


def test_what_running_ones_may_still_cost_is_set_aside(watch: Automation):
    others = made.waiting(made.automation(trigger="on_manual"), now=timezone.now())
    AutomationRun.objects.filter(pk=others.pk).update(
        status="running", lease_owner="x", lease_until=timezone.now() + timedelta(hours=1), reserved_usd=Decimal("19")
    )
    run = automations.run_now(watch, actor=Actor.person(watch.owner))
    dispatch.drain()
    run.refresh_from_db()
    assert run.status == RunStatus.SKIPPED_BUDGET


def test_a_tool_that_is_not_granted_any_more_blocks_the_run(watch: Automation):
    Capability.objects.filter(pk=watch.capability_id).update(granted_tools=[])
    run = made.run_once(watch)
    assert (run.status, "test_price" in run.error) == (RunStatus.BLOCKED_MISSING_TOOL, True)
    assert not SkillRun.objects.exists()
    watch.refresh_from_db()
    assert watch.failure_count == 1


def test_a_tool_that_no_longer_exists_blocks_where_the_reference_would_answer():
    capability = builders.capability()
    Capability.objects.filter(pk=capability.pk).update(granted_tools=["gone_tool"])
    run = made.run_once(made.automation(capability_name=capability.name, trigger="on_manual"))
    assert run.status == RunStatus.BLOCKED_MISSING_TOOL


def test_a_pause_or_an_edit_given_during_a_run_stands(watch: Automation):
    by = Actor.person(watch.owner)

    def meanwhile() -> None:
        automations.update(automations.pause(watch, actor=by), {"name": "Another name"}, actor=by)

    run = automations.run_now(watch, actor=by)
    held = dispatch.claim(timezone.now())
    meanwhile()
    dispatch.carry_out(held)
    run.refresh_from_db()
    watch.refresh_from_db()
    assert run.status == RunStatus.SUCCEEDED
    assert (watch.status, watch.name, watch.run_count) == (Status.PAUSED, "Another name", 1)


def test_a_deletion_given_during_a_run_stands(watch: Automation):
    by = Actor.person(watch.owner)
    automations.run_now(watch, actor=by)
    held = dispatch.claim(timezone.now())
    automations.delete(watch, actor=by)
    dispatch.carry_out(held)
    watch.refresh_from_db()
    assert (watch.status, watch.run_count, watch.next_run_at) == (Status.DELETED, 1, None)


def test_run_now_waits_for_a_run_that_is_on_and_is_not_lost(watch: Automation):
    by = Actor.person(watch.owner)
    first, second = automations.run_now(watch, actor=by), automations.run_now(watch, actor=by)
    held = dispatch.claim(timezone.now())
    assert held.pk == first.pk
    assert dispatch.claim(timezone.now()) is None
    dispatch.carry_out(held)
    assert dispatch.drain() == 1
    second.refresh_from_db()
    assert second.status == RunStatus.SUCCEEDED


def test_a_run_is_claimed_once(watch: Automation):
    automations.run_now(watch, actor=Actor.person(watch.owner))
    assert dispatch.claim(timezone.now()) is not None
    assert dispatch.claim(timezone.now()) is None


def test_a_run_does_not_begin_before_its_time(watch: Automation):
    run = made.waiting(watch, now=timezone.now() + timedelta(minutes=5))
    assert dispatch.drain() == 0
    assert dispatch.claim(run.not_before).pk == run.pk


@pytest.mark.parametrize("again", [True, False])
def test_a_worker_that_died_leaves_an_interrupted_run_and_one_more_try_where_asked(again: bool):
    automation = made.automation(capability_name=made.price_capability(), trigger="on_manual", retry_interrupted=again)
    run = automations.run_now(automation, actor=Actor.person(automation.owner))
    later = timezone.now() + timedelta(minutes=3)
    dispatch.claim(timezone.now())
    assert dispatch.reap(timezone.now()) == 0
    assert dispatch.reap(later) == 1
    assert dispatch.reap(later) == 0
    run.refresh_from_db()
    assert (run.status, run.finished_at is not None) == (RunStatus.INTERRUPTED, True)
    retries = automation.runs.filter(trigger=RunTrigger.RETRY)
    assert retries.count() == int(again)
    if again:
        dispatch.claim(timezone.now())
        assert dispatch.reap(later) == 1
        assert retries.count() == 1


def test_whoever_comes_back_after_the_lease_ran_out_changes_nothing(watch: Automation):
    automations.run_now(watch, actor=Actor.person(watch.owner))
    held = dispatch.claim(timezone.now())
    dispatch.reap(timezone.now() + timedelta(minutes=3))
    dispatch.carry_out(held)
    held.refresh_from_db()
    watch.refresh_from_db()
    assert (held.status, watch.run_count) == (RunStatus.INTERRUPTED, 1)


def test_a_run_that_holds_on_past_its_deadline_is_ended(watch: Automation):
    automations.run_now(watch, actor=Actor.person(watch.owner))
    held = dispatch.claim(timezone.now())
    late = held.deadline_at + timedelta(minutes=2)
    AutomationRun.objects.filter(pk=held.pk).update(lease_until=late + timedelta(minutes=1))
    assert dispatch.reap(late) == 1
    held.refresh_from_db()
    assert (held.status, "deadline" in held.error) == (RunStatus.FAILED, True)


def test_a_run_can_be_cancelled_while_it_waits_and_while_it_is_on_but_not_after(watch: Automation):
    by = Actor.person(watch.owner)
    waiting = automations.run_now(watch, actor=by)
    assert settlement.cancel(waiting, actor=by).status == RunStatus.CANCELLED
    automations.run_now(watch, actor=by)
    held = dispatch.claim(timezone.now())
    settlement.cancel(AutomationRun.objects.get(pk=held.pk), actor=by)
    dispatch.carry_out(held)
    held.refresh_from_db()
    assert held.status == RunStatus.CANCELLED
    with pytest.raises(AlreadyDecided):
        settlement.cancel(held, actor=by)
    watch.refresh_from_db()
    assert watch.run_count == 0


def test_a_stranger_cannot_cancel(watch: Automation):
    run = automations.run_now(watch, actor=Actor.person(watch.owner))
    with pytest.raises(NotPermitted):
        settlement.cancel(run, actor=Actor.person(builders.person("viewer")))


def test_a_worker_answers_the_bell_of_its_slot_once_and_frees_it(watch: Automation):
    automations.run_now(watch, actor=Actor.person(watch.owner))
    assert queue.ring() == 1
    slot = DrainSlot.objects.get(lease_until__isnull=False)
    assert dispatch.work(slot.number, "somebody else") == 0
    assert dispatch.work(slot.number, slot.lease_owner) == 1
    assert dispatch.work(slot.number, slot.lease_owner) == 0
    assert not DrainSlot.objects.filter(lease_until__isnull=False).exists()


def test_a_bell_that_nobody_answered_is_rung_again(watch: Automation):
    automations.run_now(watch, actor=Actor.person(watch.owner))
    now = timezone.now()
    assert queue.ring(now=now) == 1
    assert dispatch.wake(now) == 1  # the other slot
    assert dispatch.wake(now) == 0
    assert dispatch.wake(now + timedelta(minutes=3)) == 1


def test_an_automation_on_a_capability_without_a_skill_is_answered_by_the_reference():
    skill = builders.skill(State.CLAUDE_NATIVE)
    run = made.run_once(made.automation(capability_name=skill.capability.name, trigger="on_manual"))
    assert run.execution_path == "native"
    assert ModelCall.objects.filter(purpose="native").exists()


def test_workers_reach_for_different_runs_and_each_takes_over_what_nobody_else_does():
    now = timezone.now()
    for _ in range(12):
        made.waiting(made.automation(trigger="on_manual"), now=now)
    workers = len(queue.slots())
    first = [dispatch.Line(number).next(now)[0].int % workers for number in range(1, workers + 1)]
    assert len(set(first)) == workers
    assert dispatch.drain(worker=1) == 12


def test_a_run_that_somebody_else_took_meanwhile_is_passed_over():
    now = timezone.now()
    one, two = (made.waiting(made.automation(trigger="on_manual"), now=now) for _ in range(2))
    line = dispatch.Line()
    assert {line.next(now)[0], dispatch.claim(now).pk} <= {one.pk, two.pk}
    found = dispatch.claim(now, line)
    assert found is not None and found.status == RunStatus.RUNNING
    assert dispatch.claim(now, line) is None


def test_a_claim_that_the_budget_has_no_room_for_is_taken_back_whole(watch: Automation):
    Automation.objects.update(max_cost_per_run_usd=Decimal(1000))
    run = made.run_once(watch)
    assert (run.status, run.started_at, run.deadline_at) == (RunStatus.SKIPPED_BUDGET, None, None)
    assert (run.lease_owner, run.lease_until, run.reserved_usd) == ("", None, 0)


def test_a_run_that_does_little_asks_the_database_little(watch: Automation):
    made.run_once(watch)
    automations.run_now(watch, actor=Actor.person(watch.owner))
    with CaptureQueriesContext(connection) as asked:
        dispatch.drain()
    assert len([query for query in asked.captured_queries if "SAVEPOINT" not in query["sql"]]) <= 27
