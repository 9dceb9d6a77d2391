"""Packages, steps and runs in as few words as a test wants to say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lifecycle.execution import engine
from lifecycle.execution.outcome import RunOutcome
from lifecycle.execution.ports import StepRecord
from lifecycle.packages.model import Package, Step, ToolInvocation
from tests.scripted import ScriptedModels

TASK_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"title": {"type": "string", "minLength": 1}},
    "required": ["title"],
    "additionalProperties": False,
}


class Clock:
    """A clock that moves only when it is told to; as `sleep`, it moves by what was asked for."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class Toolbox:
    """Tools that are Python functions of their arguments, with the calls that were made."""

    def __init__(self, **tools: Callable[..., Any]) -> None:
        self.tools = tools
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def call(self, tool: str, args: Mapping[str, Any], deadline_s: float) -> Any:
        self.calls.append((tool, dict(args)))
        return self.tools[tool](**args)


class Steps:
    """A recorder that keeps what it is told."""

    def __init__(self) -> None:
        self.records: list[StepRecord] = []

    def step(self, record: StepRecord) -> None:
        self.records.append(record)

    @property
    def statuses(self) -> list[str]:
        return [record.status for record in self.records]


def llm(name: str = "parse", prompt: str = "Parse {{ inputs.text }}", **more: Any) -> Step:
    return Step(name=name, kind="llm", prompt=prompt, **more)


def tool(name: str = "fetch", *invocations: ToolInvocation, **more: Any) -> Step:
    return Step(
        name=name, kind="tool", tools=tuple({each.tool for each in invocations}), tool_invocations=invocations, **more
    )


def use(name: str = "look", *, store_as: str = "found", args: Any = None, **more: Any) -> ToolInvocation:
    return ToolInvocation(tool=name, args=args or {}, store_as=store_as, **more)


def package(*steps: Step, final_output: str | None = None) -> Package:
    return Package(
        form="steps", capability_name="test", description="", version="1", steps=steps, final_output=final_output
    )


def run(
    *steps: Step,
    models: ScriptedModels | None = None,
    tools: Any = None,
    granted: tuple[str, ...] = ("look",),
    inputs: Mapping[str, Any] | None = None,
    final_output: str | None = None,
    output_schema: Mapping[str, Any] | None = None,
    **more: Any,
) -> RunOutcome:
    return engine.execute(
        package(*steps, final_output=final_output),
        {"text": "call the mechanic"} if inputs is None else inputs,
        models=models or ScriptedModels(),
        tools=tools or Toolbox(),
        granted_tools=granted,
        output_schema=output_schema,
        **more,
    )
