"""Every triage decision does what it says, and whatever is no decision escalates."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.execution.ports import ModelFailed
from lifecycle.execution.tools import ToolFailed
from lifecycle.execution.triage import Action, ModelTriage, TriageDecision, parse_triage
from tests.scripted import ScriptedModels

from .builders import Clock, Steps, Toolbox, llm, run, tool, use
from .test_canonical import JSON

PROMPT = "{{ failure.step }}: {{ failure.error }} {{ failure.may_retry }} {{ inputs.text }}"


def decide(action: str, **more: Any) -> dict[str, Any]:
    return {"action": action, "reason": "because", **more}


def triaged(*decisions: Any, models: ScriptedModels, **more: Any) -> Any:
    asked = ScriptedModels(*decisions)
    outcome = run(llm("a", "Ask {{ inputs.text }}"), models=models, triage=ModelTriage(asked, PROMPT), **more)
    return outcome, asked


def test_a_retry_asks_again_with_the_modified_prompt() -> None:
    models = ScriptedModels("bad", "bad", {"ok": 1})
    outcome, asked = triaged(decide(Action.RETRY, prompt="Say {{ literally }} JSON"), models=models)
    assert outcome.status == "succeeded"
    assert models.prompts[2] == "Say {{ literally }} JSON"
    assert "a: The model's answer cannot be used" in asked.prompts[0]
    assert asked.prompts[0].endswith("true call the mechanic")
    (entry,) = outcome.triage_log
    assert (entry["step"], entry["action"], entry["reason"], entry["retries"]) == ("a", Action.RETRY, "because", 0)
    assert outcome.input_tokens == 40


def test_a_step_is_retried_at_most_twice() -> None:
    models = ScriptedModels(*["bad"] * 6)
    outcome, _ = triaged(*[decide(Action.RETRY, prompt="again")] * 3, models=models)
    assert outcome.status == "escalated"
    assert len(models.history) == 6
    assert [entry["action"] for entry in outcome.triage_log] == [Action.RETRY, Action.RETRY, Action.ESCALATE]
    assert "cannot be retried any more" in outcome.escalation_reason


def test_a_retry_keeps_what_the_tools_found() -> None:
    toolbox = Toolbox(look=lambda: 1)
    step = llm("a", "{{ tools.found }}", tools=("look",), tool_invocations=(use(),))
    outcome = run(
        step,
        models=ScriptedModels("bad", "bad", {"ok": 1}),
        tools=toolbox,
        triage=ModelTriage(ScriptedModels(decide(Action.RETRY, prompt="again")), PROMPT),
    )
    assert outcome.status == "succeeded"
    assert len(toolbox.calls) == 1


def test_a_retry_has_a_deadline_of_its_own() -> None:
    clock = Clock()

    def slow(asked: Any) -> str:
        clock.now += 25
        return "bad"

    models = ScriptedModels(slow, slow, {"ok": 1})
    outcome, _ = triaged(decide(Action.RETRY, prompt="shorter"), models=models, clock=clock)
    assert outcome.status == "succeeded"
    assert [asked.deadline_s for asked in models.history] == [60, 35, 60]


@pytest.mark.parametrize(("code", "status"), [("model_unavailable", "failed"), ("model_timeout", "timed_out")])
def test_no_model_is_asked_about_models_that_do_not_answer(code: str, status: str) -> None:
    outcome, asked = triaged(models=ScriptedModels(ModelFailed("Nobody is there.", code=code)))
    assert (outcome.status, outcome.error, asked.history) == (status, "Nobody is there.", [])


@pytest.mark.parametrize(
    ("action", "status", "step_status", "degraded"),
    [
        (Action.SKIP, "succeeded", "skipped", True),
        (Action.DEGRADE, "succeeded", "degraded", True),
        (Action.ESCALATE, "escalated", "escalated", False),
        (Action.ALERT, "failed", "failed", False),
    ],
)
def test_each_decision_does_what_it_says(action: Action, status: str, step_status: str, degraded: bool) -> None:
    recorder = Steps()
    outcome, _ = triaged(decide(action), models=ScriptedModels("bad", "bad"), recorder=recorder)
    assert outcome.status == status
    assert outcome.degraded is degraded
    assert recorder.statuses == [step_status]
    assert [entry["action"] for entry in outcome.triage_log] == [action]
    assert bool(outcome.alerts) is (action is Action.ALERT)


def test_an_alert_says_what_happened_and_why_a_person_should_look() -> None:
    outcome, _ = triaged(decide(Action.ALERT), models=ScriptedModels("bad", "bad"))
    assert "'a' failed" in outcome.alerts[0]
    assert "because" in outcome.alerts[0]


def test_a_failed_tool_step_cannot_be_retried_with_a_prompt() -> None:
    asked = ScriptedModels(decide(Action.RETRY, prompt="again"))
    outcome = run(
        tool("s", use(on_failure="fail_step")),
        tools=Toolbox(look=lambda: (_ for _ in ()).throw(ToolFailed("gone"))),
        triage=ModelTriage(asked, PROMPT),
    )
    assert outcome.status == "escalated"
    assert "false" in asked.prompts[0]


def test_absorbed_failures_are_not_triaged() -> None:
    outcome = run(
        llm("a", "x", continue_on_failure=True),
        models=ScriptedModels("bad", "bad"),
        triage=ModelTriage(ScriptedModels(), PROMPT),
    )
    assert outcome.status == "succeeded"


@pytest.mark.parametrize(
    "reply", ["", "I would retry", {}, [], {"action": "explode", "reason": "x"}, {"action": "skip_step"},
              {"action": "skip_step", "reason": " "}, {"action": ["skip_step"], "reason": "x"}, decide(Action.RETRY),
              decide(Action.RETRY, prompt=5), decide(Action.RETRY, prompt="x" * 60_000), ModelFailed("Nobody.")],
)  # fmt: skip
def test_a_missing_or_invalid_answer_escalates(reply: Any) -> None:
    outcome, _ = triaged(reply, models=ScriptedModels("bad", "bad"))
    assert outcome.status == "escalated"
    assert outcome.triage_log[0]["action"] == Action.ESCALATE
    assert "riage" in outcome.escalation_reason


def test_a_triage_of_ones_own_is_held_to_the_same_rules() -> None:
    class Always:
        def decide(self, failure: Any, **more: Any) -> TriageDecision:
            return TriageDecision(Action.RETRY, "again")

    outcome = run(llm("a", "x"), models=ScriptedModels("bad", "bad"), triage=Always())
    assert outcome.status == "escalated"


@given(JSON | st.fixed_dictionaries({"action": st.sampled_from([*Action, "x", 1]), "reason": JSON, "prompt": JSON}))
def test_any_reply_is_a_decision(value: Any) -> None:
    assert isinstance(parse_triage(json.dumps(value)), TriageDecision)


@given(st.text())
def test_any_text_is_a_decision(text: str) -> None:
    decision = parse_triage(text)
    assert isinstance(decision.action, Action)
    assert parse_triage(None).action is Action.ESCALATE
