"""Tools without a network: those of a recorded run, and those that a fixture describes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from . import canonical
from .tools.registry import ToolFailed


class RecordedTools:
    """Answers as the tools of a recorded run did: by tool and arguments, repeated calls in their order.

    When a call has been answered as often as it was recorded, its last answer is given again.
    """

    def __init__(self, tool_calls: Iterable[Mapping[str, Any]]) -> None:
        self._answers: dict[tuple[str, str], deque[Mapping[str, Any]]] = {}
        for call in tool_calls:
            self._answers.setdefault((call["tool"], call["fingerprint"]), deque()).append(call)

    def call(self, tool: str, args: Mapping[str, Any], deadline_s: float) -> Any:
        answers = self._answers.get((tool, canonical.fingerprint(tool, args)))
        if not answers:
            raise ToolFailed(f"No result of {tool} with these arguments was recorded.", code="not_recorded")
        recorded = answers.popleft() if len(answers) > 1 else answers[0]
        return _answer(recorded)


class MockedTools:
    """Answers as a fixture's `tool_mocks` say: {"tool", "args"?, "result" or "error"}; without args, for any arguments.

    Mocks with equal arguments come before those without; of several that fit, each answers once, and the last stays.
    """

    def __init__(self, tool_mocks: Iterable[Mapping[str, Any]]) -> None:
        self._exact: dict[tuple[str, str], deque[Mapping[str, Any]]] = {}
        self._any: dict[str, deque[Mapping[str, Any]]] = {}
        for mock in tool_mocks:
            tool = mock["tool"]
            if mock.get("args") is None:
                self._any.setdefault(tool, deque()).append(mock)
            else:
                self._exact.setdefault((tool, canonical.fingerprint(tool, mock["args"])), deque()).append(mock)

    def call(self, tool: str, args: Mapping[str, Any], deadline_s: float) -> Any:
        mocks = self._exact.get((tool, canonical.fingerprint(tool, args))) or self._any.get(tool)
        if not mocks:
            raise ToolFailed(f"The fixture has no answer of {tool} for these arguments.", code="not_recorded")
        return _answer(mocks.popleft() if len(mocks) > 1 else mocks[0])


def _answer(recorded: Mapping[str, Any]) -> Any:
    if recorded.get("error") is not None:
        raise ToolFailed(str(recorded["error"]), code=str(recorded.get("code") or "tool_failed"))
    return recorded.get("result")
