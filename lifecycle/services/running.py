"""One attempt at one run: the engine, the version, the gateway and the tools together. Writes steps, not the run."""

from __future__ import annotations

import logging

from django.conf import settings

from donna_skills.llm.port import Purpose
from lifecycle.configuration import Knobs, knobs
from lifecycle.execution import engine, native, tools
from lifecycle.execution.outcome import RunOutcome
from lifecycle.execution.triage import ModelTriage
from lifecycle.models import RunPath, SkillRun
from lifecycle.services import prompts, versions
from lifecycle.services.ports import GatewayModels, StepRows

logger = logging.getLogger(__name__)

_PURPOSE = {
    RunPath.SKILL: Purpose.SKILL_STEP,
    RunPath.SANDBOX: Purpose.SKILL_STEP,
    RunPath.NATIVE: Purpose.NATIVE,
    RunPath.SHADOW: Purpose.SHADOW,
    RunPath.VALIDATION: Purpose.VALIDATION,
}


def attempt(run: SkillRun) -> RunOutcome:
    """Carry the run out once. Whatever goes wrong inside becomes an outcome, so that the run is always settled."""
    try:
        return _reference(run) if run.path in {RunPath.NATIVE, RunPath.SHADOW} else _skill(run)
    except Exception as error:
        logger.exception("A run failed in an unexpected way.", extra={"run_id": str(run.pk)})
        return RunOutcome(status="failed", error=f"An unexpected error ended the run ({type(error).__name__}).")


def _skill(run: SkillRun) -> RunOutcome:
    assert run.version is not None
    limits = knobs()
    return engine.execute(
        versions.package_of(run.version),
        run.inputs,
        models=_models(run),
        tools=tools.RegisteredTools(allow_hosts=_allowed(limits)),
        granted_tools=tuple(run.capability.granted_tools),
        output_schema=run.capability.output_schema,
        recorder=StepRows(run),
        system=prompts.read("skill_system"),
        triage=_triage(run),
        step_deadline_s=limits.run_per_step_timeout_s,
        run_deadline_s=limits.run_per_run_timeout_s,
    )


def _allowed(limits: Knobs) -> tuple[str, ...]:
    """Private places that the tools may reach: the operator's own, and the demo's pages where there is a demo."""
    return (*limits.web_tools_allow_hosts, *filter(None, [settings.DEMO_SITE]))


def _triage(run: SkillRun) -> ModelTriage:
    models = _models(run, task_type="triage")
    return ModelTriage(models, system=prompts.read("triage_system"), prompt=prompts.read("triage"))


def _reference(run: SkillRun) -> RunOutcome:
    capability = run.capability
    return native.answer(
        run.inputs,
        capability_name=capability.name,
        description=capability.description,
        input_schema=capability.input_schema,
        output_schema=capability.output_schema,
        models=_models(run),
        system=prompts.read("native_system"),
        prompt=prompts.read("native"),
        recorder=StepRows(run),
        deadline_s=min(knobs().run_per_step_timeout_s, knobs().run_per_run_timeout_s),
    )


def _models(run: SkillRun, *, task_type: str = "") -> GatewayModels:
    purpose = _PURPOSE[RunPath(run.path)]
    return GatewayModels(purpose=purpose, task_type=task_type or run.capability.name, run_id=run.pk)
