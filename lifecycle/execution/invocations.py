"""A step's tool invocations: permission, arguments, for_each, retries, what a failure means, a record of each call."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from donna_skills.errors import DonnaError
from lifecycle.packages.model import Step, ToolInvocation

from . import canonical, templates
from .outcome import RunStopped, StepFailed
from .ports import Clock, Tools
from .tools.registry import ToolFailed

MAX_ITEMS = 100
MAX_ATTEMPTS = 10
MAX_PAUSE_S = 30.0
MAX_RESULT = 2_000_000
MAX_ROOM = 20_000_000
_FINAL = {"bad_arguments", "unknown_tool", "not_recorded", "target_refused", "url_invalid", "not_text"}
"""Failures that another attempt cannot cure."""

_log = logging.getLogger(__name__)


@dataclass
class Room:
    """How many characters of arguments and results a run may still gather: they are kept in memory and in its row."""

    left: int = MAX_ROOM

    def take(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise ToolFailed(f"The run gathers more than {MAX_ROOM} characters from tools.", code="too_large")


@dataclass
class ToolWork:
    """One step's dealings with tools: the ports, the limits, and what has come of them so far."""

    step: Step
    inputs: Mapping[str, Any]
    state: Mapping[str, Any]
    tools: Tools
    granted: Collection[str]
    end: float
    clock: Clock
    sleep: Callable[[float], None]
    room: Room = field(default_factory=Room)
    results: dict[str, Any] = field(default_factory=dict)
    calls: list[dict[str, Any]] = field(default_factory=list)
    degraded: bool = False


def invoke_all(work: ToolWork) -> None:
    """Run the step's invocations in order; results land in `work.results` under their `store_as`.

    Raises StepFailed (`fail_step`) and RunStopped (no permission, `escalate`, `fail_skill`).
    """
    for invocation in work.step.tool_invocations:
        if invocation.tool not in work.step.tools or invocation.tool not in work.granted:
            lacks = "its capability" if invocation.tool in work.step.tools else "the step"
            raise RunStopped(
                "permission_blocked",
                f"The step {work.step.name!r} may not use the tool {invocation.tool!r}: {lacks} does not grant it.",
            )
        work.results[invocation.store_as] = _invoke(work, invocation)


def _invoke(work: ToolWork, invocation: ToolInvocation) -> Any:
    if invocation.for_each is None:
        return _guarded(work, invocation, {})
    try:
        items = templates.evaluate(invocation.for_each, **_names(work, {}))
    except templates.TemplateFailed as error:
        return _failed(work, invocation, f"for_each of {invocation.tool}: {error.message}")
    if not isinstance(items, list):
        return _failed(work, invocation, f"for_each of {invocation.tool} needs a list.")
    if len(items) > MAX_ITEMS:
        return _failed(work, invocation, f"for_each of {invocation.tool}: {len(items)} items, {MAX_ITEMS} is the most.")
    return [_guarded(work, invocation, {invocation.item_name: item}) for item in items]


def _guarded(work: ToolWork, invocation: ToolInvocation, item: Mapping[str, Any]) -> Any:
    try:
        args = templates.render_value(dict(invocation.args), **_names(work, item))
        return _with_retries(work, invocation, args)
    except (templates.TemplateFailed, ToolFailed) as error:
        return _failed(work, invocation, f"{invocation.tool}: {error.message}", code=error.code)


def _failed(work: ToolWork, invocation: ToolInvocation, message: str, *, code: str = "tool_failed") -> None:
    """What the invocation says a failure means; only `continue` returns, with null as the result."""
    if invocation.on_failure == "escalate":
        raise RunStopped("escalated", message)
    if invocation.on_failure == "fail_skill":
        raise RunStopped("failed", message)
    if invocation.on_failure == "fail_step":
        raise StepFailed(message, code=code)
    work.degraded = True


def _with_retries(work: ToolWork, invocation: ToolInvocation, args: Mapping[str, Any]) -> Any:
    attempts = max(1, min(invocation.max_attempts, MAX_ATTEMPTS))
    for attempt in range(1, attempts + 1):
        try:
            return _call(work, invocation.tool, args, attempt)
        except ToolFailed as error:
            pause = min(invocation.backoff_s * 2 ** (attempt - 1), MAX_PAUSE_S)
            if attempt == attempts or error.code in _FINAL or work.clock() + pause >= work.end:
                raise
            work.sleep(pause)
    raise AssertionError("an attempt returns or raises")


def _call(work: ToolWork, tool: str, args: Mapping[str, Any], attempt: int) -> Any:
    """One call, recorded whether it succeeds or fails."""
    work.room.take(len(canonical.dumps(args)))
    record = {"step": work.step.name, "tool": tool, "args": args, "fingerprint": canonical.fingerprint(tool, args)}
    started = work.clock()
    try:
        result = _result(work, tool, args, started)
    except ToolFailed as error:
        ended = {"attempt": attempt, "duration_ms": _ms(work, started)}
        work.calls.append({**record, "error": error.message, "code": error.code, **ended})
        raise
    work.calls.append({**record, "result": result, "attempt": attempt, "duration_ms": _ms(work, started)})
    return result


def _result(work: ToolWork, tool: str, args: Mapping[str, Any], started: float) -> Any:
    if started >= work.end:
        raise ToolFailed("There is no time left.", code="timeout")
    try:
        result = work.tools.call(tool, args, work.end - started)
    except ToolFailed:
        raise
    except DonnaError as error:
        raise ToolFailed(error.message, code=error.code) from error
    except Exception as error:  # a registered tool is anybody's code, and its fault is the run's reason, not a crash
        _log.exception("tool failed unexpectedly", extra={"tool": tool})
        raise ToolFailed(f"The tool failed unexpectedly ({type(error).__name__}).", code="tool_error") from error
    if work.clock() > work.end:
        raise ToolFailed("The tool's answer came too late.", code="timeout")
    return _json(work, result)


def _json(work: ToolWork, result: Any) -> Any:
    """The result as plain JSON of its own, bounded. Raises ToolFailed."""
    try:
        plain = templates.plain(result)
    except templates.TemplateFailed as error:
        raise ToolFailed(f"The tool's answer cannot be stored: {error.message}", code="bad_result") from error
    size = len(json.dumps(plain))
    if size > MAX_RESULT:
        raise ToolFailed(f"The tool's answer is larger than {MAX_RESULT} characters.", code="too_large")
    work.room.take(size)
    return plain


def _names(work: ToolWork, item: Mapping[str, Any]) -> dict[str, Any]:
    """What the step's templates see: results so far as `tools.<store_as>` and `state.<step>.<store_as>`."""
    state = {**work.state, work.step.name: work.results}
    return {"inputs": work.inputs, "state": state, "extra": {**item, "tools": work.results}}


def _ms(work: ToolWork, started: float) -> int:
    return max(0, round((work.clock() - started) * 1000))
