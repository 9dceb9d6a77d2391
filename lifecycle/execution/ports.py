"""What a run needs from outside, as protocols: models, tools, a recorder of steps, a clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, Protocol

from donna_skills.errors import DonnaError

StepStatus = Literal["succeeded", "failed", "skipped", "escalated", "degraded", "timed_out", "permission_blocked"]


class ModelFailed(DonnaError):
    """The model gave no answer. Codes: model_unavailable, timeout, budget_paused, model_refused."""

    status, code, title = 503, "model_unavailable", "The model did not answer"


class Cancelled(Exception):
    """Raised by a port when somebody has stopped the run; it ends as cancelled."""


@dataclass(frozen=True)
class Answer:
    """A model's answer, and what it cost."""

    text: str
    call_id: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    latency_ms: int = 0


@dataclass(frozen=True)
class StepRecord:
    """A step that has ended. `tool_calls` are those of this step, as in the run's own list."""

    index: int
    name: str
    kind: str
    status: StepStatus
    output: Any = None
    error: str = ""
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    latency_ms: int = 0
    call_ids: tuple[str, ...] = ()


class Models(Protocol):
    def complete(
        self,
        *,
        step: str,
        prompt: str,
        system: str,
        schema: Mapping[str, Any] | None,
        alias: str | None,
        facts: Mapping[str, Any],
        deadline_s: float,
    ) -> Answer:
        """The model's answer within `deadline_s` seconds. Raises ModelFailed."""


class Tools(Protocol):
    def call(self, tool: str, args: Mapping[str, Any], deadline_s: float) -> Any:
        """The tool's JSON result within `deadline_s` seconds. Raises tools.ToolFailed."""


class Recorder(Protocol):
    def step(self, record: StepRecord) -> None:
        """Called as each step ends, so that what is done is known even when the process dies. Raises Cancelled."""


class Clock(Protocol):
    def __call__(self) -> float:
        """Seconds that never go backwards, like time.monotonic."""


class NoRecorder:
    """For runs whose outcome alone matters: fixtures, replays."""

    def step(self, record: StepRecord) -> None:
        return None
