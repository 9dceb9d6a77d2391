"""What a skill package says, once parsed: plain frozen values, free of Django, files and YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Files = Mapping[str, bytes]
"""A version's files: POSIX path relative to the package's root -> content."""

StepKind = Literal["llm", "tool", "mixed"]
OnToolFailure = Literal["escalate", "continue", "fail_step", "fail_skill"]


@dataclass(frozen=True)
class ToolInvocation:
    tool: str
    args: Mapping[str, Any]
    store_as: str
    for_each: str | None = None
    item_name: str = "item"
    max_attempts: int = 1
    backoff_s: float = 0.0
    on_failure: OnToolFailure = "escalate"


@dataclass(frozen=True)
class Step:
    """One step. `prompt` is the prompt's text (a template), `prompt_path` the file that it came from.

    A step of an Agent Skill has no output schema of its own: the capability's output schema is its contract.
    """

    name: str
    kind: StepKind
    prompt: str | None = None
    output_schema: Mapping[str, Any] | None = None
    tools: tuple[str, ...] = ()
    tool_invocations: tuple[ToolInvocation, ...] = ()
    model: str | None = None
    condition: str | None = None
    continue_on_failure: bool = False
    prompt_path: str | None = None


@dataclass(frozen=True)
class FixtureCase:
    """One worked example: `expected_output` is a JSON Schema that the output must match."""

    name: str
    input: Mapping[str, Any]
    expected_output: Mapping[str, Any] | None = None
    assertions: tuple[Mapping[str, Any], ...] = ()
    tool_mocks: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Package:
    form: Literal["steps", "agent_skill"]
    capability_name: str
    description: str
    version: str
    steps: tuple[Step, ...]
    final_output: str | None = None
    state_write: tuple[str, ...] = ()
    fixtures: tuple[FixtureCase, ...] = ()
    frontmatter: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """One thing wrong with a package: the file, the line where it is known, a stable code and a sentence."""

    path: str
    message: str
    code: str
    line: int | None = None


class PackageInvalid(Exception):
    """The package cannot be stored or run; `findings` says why, one sentence each."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__("; ".join(f"{f.path}: {f.message}" for f in findings[:5]))
        self.findings = findings
