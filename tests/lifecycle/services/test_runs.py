"""Runs from request to settled row: who answers, what is kept, what happens when a model, a skill or a process dies."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone
from django_q.models import OrmQ

from donna_skills.accounts.actors import Actor
from donna_skills.errors import BudgetPaused, Conflict, Invalid, NotFound
from donna_skills.llm.models import BudgetPeriod, CallStatus, ModelCall
from donna_skills.llm.port import Purpose
from lifecycle.models import CapabilityStatus, RunPath, RunStatus, Skill, SkillRun
from lifecycle.services import runs
from lifecycle.states import State
from tests import builders
from tests.stubs.model_server import Answer, Fail, ModelServer, Silent

pytestmark = pytest.mark.django_db

HELLO = {"text": "hello"}
LABEL = Answer(json.dumps({"label": "greeting"}))


def asked(**fields: Any) -> runs.Request:
    token, _ = builders.bot_token()
    return runs.Request(actor=Actor.bot(token), **fields)


def execute(skill: Skill, **fields: Any) -> SkillRun:
    return runs.execute(skill.capability.name, inputs=HELLO, request=asked(**fields))


def purposes(run: SkillRun) -> list[str]:
    return list(ModelCall.objects.filter(run_id=run.pk).order_by("started_at").values_list("purpose", flat=True))


@pytest.mark.parametrize("state", [State.SHADOW_PRIMARY, State.TRUSTED])
def test_a_serving_skill_answers_with_its_version_and_its_steps_are_kept(openai_stub: ModelServer, state: State):
    skill = builders.skill(state)
    openai_stub.will(LABEL)

    run = execute(skill, user_id="anna", external_id="mail-7")

    stored = SkillRun.objects.get(pk=run.pk)
    assert (stored.status, stored.outcome, stored.path) == ("succeeded", "succeeded", RunPath.SKILL)
    assert (stored.version_id, stored.state_at_run) == (skill.current_version_id, state)
    assert (stored.inputs, stored.output, stored.degraded) == (HELLO, {"label": "greeting"}, False)
    assert (stored.user_id, stored.external_id) == ("anna", "mail-7")
    assert str(run.cost_usd) == "0.002000"  # 1 000 tokens in at 1 USD, 100 out at 10 USD a million
    assert stored.cost_usd == Decimal("0.002")
    assert (stored.lease_owner, stored.lease_until) == ("", None)
    assert [(step.name, step.status) for step in stored.steps.all()] == [("answer", "succeeded")]
    assert purposes(run) == [Purpose.SKILL_STEP]


NOT_SERVING = [s for s in State if s not in {State.SHADOW_PRIMARY, State.TRUSTED}]


@pytest.mark.parametrize("state", NOT_SERVING)
def test_in_every_other_state_the_reference_answers(openai_stub: ModelServer, state: State):
    skill = builders.skill(state)
    openai_stub.will(LABEL)
    run = execute(skill)
    assert (run.path, run.status, run.version_id) == (RunPath.NATIVE, "succeeded", None)
    assert purposes(run) == [Purpose.NATIVE]


def test_a_paused_skill_does_not_answer(openai_stub: ModelServer):
    skill = builders.skill(State.TRUSTED)
    Skill.objects.filter(pk=skill.pk).update(paused=True)
    openai_stub.will(LABEL)
    assert execute(skill).path == RunPath.NATIVE


def test_a_sandbox_skill_runs_beside_the_answer_on_a_worker_and_nobody_sees_it(
    openai_stub: ModelServer, django_capture_on_commit_callbacks: Any
):
    skill = builders.skill(State.SANDBOX)
    openai_stub.will(LABEL, Answer(json.dumps({"label": "unseen"})))

    with django_capture_on_commit_callbacks(execute=True):
        seen = execute(skill)

    beside = SkillRun.objects.get(path=RunPath.SANDBOX)
    assert (beside.status, beside.shadow_of_id, beside.version_id) == ("queued", seen.pk, skill.current_version_id)
    assert seen.output == {"label": "greeting"}

    done = runs.carry_out(beside.pk)

    assert done is not None
    assert (done.status, done.output, done.shadow, done.inputs) == ("succeeded", {"label": "unseen"}, True, HELLO)
    assert runs.carry_out(beside.pk) is None  # twice is harmless


def test_with_the_master_switch_off_nothing_runs_unseen(configure: Any, openai_stub: ModelServer, tmp_path: Any):
    (tmp_path / "skills.yaml").write_text("enabled: false\n")
    openai_stub.will(LABEL)
    execute(builders.skill(State.SANDBOX))
    assert not SkillRun.objects.filter(path=RunPath.SANDBOX).exists()


def test_a_skill_whose_step_fails_is_triaged_and_falls_back_to_the_reference_on_the_same_inputs(
    openai_stub: ModelServer,
):
    skill = builders.skill(State.TRUSTED)
    triage = Answer(json.dumps({"action": "escalate_to_reference", "reason": "The model talks instead of answering."}))
    openai_stub.will(Answer("no JSON"), Answer("still none"), triage, LABEL)

    got = execute(skill, external_id="x")

    failed = SkillRun.objects.get(path=RunPath.SKILL)
    assert failed.status == "escalated"
    assert failed.escalation_reason.endswith("The model talks instead of answering.")
    assert [decision["action"] for decision in failed.triage] == ["escalate_to_reference"]
    assert [(step.name, step.status) for step in failed.steps.all()] == [("answer", "escalated")]
    assert (got.path, got.status, got.fallback_of_id, got.inputs) == (RunPath.NATIVE, "succeeded", failed.pk, HELLO)
    assert (got.external_id, got.token_id) == ("x", failed.token_id)


def test_a_skill_that_escalates_falls_back_and_says_why(openai_stub: ModelServer):
    skill = builders.skill(State.TRUSTED)
    openai_stub.will(Answer(json.dumps({"escalate": "too ambiguous"})), LABEL)
    got = execute(skill)
    first = SkillRun.objects.get(path=RunPath.SKILL)
    assert (first.status, first.outcome, first.escalation_reason) == ("escalated", "escalated", "too ambiguous")
    assert got.status == "succeeded"


def test_an_answer_that_breaks_the_capabilitys_schema_is_a_failure(openai_stub: ModelServer):
    skill = builders.skill(State.CLAUDE_NATIVE)
    openai_stub.will(Answer('{"wrong": 1}'), Answer('{"wrong": 2}'))
    run = execute(skill)
    assert (run.status, run.output) == ("failed", None)
    assert "label" in run.error


def test_three_errors_of_the_provider_are_retried_and_every_attempt_is_in_the_ledger(openai_stub: ModelServer):
    skill = builders.skill(State.TRUSTED)
    openai_stub.will(Fail(500), Fail(500), Fail(500), LABEL)
    run = execute(skill)
    assert (run.status, run.path) == ("succeeded", RunPath.SKILL)
    calls = list(ModelCall.objects.filter(run_id=run.pk).order_by("attempt").values_list("attempt", "status"))
    assert calls == [(1, "failed"), (2, "failed"), (3, "failed"), (4, "succeeded")]


def test_a_provider_that_never_answers_ends_in_a_timed_out_run_with_its_fallback_recorded(
    openai_stub: ModelServer, tmp_path: Any
):
    (tmp_path / "skills.yaml").write_text("run_per_step_timeout_s: 1\nrun_per_run_timeout_s: 1\n")
    skill = builders.skill(State.TRUSTED)
    openai_stub.will(*[Silent()] * 10)

    got = execute(skill)

    first = SkillRun.objects.get(path=RunPath.SKILL)
    assert first.status == "timed_out"
    assert (got.path, got.status, got.fallback_of_id) == (RunPath.NATIVE, "timed_out", first.pk)
    assert not ModelCall.objects.filter(status=CallStatus.RESERVED).exists()


def test_an_unknown_capability_and_wrong_inputs_store_nothing():
    skill = builders.skill()
    with pytest.raises(NotFound):
        runs.execute("no_such_thing", inputs={}, request=asked())
    with pytest.raises(Invalid) as refused:
        runs.execute(skill.capability.name, inputs={"text": 7, "more": 1}, request=asked())
    assert {error.path for error in refused.value.errors} == {"/inputs/text", "/inputs"}
    assert not SkillRun.objects.exists()


def test_a_capability_that_waits_for_review_cannot_be_run():
    skill = builders.skill()
    type(skill.capability).objects.update(status=CapabilityStatus.PENDING_REVIEW)
    with pytest.raises(Conflict):
        execute(skill)


def test_a_spent_budget_refuses_before_anything_is_stored(openai_stub: ModelServer):
    skill = builders.skill()
    day = timezone.now().date()
    BudgetPeriod.objects.create(key=f"day:{day}", spent_micros=20_000_000, limit_micros=20_000_000)
    with pytest.raises(BudgetPaused):
        execute(skill)
    assert not SkillRun.objects.exists()


def test_the_database_refuses_other_inputs_for_a_stored_run():
    run = builders.run(builders.skill(State.TRUSTED))
    with pytest.raises(IntegrityError), transaction.atomic():
        SkillRun.objects.filter(pk=run.pk).update(inputs={"text": "rewritten"})
    assert SkillRun.objects.get(pk=run.pk).inputs == HELLO


def test_a_run_whose_process_died_is_reaped_as_interrupted_or_timed_out():
    skill, now = builders.skill(State.TRUSTED), timezone.now()
    gone = {"status": RunStatus.RUNNING, "lease_owner": "dead", "lease_until": now - timedelta(seconds=1)}
    recent = builders.run(skill, **gone, started_at=now - timedelta(seconds=70))
    late = builders.run(skill, **gone, started_at=now - timedelta(hours=1))
    alive = builders.run(skill, **{**gone, "lease_until": now + timedelta(seconds=30)}, started_at=now)

    assert runs.reap(now) == 2
    assert runs.reap(now) == 0

    found = {run.pk: (run.status, run.outcome) for run in SkillRun.objects.all()}
    assert found == {recent.pk: ("interrupted", ""), late.pk: ("timed_out", "timed_out"), alive.pk: ("running", "")}
    assert SkillRun.objects.get(pk=recent.pk).finished_at is not None


def test_a_run_that_was_reaped_is_not_settled_by_the_process_that_comes_back(openai_stub: ModelServer):
    skill = builders.skill(State.TRUSTED)
    openai_stub.will(LABEL)
    run = runs.start(skill.capability.name, inputs=HELLO, request=asked())
    runs.reap(timezone.now() + timedelta(seconds=90))

    came_back = runs.finish(run)

    assert came_back.status == RunStatus.INTERRUPTED
    assert SkillRun.objects.get(pk=run.pk).output is None


def test_a_queued_run_that_no_worker_got_is_handed_over_again_once_a_while(django_capture_on_commit_callbacks: Any):
    skill, now = builders.skill(State.TRUSTED), timezone.now()
    with django_capture_on_commit_callbacks(execute=True):
        run = runs.enqueue(skill.capability.name, inputs=HELLO, request=asked())
    assert runs.redeliver(now) == 0
    OrmQ.objects.all().delete()
    later = now + timedelta(minutes=5)
    with django_capture_on_commit_callbacks(execute=True):
        assert runs.redeliver(later) == 1
        assert runs.redeliver(later) == 0
    assert SkillRun.objects.get(pk=run.pk).status == RunStatus.QUEUED


def test_a_cancelled_run_stays_cancelled(openai_stub: ModelServer):
    skill = builders.skill(State.TRUSTED)
    openai_stub.will(LABEL)
    run = runs.start(skill.capability.name, inputs=HELLO, request=asked())
    assert runs.cancel(run, why="Not needed any more.")
    assert runs.finish(run).status == RunStatus.CANCELLED


def test_a_template_that_reaches_for_python_is_a_failed_run_with_a_reason_and_a_fallback(openai_stub: ModelServer):
    with pytest.raises(Invalid):
        builders.skill(
            State.TRUSTED, name="hostile", files=builders.step_package("hostile", prompt="{{ ''.__class__ }}")
        )


def test_executing_takes_a_constant_number_of_queries(openai_stub: ModelServer, django_assert_max_num_queries: Any):
    skill = builders.skill(State.TRUSTED)
    openai_stub.will(LABEL, LABEL)
    request = asked()
    runs.execute(skill.capability.name, inputs=HELLO, request=request)
    with django_assert_max_num_queries(25):
        runs.execute(skill.capability.name, inputs=HELLO, request=request)
