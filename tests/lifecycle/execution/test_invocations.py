"""Tool steps: permission, arguments, for_each, retries, what a failure means, and the record of every call."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.execution import canonical
from lifecycle.execution.tools import ToolFailed
from lifecycle.packages.model import Step
from tests.scripted import ScriptedModels

from .builders import Clock, Steps, Toolbox, llm, run, tool, use


def failing(*failures: Exception | Any) -> Any:
    """A tool that raises or returns these, one a call."""
    left = list(failures)

    def call(**args: Any) -> Any:
        said = left.pop(0)
        if isinstance(said, Exception):
            raise said
        return said

    return call


def test_a_tool_step_stores_results_and_records_calls() -> None:
    toolbox = Toolbox(look=lambda q, n: {"q": q, "n": n})
    recorder = Steps()
    outcome = run(
        tool("fetch", use(args={"q": "about {{ inputs.text }}", "n": "{{ inputs.n }}"})),
        tools=toolbox,
        inputs={"text": "cars", "n": 3},
        recorder=recorder,
        final_output="state.fetch.found.n",
    )
    assert (outcome.status, outcome.output) == ("succeeded", 3)
    args = {"q": "about cars", "n": 3}
    (call,) = outcome.tool_calls
    assert {key: call[key] for key in ("step", "tool", "args", "fingerprint", "result", "attempt")} == {
        "step": "fetch",
        "tool": "look",
        "args": args,
        "fingerprint": canonical.fingerprint("look", args),
        "result": {"q": "about cars", "n": 3},
        "attempt": 1,
    }
    assert call["duration_ms"] >= 0
    assert recorder.records[0].tool_calls == outcome.tool_calls
    assert recorder.records[0].output == {"found": {"q": "about cars", "n": 3}}


def test_later_invocations_see_earlier_results() -> None:
    outcome = run(
        tool("s", use(store_as="a"), use(store_as="b", args={"x": "{{ tools.a }}", "y": "{{ state.s.a }}"})),
        tools=Toolbox(look=lambda **args: args or 7),
    )
    assert outcome.state == {"s": {"a": 7, "b": {"x": 7, "y": 7}}}


def test_a_mixed_step_shows_its_model_what_the_tools_found() -> None:
    models = ScriptedModels({"summary": "s"})
    step = Step(
        name="pick",
        kind="mixed",
        prompt="{{ tools.found.title }} / {{ state.pick.found.title }}",
        tools=("look",),
        tool_invocations=(use(),),
    )
    outcome = run(step, models=models, tools=Toolbox(look=lambda: {"title": "T"}))
    assert models.prompts == ["T / T"]
    assert models.history[0].facts["tools"] == {"found": {"title": "T"}}
    assert outcome.state == {"pick": {"found": {"title": "T"}, "summary": "s"}}


@pytest.mark.parametrize(
    ("allowed", "granted", "who"), [((), ("look",), "the step"), (("look",), (), "its capability")]
)
def test_a_tool_that_is_not_allowed_and_granted_blocks_the_run(
    allowed: tuple[str, ...], granted: tuple[str, ...], who: str
) -> None:
    toolbox = Toolbox(look=lambda: 1)
    recorder = Steps()
    step = Step(
        name="s", kind="tool", tools=allowed, tool_invocations=(use(on_failure="continue"),), continue_on_failure=True
    )
    outcome = run(step, tools=toolbox, granted=granted, recorder=recorder)
    assert outcome.status == "permission_blocked"
    assert f"{who} does not grant it" in outcome.error
    assert toolbox.calls == []
    assert recorder.statuses == ["permission_blocked"]


def test_for_each_calls_once_per_item_in_order() -> None:
    toolbox = Toolbox(look=lambda url: url.upper())
    step = tool("s", use(for_each="inputs.urls", item_name="u", args={"url": "{{ u.href }}"}))
    outcome = run(step, tools=toolbox, inputs={"urls": [{"href": "a"}, {"href": "b"}]})
    assert outcome.state == {"s": {"found": ["A", "B"]}}
    assert [call["args"] for call in outcome.tool_calls] == [{"url": "a"}, {"url": "b"}]
    assert run(step, tools=toolbox, inputs={"urls": []}).state == {"s": {"found": []}}


@pytest.mark.parametrize("items", ["text", {"a": 1}, 5, None, list(range(101))])
def test_for_each_needs_a_list_of_at_most_a_hundred(items: Any) -> None:
    outcome = run(
        tool("s", use(for_each="inputs.items", on_failure="fail_skill")), tools=Toolbox(), inputs={"items": items}
    )
    assert outcome.status == "failed"
    assert "for_each" in outcome.error


def test_one_bad_item_leaves_null_in_its_place_when_failures_continue() -> None:
    toolbox = Toolbox(look=failing(1, ToolFailed("gone"), 3))
    step = tool("s", use(for_each="[1, 2, 3]", on_failure="continue"))
    outcome = run(step, tools=toolbox)
    assert outcome.state == {"s": {"found": [1, None, 3]}}
    assert outcome.degraded is True


def test_retries_back_off_and_every_attempt_is_recorded() -> None:
    clock = Clock()
    toolbox = Toolbox(look=failing(ToolFailed("busy"), ToolFailed("busy"), "done"))
    step = tool("s", use(max_attempts=4, backoff_s=2))
    outcome = run(step, tools=toolbox, clock=clock, sleep=clock.sleep)
    assert outcome.state == {"s": {"found": "done"}}
    assert outcome.degraded is False
    assert clock.slept == [2, 4]
    assert [(call["attempt"], call.get("error")) for call in outcome.tool_calls] == [
        (1, "busy"),
        (2, "busy"),
        (3, None),
    ]


def test_no_retry_is_made_past_the_deadline_or_where_it_cannot_help() -> None:
    clock = Clock()
    toolbox = Toolbox(look=failing(*[ToolFailed("busy")] * 9))
    outcome = run(tool("s", use(max_attempts=9, backoff_s=25)), tools=toolbox, clock=clock, sleep=clock.sleep)
    assert outcome.status == "escalated"
    assert clock.slept == [25, 30]
    toolbox = Toolbox(look=failing(ToolFailed("no", code="bad_arguments"), 1))
    outcome = run(tool("s", use(max_attempts=3)), tools=toolbox)
    assert len(outcome.tool_calls) == 1


@pytest.mark.parametrize(
    ("on_failure", "status", "step_status"),
    [
        ("escalate", "escalated", "escalated"),
        ("continue", "succeeded", "degraded"),
        ("fail_step", "failed", "failed"),
        ("fail_skill", "failed", "failed"),
    ],
)
def test_a_failed_tool_means_what_the_invocation_says(on_failure: Any, status: str, step_status: str) -> None:
    recorder = Steps()
    toolbox = Toolbox(look=failing(ToolFailed("The page is gone.")))
    outcome = run(tool("s", use(on_failure=on_failure)), tools=toolbox, recorder=recorder)
    assert outcome.status == status
    assert recorder.statuses == [step_status]
    assert "The page is gone." in (outcome.error or outcome.escalation_reason or "The page is gone.")
    assert outcome.degraded is (on_failure == "continue")


def test_a_failed_step_may_be_absorbed_but_a_failed_skill_may_not() -> None:
    for on_failure, status in (("fail_step", "succeeded"), ("fail_skill", "failed")):
        step = tool("s", use(on_failure=on_failure), continue_on_failure=True)
        outcome = run(step, tools=Toolbox(look=failing(ToolFailed("gone"))))
        assert outcome.status == status


def test_arguments_that_cannot_be_made_are_a_failure_of_the_invocation() -> None:
    toolbox = Toolbox(look=lambda **args: 1)
    outcome = run(tool("s", use(args={"a": "{{ state.nope }}"}, on_failure="continue")), tools=toolbox)
    assert (outcome.state, outcome.degraded, toolbox.calls) == ({"s": {"found": None}}, True, [])


@pytest.mark.parametrize("result", [object(), float("nan"), b"bytes", {1: 2}, "\x00", "x" * 2_100_000, {"deep": None}])
def test_a_result_that_cannot_be_stored_is_a_failure(result: Any) -> None:
    if isinstance(result, dict) and "deep" in result:
        for _ in range(300):
            result = [result]
    outcome = run(tool("s", use()), tools=Toolbox(look=lambda: result))
    assert outcome.status == "escalated"
    assert outcome.tool_calls[0]["code"] in {"bad_result", "too_large"}


def test_a_tool_with_a_fault_fails_the_call_and_not_the_process() -> None:
    outcome = run(tool("s", use()), tools=Toolbox(look=failing(ZeroDivisionError("x"))))
    assert outcome.status == "escalated"
    assert "failed unexpectedly (ZeroDivisionError)" in outcome.escalation_reason


def test_a_tool_that_takes_too_long_is_refused_its_answer() -> None:
    clock = Clock()

    def slow() -> int:
        clock.now += 70
        return 1

    outcome = run(
        tool("s", use(on_failure="continue")),
        llm("b", "x"),
        tools=Toolbox(look=slow),
        clock=clock,
        models=ScriptedModels(1),
    )
    assert outcome.state["s"] == {"found": None}
    assert outcome.tool_calls[0]["code"] == "timeout"


def test_a_run_may_not_gather_without_end() -> None:
    step = tool("s", use(for_each="range(50)"))
    outcome = run(step, tools=Toolbox(look=lambda: "x" * 1_000_000))
    assert outcome.status == "escalated"
    assert "gathers more than" in outcome.escalation_reason
