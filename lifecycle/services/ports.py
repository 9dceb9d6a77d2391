"""The execution engine's ports, wired to the real thing: the model gateway and the rows that a run leaves."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from donna_skills.errors import BudgetPaused
from donna_skills.inserts import PreparedInsert
from donna_skills.llm import gateway
from donna_skills.llm.port import ModelFailed as GatewayFailed
from donna_skills.llm.port import ModelRequest, Purpose
from lifecycle.execution import ports
from lifecycle.models import SkillRun, StepResult

_STEPS = PreparedInsert(StepResult)


class GatewayModels:
    """Each call of one run, with its purpose and the capability as its task type."""

    def __init__(self, *, purpose: Purpose, task_type: str, run_id: uuid.UUID | None) -> None:
        self.purpose, self.task_type, self.run_id = purpose, task_type, run_id

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
    ) -> ports.Answer:
        request = ModelRequest(
            purpose=self.purpose,
            task_type=self.task_type,
            prompt=prompt,
            system=system,
            alias=alias,
            schema=schema,
            facts=facts,
            run_id=self.run_id,
            deadline_s=deadline_s,
        )
        try:
            reply = gateway.complete(request)
        except (GatewayFailed, BudgetPaused) as error:
            raise ports.ModelFailed(error.message, code=error.code) from error
        return ports.Answer(
            text=reply.text,
            call_id=str(reply.call_id),
            input_tokens=reply.input_tokens,
            output_tokens=reply.output_tokens,
            cost_usd=reply.cost_usd,
            latency_ms=reply.latency_ms,
        )


class StepRows:
    """Writes each step as it ends, so that a crash leaves what was done."""

    def __init__(self, run: SkillRun) -> None:
        self.run = run

    def step(self, record: ports.StepRecord) -> None:
        _STEPS.create(
            StepResult(
                run=self.run,
                name=record.name[:200],
                index=record.index,
                kind=record.kind,
                status=record.status,
                output=record.output,
                error=record.error,
                input_tokens=record.input_tokens,
                output_tokens=record.output_tokens,
                cost_usd=record.cost_usd or Decimal(0),
                latency_ms=record.latency_ms,
            )
        )
