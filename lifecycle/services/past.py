"""The past of a made-up world: comparisons with the dates on which they were made, and runs of an earlier day.

For `manage.py demo` alone. Real comparisons are `divergences`' business, at the time at which they happen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F

from lifecycle.models import Divergence, DivergenceStatus, Outcome, RunPath, RunStatus, SkillRun

_JUDGED_AFTER = timedelta(seconds=20)


@dataclass(frozen=True)
class Compared:
    """What came of comparing a run of a version: the reference's answer and its price, and the judge's word."""

    run: SkillRun
    reference_output: Any
    agreement: float
    rationale: str
    cost_usd: Decimal
    latency_ms: int


def record_comparisons(found: Sequence[Compared]) -> int:
    """Store them in their order, each with the reference's run; those that are there already stay. Returns how many are
    new."""
    with transaction.atomic():
        ids = [one.run.pk for one in found]
        known = set(Divergence.objects.filter(run__in=ids).values_list("run_id", flat=True))
        new = [(one, _reference(one)) for one in found if one.run.pk not in known]
        SkillRun.objects.bulk_create(reference for _, reference in new)
        Divergence.objects.bulk_create(_divergence(one, reference) for one, reference in new)
    return len(new)


def move_back(automation_run_id: UUID, *, to: datetime) -> None:
    """Let the runs behind an automation's run have begun at `to`; how long each took stays as it was.

    What is history is not compared any more, as with the reports of bots (see `shadows`).
    """
    runs = SkillRun.objects.filter(automation_run_id=automation_run_id)
    first = runs.order_by("created_at").values_list("created_at", flat=True).first()
    if first is None:
        return
    back = first - to
    runs.update(
        created_at=F("created_at") - back,
        started_at=F("started_at") - back,
        finished_at=F("finished_at") - back,
        compare_at=None,
    )


def _reference(one: Compared) -> SkillRun:
    run = one.run
    asked_at = run.finished_at or run.created_at
    return SkillRun(
        capability_id=run.capability_id,
        skill_id=run.skill_id,
        path=RunPath.SHADOW,
        state_at_run=run.state_at_run,
        status=RunStatus.SUCCEEDED,
        outcome=Outcome.SUCCEEDED,
        inputs=run.inputs,
        output=one.reference_output,
        cost_usd=one.cost_usd,
        latency_ms=one.latency_ms,
        shadow_of=run,
        token_id=run.token_id,
        user_id=run.user_id,
        external_id=run.external_id,
        created_at=asked_at,
        started_at=asked_at,
        finished_at=asked_at + timedelta(milliseconds=one.latency_ms),
    )


def _divergence(one: Compared, reference: SkillRun) -> Divergence:
    assert one.run.skill_id is not None and one.run.version_id is not None and reference.finished_at is not None
    return Divergence(
        skill_id=one.run.skill_id,
        version_id=one.run.version_id,
        run=one.run,
        reference=reference,
        status=DivergenceStatus.JUDGED,
        agreement=one.agreement,
        rationale=one.rationale,
        output=one.run.output,
        reference_output=one.reference_output,
        at=reference.finished_at + _JUDGED_AFTER,
    )
