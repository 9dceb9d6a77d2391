"""Runs that a real adapter answers: a cap on their cost, and providers that are away for a while."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from automations.models import Automation, AutomationRun, RunStatus
from donna_skills.llm.models import ModelCall
from lifecycle.states import State
from tests import builders
from tests.automations import made
from tests.llm.conftest import configure, openai_stub, server  # noqa: F401 - fixtures
from tests.stubs.model_server import Answer, Fail, ModelServer

pytestmark = pytest.mark.django_db
LABEL = Answer('{"label": "greeting"}', input_tokens=1000, output_tokens=100)


@pytest.fixture
def quick(openai_stub: ModelServer, tmp_path: Path) -> ModelServer:  # noqa: F811
    """Without waiting before another try."""
    (tmp_path / "automations.yaml").write_text("transient_wait_seconds: 0\n")
    return openai_stub


def watch(**fields: Any) -> Automation:
    name = builders.skill(State.CLAUDE_NATIVE).capability.name
    return made.automation(capability_name=name, trigger="on_manual", **fields)


def test_what_a_run_cost_stands_with_it(quick: ModelServer):
    quick.otherwise(LABEL)
    run = made.run_once(watch())
    assert (run.status, run.cost_usd) == (RunStatus.SUCCEEDED, Decimal("0.002"))


def test_no_call_is_made_that_could_pass_the_cap(quick: ModelServer):
    quick.otherwise(LABEL)
    run = made.run_once(watch(max_cost_per_run_usd=Decimal("0.0001")))
    assert (run.status, run.cost_usd, run.output) == (RunStatus.COST_EXCEEDED, 0, None)
    assert "0.0001" in run.error
    assert not ModelCall.objects.exists()


def test_the_cap_holds_over_a_skill_and_its_fallback_together(quick: ModelServer):
    """The skill's answer is no JSON and its repair neither; what is left does not pay for the reference."""
    quick.otherwise(Answer("I do not know", input_tokens=30_000, output_tokens=1000))
    automation = made.automation(trigger="on_manual", max_cost_per_run_usd=Decimal("0.06"))
    run = made.run_once(automation)
    assert run.status == RunStatus.COST_EXCEEDED
    assert run.cost_usd == sum(call.cost_usd for call in ModelCall.objects.all())
    automation.refresh_from_db()
    assert automation.failure_count == 1


def test_a_provider_that_is_away_is_asked_again_within_the_run(quick: ModelServer):
    quick.will(*[Fail(500)] * 4)
    quick.otherwise(LABEL)
    run = made.run_once(watch())
    assert run.status == RunStatus.SUCCEEDED
    assert [one["status"] for one in run.attempts] == ["failed", "succeeded"]


def test_a_provider_that_stays_away_is_given_up_after_three_tries(quick: ModelServer):
    quick.otherwise(Fail(503))
    run = made.run_once(watch())
    assert (run.status, len(run.attempts)) == (RunStatus.FAILED, 3)


def test_an_answer_that_is_wrong_is_not_asked_for_again(quick: ModelServer):
    quick.otherwise(Answer("no JSON"))
    run = made.run_once(watch())
    assert (run.status, len(run.attempts)) == (RunStatus.FAILED, 1)


def test_a_day_whose_money_is_spent_skips_runs_and_pauses_nothing(
    quick: ModelServer,
    configure: Callable[..., None],  # noqa: F811
):
    quick.otherwise(LABEL)
    automation = watch()
    run = made.run_once(automation)
    assert run.status == RunStatus.SUCCEEDED
    Automation.objects.update(max_cost_per_run_usd=Decimal(20))
    assert made.run_once(automation).status == RunStatus.SKIPPED_BUDGET
    assert AutomationRun.objects.filter(reserved_usd__gt=0).count() == 0
