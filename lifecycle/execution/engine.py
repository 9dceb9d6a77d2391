"""Run a skill: its steps in order, its final output, and an outcome that always says why. Knows no database."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from lifecycle.packages.model import Package, Step

from . import replies, schemas, templates
from .invocations import Room, ToolWork, invoke_all
from .outcome import RunOutcome, RunStatus, RunStopped, StepFailed, Tally
from .ports import Cancelled, Clock, Models, NoRecorder, Recorder, StepRecord, StepStatus, Tools
from .triage import Action, Failure, Triage, TriageDecision

MAX_OUTPUT = 1_000_000


def execute(
    package: Package,
    inputs: Mapping[str, Any],
    *,
    models: Models,
    tools: Tools,
    granted_tools: Collection[str],
    output_schema: Mapping[str, Any] | None,
    recorder: Recorder | None = None,
    triage: Triage | None = None,
    system: str = "",
    step_deadline_s: float = 60.0,
    run_deadline_s: float = 300.0,
    clock: Clock = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> RunOutcome:
    """Run the package on inputs that already match its capability's input schema.

    1. Each step whose condition holds runs; its result becomes `state.<name>`.
    2. A failed step is absorbed (`on_failure: continue`), or triaged, or ends the run.
    3. The final expression is evaluated, and its value checked against the output schema.
    Every way to end is an outcome; only a fault of our own or of a port raises.
    """
    run = _Run(
        package=package,
        inputs=inputs,
        models=models,
        tools=tools,
        granted=frozenset(granted_tools),
        recorder=recorder or NoRecorder(),
        triage=triage,
        system=system,
        answer_schema=output_schema if package.form == "agent_skill" else None,
        step_deadline_s=step_deadline_s,
        end=clock() + run_deadline_s,
        clock=clock,
        sleep=sleep,
    )
    try:
        for index, step in enumerate(package.steps):
            _run_step(run, index, step)
        return run.outcome("succeeded", output=_final_output(run, output_schema))
    except RunStopped as stop:
        return run.outcome(stop.status, message=stop.message)
    except Cancelled as cancelled:
        return run.outcome("cancelled", message=str(cancelled) or "The run was cancelled.")


@dataclass
class _Run:
    package: Package
    inputs: Mapping[str, Any]
    models: Models
    tools: Tools
    granted: frozenset[str]
    recorder: Recorder
    triage: Triage | None
    system: str
    answer_schema: Mapping[str, Any] | None
    """An Agent Skill says no schema of its own: its one step answers with the capability's output."""
    step_deadline_s: float
    end: float
    clock: Clock
    sleep: Callable[[float], None]
    state: dict[str, Any] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    tool_calls: list[Mapping[str, Any]] = field(default_factory=list)
    triage_log: list[Mapping[str, Any]] = field(default_factory=list)
    alerts: list[str] = field(default_factory=list)
    degraded: bool = False
    room: Room = field(default_factory=Room)

    def outcome(self, status: RunStatus, *, output: Any = None, message: str = "") -> RunOutcome:
        escalated = status == "escalated"
        return RunOutcome(
            status=status,
            output=output,
            state=self.state,
            error="" if escalated else message,
            escalation_reason=message if escalated else "",
            degraded=self.degraded,
            tool_calls=tuple(self.tool_calls),
            triage_log=tuple(self.triage_log),
            alerts=tuple(self.alerts),
            cost_usd=self.tally.cost_usd,
            input_tokens=self.tally.input_tokens,
            output_tokens=self.tally.output_tokens,
            call_ids=tuple(self.tally.call_ids),
        )


