"""Steps in order, conditions, failures, deadlines, the final output, and what is recorded of each."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import Any

import pytest

from lifecycle.execution import engine
from lifecycle.execution.ports import Cancelled, ModelFailed, StepRecord
from tests.scripted import Asked, ScriptedModels

from .builders import TASK_SCHEMA, Clock, Steps, Toolbox, llm, package, run, tool, use


def test_steps_run_in_order_and_see_what_came_before() -> None:
    models = ScriptedModels({"title": "call"}, {"priority": "high"})
    recorder = Steps()
    outcome = run(
        llm("parse", "Parse {{ inputs.text }}", model="parser", output_schema=TASK_SCHEMA),
        llm("rate", "Rate {{ state.parse.title }}"),
        models=models,
        recorder=recorder,
        system="Be brief.",
        final_output="{'title': state.parse.title, 'priority': state.rate.priority}",
        output_schema={"type": "object", "required": ["title", "priority"]},
    )
    assert outcome.status == "succeeded"
    assert outcome.output == {"title": "call", "priority": "high"}
    assert models.prompts == ["Parse call the mechanic", "Rate call"]
    asked = models.history[0]
    assert (asked.step, asked.alias, asked.schema, asked.system) == ("parse", "parser", TASK_SCHEMA, "Be brief.")
    assert asked.facts["inputs"] == {"text": "call the mechanic"}
    assert asked.facts["step"] == "parse"
    assert models.history[1].facts["state"]["parse"] == {"title": "call"}
    assert (outcome.cost_usd, outcome.input_tokens, outcome.output_tokens) == (Decimal("0.02"), 20, 10)
    assert [(r.index, r.name, r.kind, r.status) for r in recorder.records] == [
        (0, "parse", "llm", "succeeded"),
        (1, "rate", "llm", "succeeded"),
    ]
    assert recorder.records[0].output == {"title": "call"}
    assert recorder.records[1].call_ids == ("call-2",)


def test_without_a_final_output_the_whole_state_is_the_output() -> None:
    outcome = run(llm("a", "x"), llm("b", "y"), models=ScriptedModels(1, [2]))
    assert outcome.output == {"a": 1, "b": [2]}


def test_a_key_named_like_a_method_is_found() -> None:
    outcome = run(
        llm("a", "x"), models=ScriptedModels({"items": [1], "keys": 2}), final_output="[state.a.items, state.a.keys]"
    )
    assert outcome.output == [[1], 2]


@pytest.mark.parametrize(
    ("condition", "ran"), [("inputs.text == 'no'", False), ("{{ 'mechanic' in inputs.text }}", True)]
)
def test_a_step_runs_only_when_its_condition_holds(condition: str, ran: bool) -> None:
    recorder = Steps()
    outcome = run(llm("a", "x", condition=condition), models=ScriptedModels(*[1] * ran), recorder=recorder)
    assert outcome.status == "succeeded"
    assert outcome.degraded is False
    assert outcome.output == ({"a": 1} if ran else {})
    assert recorder.statuses == ["succeeded" if ran else "skipped"]


def test_a_condition_that_fails_fails_the_run_unless_the_step_may_fail() -> None:
    broken = {"condition": "state.nope.field"}
    assert run(llm("a", "x", **broken)).status == "failed"
    outcome = run(llm("a", "x", **broken, continue_on_failure=True))
    assert (outcome.status, outcome.degraded) == ("succeeded", True)


def test_a_prompt_that_needs_what_is_not_there_fails_the_run() -> None:
    outcome = run(llm("a", "{{ state.nope.field }}"))
    assert outcome.status == "failed"
    assert "There is no 'nope'" in outcome.error


def test_a_hostile_prompt_fails_the_run() -> None:
    for prompt in (
        "{{ ''.__class__ }}",
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    ):
        outcome = run(llm("a", prompt))
        assert outcome.status == "failed"
        assert "prompt" in outcome.error


def test_a_step_without_a_prompt_fails_the_run() -> None:
    assert "has no prompt" in run(llm("a", "")).error


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("model_unavailable", "failed"),
        ("budget_paused", "failed"),
        ("timeout", "timed_out"),
        ("model_timeout", "timed_out"),
    ],
)
def test_a_model_that_gives_no_answer_ends_the_run(code: str, status: str) -> None:
    recorder = Steps()
    outcome = run(llm(), models=ScriptedModels(ModelFailed("Nobody is there.", code=code)), recorder=recorder)
    assert (outcome.status, outcome.error) == (status, "Nobody is there.")
    assert recorder.statuses == [status]


def test_an_absorbed_failure_degrades_step_and_run_and_the_rest_goes_on() -> None:
    recorder = Steps()
    outcome = run(
        llm("extra", "x", continue_on_failure=True),
        llm("main", "{{ state.extra is defined }}"),
        models=ScriptedModels(ModelFailed("Nobody is there."), lambda asked: {"said": asked.prompt}),
        recorder=recorder,
        final_output="state.main.said",
    )
    assert (outcome.status, outcome.output, outcome.degraded) == ("succeeded", "false", True)
    assert recorder.statuses == ["degraded", "succeeded"]
    assert recorder.records[0].error == "Nobody is there."


def test_an_undefined_final_expression_fails_the_run() -> None:
    outcome = run(llm("a", "x"), models=ScriptedModels({"b": 1}), final_output="state.a.c")
    assert outcome.status == "failed"
    assert "There is no 'c'" in outcome.error
    assert outcome.output is None
    assert outcome.state == {"a": {"b": 1}}


def test_an_output_that_does_not_match_fails_the_run() -> None:
    outcome = run(llm("a", "x"), models=ScriptedModels({"b": 1}), final_output="state.a", output_schema=TASK_SCHEMA)
    assert outcome.status == "failed"
    assert "does not match the output schema" in outcome.error
    assert outcome.output is None


def test_an_output_too_large_fails_the_run() -> None:
    huge = {"text": "x" * 300_000}
    steps = [llm(f"s{n}", "x") for n in range(4)]
    outcome = run(*steps, models=ScriptedModels(*[huge] * 4))
    assert outcome.status == "failed"
    assert "larger than" in outcome.error


def test_a_late_answer_times_the_step_out_and_still_costs() -> None:
    clock = Clock()

    def slow(asked: Asked) -> Any:
        assert asked.deadline_s == 60
        clock.now += 61
        return {"title": "late"}

    outcome = run(llm(), models=ScriptedModels(slow), clock=clock)
    assert outcome.status == "timed_out"
    assert outcome.cost_usd == Decimal("0.01")


def test_a_repair_gets_only_the_time_that_is_left() -> None:
    clock = Clock()

    def first(asked: Asked) -> str:
        clock.now += 45
        return "no json"

    models = ScriptedModels(first, {"a": 1})
    assert run(llm(), models=models, clock=clock).status == "succeeded"
    assert models.history[1].deadline_s == 15


def test_a_run_out_of_time_starts_no_further_step_even_where_failures_are_absorbed() -> None:
    clock = Clock()

    def slow(asked: Asked) -> Any:
        clock.now += 50
        return 1

    models = ScriptedModels(*[slow] * 10)
    steps = [llm(f"s{n}", "x", continue_on_failure=True) for n in range(10)]
    recorder = Steps()
    outcome = run(*steps, models=models, clock=clock, run_deadline_s=120, recorder=recorder)
    assert outcome.status == "timed_out"
    assert len(models.history) == 3
    assert models.history[2].deadline_s == 20
    assert recorder.statuses == ["succeeded", "succeeded", "timed_out"]


def test_a_recorder_or_a_model_can_cancel_the_run() -> None:
    class Stop(Steps):
        def step(self, record: StepRecord) -> None:
            super().step(record)
            raise Cancelled("A person stopped the run.")

    outcome = run(llm("a", "x"), llm("b", "y"), models=ScriptedModels(1), recorder=Stop())
    assert (outcome.status, outcome.error) == ("cancelled", "A person stopped the run.")
    assert outcome.state == {"a": 1}
    look = tool("a", use())
    outcome = run(look, llm("b", "y"), models=ScriptedModels(Cancelled()), tools=Toolbox(look=lambda: 1))
    assert outcome.status == "cancelled"
    assert len(outcome.tool_calls) == 1


def test_the_inputs_are_never_changed() -> None:
    inputs = {"text": "x", "list": [1]}
    run(llm("a", "x"), models=ScriptedModels({"b": 1}), inputs=inputs, final_output="inputs.list")
    assert inputs == {"text": "x", "list": [1]}


def test_a_fault_of_a_port_is_not_swallowed() -> None:
    with pytest.raises(AssertionError, match="no answer left"):
        engine.execute(
            package(llm()),
            {"text": "x"},
            models=ScriptedModels(),
            tools=Toolbox(),
            granted_tools=(),
            output_schema=None,
        )


def test_the_one_step_of_an_agent_skill_is_shown_the_capabilitys_schema_and_may_repair_its_answer() -> None:
    models = ScriptedModels({"wrong": 1}, {"title": "call"})
    skill = dataclasses.replace(package(llm("answer", "Do it.")), form="agent_skill", final_output="state.answer")

    outcome = engine.execute(skill, {}, models=models, tools=Toolbox(), granted_tools=(), output_schema=TASK_SCHEMA)

    assert (outcome.status, outcome.output) == ("succeeded", {"title": "call"})
    assert [asked.schema for asked in models.history] == [TASK_SCHEMA, TASK_SCHEMA]
