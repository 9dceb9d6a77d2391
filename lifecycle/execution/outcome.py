"""How a run ends, and what it has used up by then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from .ports import Answer

RunStatus = Literal["succeeded", "failed", "escalated", "timed_out", "permission_blocked", "cancelled"]


@dataclass(frozen=True)
class RunOutcome:
    """A finished run. `error` and `escalation_reason` are sentences, empty where there is none.

    `alerts` are sentences that triage wants a person to read; `triage_log` holds each decision with what led to it.
    """

    status: RunStatus
    output: Any = None
    state: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    escalation_reason: str = ""
    degraded: bool = False
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    triage_log: tuple[Mapping[str, Any], ...] = ()
    alerts: tuple[str, ...] = ()
    cost_usd: Decimal = Decimal(0)
    input_tokens: int = 0
    output_tokens: int = 0
    call_ids: tuple[str, ...] = ()


class StepFailed(Exception):
    """A step failed in a way that the package may absorb, and triage too unless no model answered (`outage`)."""

    def __init__(self, message: str, *, code: str = "step_failed", outage: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.outage = outage


class RunStopped(Exception):
    """The run ends here, with this status, whatever the package says about failures."""

    def __init__(self, status: RunStatus, message: str) -> None:
        super().__init__(message)
        self.status: RunStatus = status
        self.message = message


@dataclass
class Tally:
    """What model calls used up."""

    cost_usd: Decimal = Decimal(0)
    input_tokens: int = 0
    output_tokens: int = 0
    latency_ms: int = 0
    call_ids: list[str] = field(default_factory=list)

    def count(self, answer: Answer) -> None:
        self.cost_usd += answer.cost_usd
        self.input_tokens += answer.input_tokens
        self.output_tokens += answer.output_tokens
        self.latency_ms += answer.latency_ms
        if answer.call_id:
            self.call_ids.append(answer.call_id)

    def add(self, other: Tally) -> None:
        self.cost_usd += other.cost_usd
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens
        self.latency_ms += other.latency_ms
        self.call_ids.extend(other.call_ids)