@dataclass
class _Attempt:
    """A step under way: what it has used and found, across retries."""

    run: _Run
    index: int
    step: Step
    work: ToolWork
    started: float
    tally: Tally = field(default_factory=Tally)
    prompt: str | None = None
    asked: bool = False

    def facts(self) -> dict[str, Any]:
        run = self.run
        return {"inputs": run.inputs, "state": run.state, "tools": self.work.results, "step": self.step.name}

    def book(self) -> None:
        """What the step used up and called becomes the run's."""
        self.run.tally.add(self.tally)
        self.run.tool_calls.extend(self.work.calls)

    def finish(self, status: StepStatus, *, output: Any = None, error: str = "") -> None:
        """Book the step with the run, then tell the recorder."""
        run = self.run
        self.book()
        run.degraded = run.degraded or status == "degraded"
        run.recorder.step(
            StepRecord(
                index=self.index,
                name=self.step.name,
                kind=self.step.kind,
                status=status,
                output=output,
                error=error,
                tool_calls=tuple(self.work.calls),
                input_tokens=self.tally.input_tokens,
                output_tokens=self.tally.output_tokens,
                cost_usd=self.tally.cost_usd,
                latency_ms=max(0, round((run.clock() - self.started) * 1000)),
                call_ids=tuple(self.tally.call_ids),
            )
        )


def _run_step(run: _Run, index: int, step: Step) -> None:
    attempt = _begin(run, index, step)
    try:
        output = _with_triage(attempt)
    except RunStopped as stop:
        attempt.finish(_step_status(stop.status), error=stop.message)
        raise
    except Cancelled:
        attempt.book()
        raise
    if isinstance(output, _Left):
        if attempt.work.results:
            run.state[step.name] = attempt.work.results
        run.degraded = run.degraded or bool(output.error)
        attempt.finish(output.status, error=output.error)
        return
    run.state[step.name] = _merged(attempt.work.results, output)
    attempt.finish("degraded" if attempt.work.degraded else "succeeded", output=run.state[step.name])


@dataclass(frozen=True)
class _Left:
    """The step has no output, and the run goes on: its condition does not hold, or its failure is absorbed."""

    status: StepStatus
    error: str = ""


def _begin(run: _Run, index: int, step: Step) -> _Attempt:
    now = run.clock()
    work = ToolWork(
        step=step,
        inputs=run.inputs,
        state=run.state,
        tools=run.tools,
        granted=run.granted,
        end=min(now + run.step_deadline_s, run.end),
        clock=run.clock,
        sleep=run.sleep,
        room=run.room,
    )
    return _Attempt(run=run, index=index, step=step, work=work, started=now)


def _condition_holds(attempt: _Attempt) -> bool:
    step, run = attempt.step, attempt.run
    if step.condition is None:
        return True
    try:
        return bool(templates.evaluate(step.condition, inputs=run.inputs, state=run.state))
    except templates.TemplateFailed as error:
        raise StepFailed(f"The condition of the step {step.name!r} fails: {error.message}", code=error.code) from error


def _with_triage(attempt: _Attempt) -> Any:
    """The step's output, or what is left of it once a failure is absorbed. Raises RunStopped."""
    retries = 0
    while True:
        try:
            return _work(attempt)
        except StepFailed as failure:
            _refuse_after_end(attempt.run)
            if attempt.step.continue_on_failure:
                return _Left("degraded", failure.message)
            decision = _triaged(attempt, failure, retries)
            if decision.action is not Action.RETRY:
                return _done_as_decided(attempt, failure, decision)
            retries += 1
            attempt.prompt = decision.prompt
            attempt.work.end = min(attempt.run.clock() + attempt.run.step_deadline_s, attempt.run.end)


def _work(attempt: _Attempt) -> Any:
    """Tools first, then the model. A retry asks the model again, and keeps what the tools found."""
    step, run = attempt.step, attempt.run
    _refuse_after_end(run)
    if not attempt.asked:
        if not _condition_holds(attempt):
            return _Left("skipped")
        invoke_all(attempt.work)
    _refuse_after_end(run)
    if step.kind == "tool":
        return None
    attempt.asked = True
    if attempt.prompt is None:
        attempt.prompt = _prompt(attempt)
    return replies.ask(
        run.models,
        step=step.name,
        prompt=attempt.prompt,
        system=run.system,
        schema=step.output_schema or run.answer_schema,
        alias=step.model,
        facts=attempt.facts(),
        end=attempt.work.end,
        clock=run.clock,
        tally=attempt.tally,
    )


