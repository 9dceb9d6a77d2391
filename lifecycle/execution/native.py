"""The reference path: no skill, one model call with the capability's own words and schemas."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from . import replies, templates
from .outcome import RunOutcome, RunStopped, StepFailed, Tally
from .ports import Cancelled, Clock, Models, NoRecorder, Recorder, StepRecord

STEP = "native"


def answer(
    inputs: Mapping[str, Any],
    *,
    capability_name: str,
    description: str,
    input_schema: Mapping[str, Any] | None,
    output_schema: Mapping[str, Any] | None,
    models: Models,
    prompt: str,
    system: str = "",
    alias: str | None = None,
    recorder: Recorder | None = None,
    deadline_s: float = 60.0,
    clock: Clock = time.monotonic,
) -> RunOutcome:
    """The reference model's answer, read, repaired once and validated as a skill's step is.

    `prompt` is a template that knows `inputs`, `capability_name`, `description`, `input_schema`, `output_schema`.
    """
    tally, started = Tally(), clock()
    names = {
        "capability_name": capability_name,
        "description": description,
        "input_schema": templates.plain(input_schema),
        "output_schema": templates.plain(output_schema),
    }
    try:
        output = replies.ask(
            models,
            step=STEP,
            prompt=templates.render(prompt, inputs=inputs, state={}, extra=names),
            system=system,
            schema=output_schema,
            alias=alias,
            facts={"inputs": inputs, "state": {}, "tools": {}, "step": STEP},
            end=started + deadline_s,
            clock=clock,
            tally=tally,
        )
        outcome = _outcome(tally, status="succeeded", output=output)
    except templates.TemplateFailed as error:
        outcome = _outcome(tally, status="failed", error=f"The prompt fails. {error.message}")
    except StepFailed as error:
        late = error.code in ("timeout", "model_timeout")
        outcome = _outcome(tally, status="timed_out" if late else "failed", error=error.message)
    except RunStopped as stop:
        outcome = _outcome(tally, status="escalated", escalation_reason=stop.message)
    except Cancelled as cancelled:
        return _outcome(tally, status="cancelled", error=str(cancelled) or "The run was cancelled.")
    _record(recorder or NoRecorder(), outcome, tally, latency_ms=max(0, round((clock() - started) * 1000)))
    return outcome


def _outcome(tally: Tally, **how: Any) -> RunOutcome:
    return RunOutcome(
        **how,
        cost_usd=tally.cost_usd,
        input_tokens=tally.input_tokens,
        output_tokens=tally.output_tokens,
        call_ids=tuple(tally.call_ids),
    )


def _record(recorder: Recorder, outcome: RunOutcome, tally: Tally, *, latency_ms: int) -> None:
    recorder.step(
        StepRecord(
            index=0,
            name=STEP,
            kind="llm",
            status=outcome.status if outcome.status != "cancelled" else "failed",
            output=outcome.output,
            error=outcome.error or outcome.escalation_reason,
            input_tokens=tally.input_tokens,
            output_tokens=tally.output_tokens,
            cost_usd=tally.cost_usd,
            latency_ms=latency_ms,
            call_ids=tuple(tally.call_ids),
        )
    )
