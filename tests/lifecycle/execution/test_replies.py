"""What counts as JSON from a model, and what a run does with everything else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.execution import replies
from lifecycle.execution.replies import ReplyInvalid
from tests.scripted import ScriptedModels

from .builders import TASK_SCHEMA, llm, run
from .test_canonical import JSON


@pytest.mark.parametrize(
    "reply",
    ['{"a": 1}', ' \n {"a": 1}\n', '```json\n{"a": 1}\n```', '```\n{"a": 1}```\n', '\n```JSON\r\n{"a": 1}\r\n```  '],
)
def test_json_is_read_bare_or_in_one_fence(reply: str) -> None:
    assert replies.parse(reply) == {"a": 1}


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "   ",
        "```json\n```",
        'Here it is: {"a": 1}',
        '{"a": 1} as you asked',
        'text\n```json\n{"a": 1}\n```',
        '```json\n{"a": 1}\n```\n```json\n{"a": 2}\n```',
        '```yaml\n{"a": 1}\n```',
        '{"a": NaN}',
        '{"a": Infinity}',
        '{"a": -Infinity}',
        '{"a": 1e999}',
        '{"a": 1, "a": 2}',
        '{"a": "\\u0000"}',
        '{"a": "\\ud800"}',
        '{"a": "\ud800"}',
        '{"a": ' + "9" * 5_000 + "}",
        "{'a': 1}",
        '{"a": 1,}',
        "[" * 60 + "]" * 60,
        "[" * 200_000,
        '"' + "x" * 600_000 + '"',
    ],
)
def test_everything_else_is_refused_with_a_sentence(reply: str) -> None:
    with pytest.raises(ReplyInvalid) as refused:
        replies.parse(reply)
    assert str(refused.value).endswith(".")


def test_an_answer_that_does_not_match_is_sent_back_once_with_the_reason() -> None:
    models = ScriptedModels({"name": "x"}, {"title": "x"})
    outcome = run(llm(output_schema=TASK_SCHEMA), models=models)
    assert outcome.status == "succeeded"
    assert outcome.state == {"parse": {"title": "x"}}
    first, second = models.prompts
    assert second.startswith(first)
    assert "'title' is a required property" in second
    assert '{"name": "x"}' in second
    assert (outcome.input_tokens, outcome.output_tokens, str(outcome.cost_usd)) == (20, 10, "0.02")
    assert outcome.call_ids == ("call-1", "call-2")


def test_a_second_unusable_answer_fails_the_run() -> None:
    outcome = run(llm(output_schema=TASK_SCHEMA), models=ScriptedModels("no json", '{"name": 1}'))
    assert outcome.status == "failed"
    assert "nor its repair" in outcome.error
    assert "'title' is a required property" in outcome.error


def test_a_prompt_with_braces_survives_the_repair() -> None:
    models = ScriptedModels("{oops}", {"title": "x"})
    outcome = run(llm(prompt="{x} {% raw %}{{ y }}{% endraw %} {0}"), models=models)
    assert outcome.status == "succeeded"
    assert "{x} {{ y }} {0}" in models.prompts[1]
    assert "{oops}" in models.prompts[1]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("too vague", "too vague"),
        ({"why": 1}, '{"why": 1}'),
        (True, "true"),
        ("", "without a reason"),
        (0, "0"),
        (False, "false"),
    ],
)
def test_an_answer_with_escalate_ends_the_run_before_validation(said: Any, reason: str) -> None:
    outcome = run(llm(output_schema=TASK_SCHEMA), models=ScriptedModels({"escalate": said}))
    assert outcome.status == "escalated"
    assert reason in outcome.escalation_reason
    assert outcome.error == ""


def test_escalate_null_is_no_escalation() -> None:
    assert run(llm(), models=ScriptedModels({"escalate": None, "a": 1})).status == "succeeded"
    assert run(llm(), models=ScriptedModels(["escalate"])).status == "succeeded"


def test_an_escalation_may_come_with_the_repair() -> None:
    outcome = run(llm(output_schema=TASK_SCHEMA), models=ScriptedModels("what?", {"escalate": "I cannot"}))
    assert (outcome.status, outcome.escalation_reason) == ("escalated", "I cannot")


@given(JSON)
def test_any_json_answer_gives_an_outcome(value: Any) -> None:
    outcome = run(llm(output_schema=TASK_SCHEMA), models=ScriptedModels(json.dumps(value), json.dumps(value)))
    assert outcome.status in {"succeeded", "failed", "escalated"}
    assert bool(outcome.error or outcome.escalation_reason) == (outcome.status != "succeeded")


@given(st.text(), st.text(alphabet='{}[]",:ntru e1\\`\n', max_size=30))
def test_any_text_answer_gives_an_outcome(one: str, other: str) -> None:
    outcome = run(llm(), models=ScriptedModels(one, other), final_output="state.parse")
    assert outcome.status in {"succeeded", "failed", "escalated"}