def _prompt(attempt: _Attempt) -> str:
    step, run = attempt.step, attempt.run
    if not step.prompt:
        raise StepFailed(f"The step {step.name!r} has no prompt.", code="no_prompt")
    state = {**run.state, step.name: attempt.work.results} if attempt.work.results else run.state
    try:
        return templates.render(step.prompt, inputs=run.inputs, state=state, extra={"tools": attempt.work.results})
    except templates.TemplateFailed as error:
        raise StepFailed(f"The prompt of the step {step.name!r} fails. {error.message}", code=error.code) from error


def _triaged(attempt: _Attempt, failure: StepFailed, retries: int) -> TriageDecision:
    """What triage says, logged. Without triage, and when no model answers, the run ends as the failure says.

    A model is not asked what to do about models that do not answer: that would only double the wait. Raises RunStopped.
    """
    run = attempt.run
    if run.triage is None or failure.outage:
        raise _ending(failure)
    told = Failure(
        step=attempt.step.name,
        kind=attempt.step.kind,
        error=failure.message,
        code=failure.code,
        prompt=attempt.prompt if attempt.asked else None,
        retries=retries,
    )
    left = min(run.step_deadline_s, run.end - run.clock())
    decision = run.triage.decide(told, facts=attempt.facts(), deadline_s=left, tally=attempt.tally)
    if decision.action is Action.RETRY and not (told.may_retry and decision.prompt):
        decision = TriageDecision(Action.ESCALATE, "Triage wants a retry, but the step cannot be retried like that.")
    entry = {"step": told.step, "error": told.error, "code": told.code, "retries": retries, **decision.as_dict()}
    run.triage_log.append(entry)
    return decision


def _done_as_decided(attempt: _Attempt, failure: StepFailed, decision: TriageDecision) -> _Left:
    if decision.action is Action.SKIP:
        return _Left("skipped", failure.message)
    if decision.action is Action.DEGRADE:
        return _Left("degraded", failure.message)
    if decision.action is Action.ALERT:
        attempt.run.alerts.append(f"The step {attempt.step.name!r} failed: {failure.message} {decision.reason}".strip())
        raise _ending(failure)
    raise RunStopped("escalated", f"{failure.message} {decision.reason}".strip())


def _ending(failure: StepFailed) -> RunStopped:
    timed_out = failure.code in ("timeout", "model_timeout")
    return RunStopped("timed_out" if timed_out else "failed", failure.message)


def _refuse_after_end(run: _Run) -> None:
    if run.clock() >= run.end:
        raise RunStopped("timed_out", "The run ran out of time.")


def _merged(results: Mapping[str, Any], output: Any) -> Any:
    """A step's place in the state: tool results by name, the model's own keys over them."""
    if output is None and results:
        return dict(results)
    if isinstance(output, dict):
        return {**results, **output}
    return {} if output is None else output


def _final_output(run: _Run, output_schema: Mapping[str, Any] | None) -> Any:
    _refuse_after_end(run)
    expression = run.package.final_output
    try:
        output = (
            templates.plain(run.state)
            if expression is None
            else templates.evaluate(expression, inputs=run.inputs, state=run.state)
        )
    except templates.TemplateFailed as error:
        raise RunStopped("failed", f"The final output cannot be made: {error.message}") from error
    if len(json.dumps(output)) > MAX_OUTPUT:
        raise RunStopped("failed", f"The final output is larger than {MAX_OUTPUT} characters.")
    problems = [] if output_schema is None else schemas.problems(output, output_schema)
    if problems:
        said = replies.describe(problems, most=3)
        raise RunStopped("failed", f"The final output does not match the output schema. {said}")
    return output


def _step_status(status: RunStatus) -> StepStatus:
    known: Mapping[RunStatus, StepStatus] = {
        "escalated": "escalated",
        "timed_out": "timed_out",
        "permission_blocked": "permission_blocked",
    }
    return known.get(status, "failed")
