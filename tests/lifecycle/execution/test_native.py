"""The reference path: one call, read as strictly as a skill's step."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.execution import native
from lifecycle.execution.outcome import RunOutcome
from lifecycle.execution.ports import Cancelled, ModelFailed
from tests.scripted import ScriptedModels

from .builders import TASK_SCHEMA, Clock, Steps


def answer(
    models: ScriptedModels, *, prompt: str = "{{ capability_name }}: {{ inputs.text }}", **more: Any
) -> RunOutcome:
    return native.answer(
        {"text": "call"},
        capability_name="parse_task",
        description="Parses.",
        input_schema={"type": "object"},
        output_schema=TASK_SCHEMA,
        models=models,
        prompt=prompt,
        system="Be exact.",
        **more,
    )


def test_the_reference_model_answers_with_the_capability_in_its_prompt() -> None:
    models, recorder = ScriptedModels({"title": "call"}), Steps()
    outcome = answer(
        models, prompt="{{ description }} {{ output_schema | tojson }} {{ inputs | tojson }}", recorder=recorder
    )
    assert (outcome.status, outcome.output) == ("succeeded", {"title": "call"})
    assert models.prompts[0].startswith('Parses. {"type": "object", "properties"')
    assert (models.history[0].system, models.history[0].schema) == ("Be exact.", TASK_SCHEMA)
    assert models.history[0].facts["inputs"] == {"text": "call"}
    assert outcome.call_ids == ("call-1",)
    assert recorder.records[0].output == {"title": "call"}


def test_it_has_one_repair_and_then_fails() -> None:
    assert answer(ScriptedModels("?", {"title": "x"})).status == "succeeded"
    outcome = answer(ScriptedModels("?", "?"))
    assert outcome.status == "failed"
    assert outcome.input_tokens == 20


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"escalate": "cannot"}, "escalated"),
        (ModelFailed("Nobody."), "failed"),
        (ModelFailed("Late.", code="model_timeout"), "timed_out"),
        (Cancelled("Stopped."), "cancelled"),
    ],
)
def test_every_other_end_is_an_outcome(said: Any, status: str) -> None:
    outcome = answer(ScriptedModels(said))
    assert outcome.status == status
    assert outcome.error or outcome.escalation_reason


def test_a_late_answer_is_timed_out() -> None:
    clock = Clock()

    def slow(asked: Any) -> dict[str, str]:
        clock.now += 11
        return {"title": "x"}

    assert answer(ScriptedModels(slow), clock=clock, deadline_s=10).status == "timed_out"


def test_a_prompt_that_fails_is_a_failed_run() -> None:
    assert "nope" in answer(ScriptedModels(), prompt="{{ nope }}").error
