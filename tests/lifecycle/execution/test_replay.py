"""Recorded and mocked tools answer from what they were given, and from nothing else."""

from __future__ import annotations

import pytest

from lifecycle.execution.replay import MockedTools, RecordedTools
from lifecycle.execution.tools import ToolFailed

from .builders import Toolbox, run, tool, use


def test_a_recorded_run_replays_to_the_same_state_without_its_tools() -> None:
    answers = iter([1, 2, ToolFailed("busy"), 4])

    def look(n: int) -> int:
        said = next(answers)
        if isinstance(said, ToolFailed):
            raise said
        return said

    step = tool("s", use(for_each="[1, 1, 3]", args={"n": "{{ item }}"}, max_attempts=2))
    first = run(step, tools=Toolbox(look=look))
    again = run(step, tools=RecordedTools(first.tool_calls))
    assert first.state == again.state == {"s": {"found": [1, 2, 4]}}
    assert [call["fingerprint"] for call in again.tool_calls] == [call["fingerprint"] for call in first.tool_calls]
    assert again.tool_calls[2]["error"] == "busy"


def test_a_call_that_was_not_recorded_fails_with_its_own_code() -> None:
    tools = RecordedTools([])
    with pytest.raises(ToolFailed) as failed:
        tools.call("look", {"n": 1}, 5)
    assert failed.value.code == "not_recorded"


def test_the_last_recorded_answer_stays() -> None:
    tools = RecordedTools([{"tool": "t", "fingerprint": _print(), "result": n} for n in (1, 2)])
    assert [tools.call("t", {}, 5) for _ in range(3)] == [1, 2, 2]


def test_mocks_answer_by_arguments_first_and_then_for_any() -> None:
    tools = MockedTools(
        [
            {"tool": "t", "result": "any"},
            {"tool": "t", "args": {"n": 1}, "result": "one"},
            {"tool": "t", "args": {"n": 2}, "error": "two is broken"},
            {"tool": "t", "args": {}, "result": "none"},
        ]
    )
    assert tools.call("t", {"n": 1.0}, 5) == "one"
    assert tools.call("t", {}, 5) == "none"
    assert tools.call("t", {"n": 3}, 5) == "any"
    with pytest.raises(ToolFailed, match="two is broken"):
        tools.call("t", {"n": 2}, 5)
    with pytest.raises(ToolFailed) as failed:
        tools.call("u", {}, 5)
    assert failed.value.code == "not_recorded"


def test_several_mocks_for_the_same_call_answer_in_order() -> None:
    tools = MockedTools([{"tool": "t", "error": "busy"}, {"tool": "t", "result": 2}])
    with pytest.raises(ToolFailed, match="busy"):
        tools.call("t", {}, 5)
    assert [tools.call("t", {}, 5) for _ in range(2)] == [2, 2]


def _print() -> str:
    from lifecycle.execution.canonical import fingerprint

    return fingerprint("t", {})
