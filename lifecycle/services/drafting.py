"""What a draft is written from, and the asking: samples of real runs, what was said about earlier attempts, the prompt.

All of it is data: it goes into the prompt as JSON between markers, with nothing in it that could close a marker.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from donna_skills.llm import gateway, ledger
from donna_skills.llm.port import ModelRequest, Purpose
from lifecycle.configuration import knobs
from lifecycle.decisions import drafting
from lifecycle.execution import canonical, templates
from lifecycle.models import (
    AttemptStatus,
    Capability,
    DraftAttempt,
    RunPath,
    RunStatus,
    Skill,
    SkillRun,
)
from lifecycle.services import authoring, prompts, reviews
from lifecycle.services.candidates import WINDOW

SAMPLES = 5
FED_BACK = 3
_LOOKED_AT = 100
_LONGEST_SAMPLE = 12_000
"""Characters of one run as JSON: longer ones are passed over, so that five of them fit any prompt."""
_MAX_OUTPUT_TOKENS = 16_000
_MOST_REASONS = 10


def samples_of(capability: Capability, *, now: datetime) -> list[dict[str, Any]]:
    """Up to five answers of the reference with different inputs, showing as many shapes and labels as possible. What
    people corrected teaches nothing, and what stood in for a failed skill was nobody's request."""
    found = (
        SkillRun.objects.filter(
            capability=capability,
            path=RunPath.NATIVE,
            status=RunStatus.SUCCEEDED,
            fallback_of__isnull=True,
            output__isnull=False,
            corrections__isnull=True,
            created_at__gt=now - WINDOW,
            created_at__lte=now,
        )
        .only("id", "inputs", "output")
        .order_by("-id")[:_LOOKED_AT]
    )
    distinct: dict[str, dict[str, Any]] = {}
    for run in found:
        sample = {"run_id": str(run.pk), "input": run.inputs, "output": run.output}
        if len(canonical.dumps(sample)) <= _LONGEST_SAMPLE:
            distinct.setdefault(canonical.dumps(run.inputs), sample)
    listed = list(distinct.values())
    return [listed[place] for place in drafting.samples([one["output"] for one in listed], most=SAMPLES)]


def ask(attempt: DraftAttempt) -> str:
    """The author's reply, for the attempt's samples. Raises BudgetPaused and ModelUnavailable.

    Where an earlier worker was answered and died before it could keep the reply, the ledger still has it.
    """
    return ledger.answer_of(attempt.pk, purpose=Purpose.DRAFT) or gateway.complete(_request(attempt)).text


def _request(attempt: DraftAttempt) -> ModelRequest:
    capability = attempt.skill.capability
    about = {
        "name": capability.name,
        "description": capability.description,
        "input_schema": capability.input_schema,
        "output_schema": capability.output_schema,
        "granted_tools": capability.granted_tools,
    }
    shown = [{"inputs": sample["input"], "output": sample["output"]} for sample in attempt.samples]
    names = {
        "name": capability.name,
        "capability": _data(about),
        "samples": _data(shown),
        "refused": _data(refused) if (refused := _refused(attempt)) else "",
        "rejected": _data(said) if (said := _said(attempt.skill)) else "",
    }
    return ModelRequest(
        purpose=Purpose.DRAFT,
        task_type="draft",
        prompt=templates.render(prompts.read("draft"), inputs={}, state={}, extra=names),
        system=prompts.read("draft_system"),
        schema=authoring.SCHEMA,
        facts={"capability": about, "samples": shown},
        run_id=attempt.pk,
        deadline_s=knobs().validation_per_run_timeout_s,
        max_output_tokens=_MAX_OUTPUT_TOKENS,
    )


def _refused(attempt: DraftAttempt) -> list[Mapping[str, Any]]:
    """Why the latest attempts of this skill were refused, newest first."""
    earlier = DraftAttempt.objects.filter(skill=attempt.skill_id, status=AttemptStatus.REFUSED).order_by("-id")
    rows = earlier.values_list("reasons", "files")[:FED_BACK]
    return [{"reasons": reasons[:_MOST_REASONS], "files": sorted(files)[:_MOST_REASONS]} for reasons, files in rows]


def _said(skill: Skill) -> list[dict[str, Any]]:
    """What people said when they refused versions of this skill, or wanted them changed, newest first."""
    return [
        {"version": one.version, "decision": one.decision, "words": one.words}
        for one in reviews.said_about(skill, limit=FED_BACK)
    ]


def _data(value: Any) -> str:
    """JSON without a `<`, so that no text in it can end the block that it stands in."""
    return json.dumps(templates.plain(value), ensure_ascii=False).replace("<", "\\u003c")
