"""The end of a run: its row, the automation's counters, the alert, the pause after failures, the follow-ups, at once.

One transaction, and only whoever holds the run may end it: what is told is told once, because it is told here.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from automations.configuration import knobs
from automations.models import (
    FAILURES,
    Automation,
    AutomationRun,
    FollowUp,
    RunStatus,
    RunTrigger,
    Status,
)
from automations.services import access, alerts, owners, queue
from donna_skills.accounts.actors import Actor
from donna_skills.audit import services as audit
from donna_skills.errors import AlreadyDecided
from donna_skills.jobs import leases
from lifecycle.models import SkillRun
from lifecycle.services import refusals, runs

logger = logging.getLogger(__name__)

_UNCOUNTED = {RunStatus.SKIPPED_BUDGET, RunStatus.CANCELLED}
_SIX_PLACES = Decimal("0.000001")


@dataclass(frozen=True)
class Ended:
    """How a run ended. `kept` is what the automation keeps for its next run, after a success."""

    status: RunStatus
    output: Any = None
    error: str = ""
    reason: str = ""
    path: str = ""
    lifecycle_run_id: UUID | None = None
    cost_usd: Decimal = Decimal(0)
    attempts: tuple[Mapping[str, Any], ...] = ()
    kept: Mapping[str, Any] | None = None


def settle(run: AutomationRun, ended: Ended, *, from_queue: bool = False, seen_lease: datetime | None = None) -> bool:
    """End a run that is held by `run.lease_owner`, or one that still waits (`from_queue`); False when it is over
    already, or somebody else's. With `seen_lease` the lease must not have been renewed since.

    1. Judge the alert, outside of any transaction.
    2. Lock the automation, end the run by a conditional update, count, keep the state.
    3. Tell what is to be told, pause after too many failures, start what follows.
    """
    now = timezone.now()
    automation = run.automation
    judged = alerts.judge(automation, run, status=ended.status, output=ended.output, error=ended.error or ended.reason)
    mine = AutomationRun.objects.filter(pk=run.pk, lease_owner=run.lease_owner)
    mine = mine.filter(status=RunStatus.QUEUED if from_queue else RunStatus.RUNNING)
    if seen_lease is not None:
        mine = mine.filter(lease_until=seen_lease)
    with transaction.atomic():
        locked = Automation.objects.select_for_update(of=("self",)).select_related("capability").get(pk=automation.pk)
        if not mine.update(**_columns(ended, now)):
            _note_cost(run, ended)
            return False
        _count(locked, ended, run=run, now=now)
        alerts.tell(locked, run, judged, now=now)
        if ended.status in FAILURES:
            _after_failure(locked, run, ended, now=now)
        if ended.status == RunStatus.SUCCEEDED:
            _follow(locked, run, now=now)
    run.refresh_from_db()
    return True


def cancel(run: AutomationRun, *, actor: Actor) -> AutomationRun:
    """End a run that waits or is on. AlreadyDecided when it is over; whoever works on it finds that it is no longer
    theirs, and what it has cost until then is counted."""
    with refusals.recorded("automation.cancel_run", actor=actor, subject_type="automation_run", subject_id=run.pk):
        access.require_run(run.automation, actor)
        ended = AutomationRun.objects.open().filter(pk=run.pk)
        columns = {"status": RunStatus.CANCELLED, "reason": f"Cancelled by {actor.describe()}.", **leases.RELEASED}
        if not ended.update(**columns, finished_at=timezone.now()):
            run.refresh_from_db(fields=["status"])
            raise AlreadyDecided(f"The run is over already: it is {run.get_status_display().lower()}.")
        audit.record("automation.run_cancelled", actor=actor, subject_type="automation_run", subject_id=run.pk)
        run.refresh_from_db()
        behind = SkillRun.objects.filter(pk=run.lifecycle_run_id).first() if run.lifecycle_run_id else None
        if behind is not None:
            runs.cancel(behind, why=f"Cancelled by {actor.describe()}.")
    return run


def _columns(ended: Ended, now: datetime) -> dict[str, Any]:
    found = {
        "status": ended.status,
        "output": ended.output,
        "error": ended.error[:10_000],
        "reason": ended.reason,
        "execution_path": ended.path,
        "cost_usd": ended.cost_usd.quantize(_SIX_PLACES),
        "attempts": list(ended.attempts),
        "reserved_usd": 0,
        "finished_at": now,
        **leases.RELEASED,
    }
    return found | ({"lifecycle_run_id": ended.lifecycle_run_id} if ended.lifecycle_run_id else {})


def _note_cost(run: AutomationRun, ended: Ended) -> None:
    """A run that was cancelled or taken away has cost what it has cost."""
    logger.warning("A run was taken away before it ended.", extra={"run": str(run.pk)})
    if ended.cost_usd:
        AutomationRun.objects.filter(pk=run.pk).update(cost_usd=ended.cost_usd.quantize(_SIX_PLACES))


def _count(automation: Automation, ended: Ended, *, run: AutomationRun, now: datetime) -> None:
    """The counters alone: a pause, an edit or a deletion that was given meanwhile stands."""
    if ended.status in _UNCOUNTED:
        return
    failed = ended.status in FAILURES
    columns: dict[str, Any] = {
        "last_run_at": run.started_at or now,
        "run_count": F("run_count") + 1,
        "failure_count": F("failure_count") + 1 if failed else 0,
    }
    if ended.kept:
        columns["kept_state"] = {**automation.kept_state, **ended.kept}
    Automation.objects.filter(pk=automation.pk).update(**columns)


def _after_failure(automation: Automation, run: AutomationRun, ended: Ended, *, now: datetime) -> None:
    failures = automation.failure_count + 1
    paused = failures >= knobs().automation_failure_pause_threshold and owners.pause_after_failures(
        automation, failures=failures, why=ended.error or ended.status, now=now
    )
    again = ended.status == RunStatus.INTERRUPTED and automation.retry_interrupted and run.attempt == 1
    if again and not paused and automation.status != Status.DELETED:
        queue.add(automation, trigger=RunTrigger.RETRY, now=now, cause=f"retry:{run.pk}", depth=run.depth, attempt=2)
        queue.ring_after_commit()


def _follow(automation: Automation, run: AutomationRun, *, now: datetime) -> None:
    """Start what follows a success. A chain that is too long ends in a row that says so."""
    most = knobs().follow_up_depth
    for one in FollowUp.objects.filter(automation=automation, then__status=Status.ACTIVE).select_related("then"):
        too_deep = run.depth + 1 > most
        queue.add(
            one.then,
            trigger=RunTrigger.FOLLOW_UP,
            now=now,
            cause=f"after:{run.pk}",
            depth=run.depth + 1,
            status=RunStatus.CANCELLED if too_deep else RunStatus.QUEUED,
            reason=f"It would have been number {run.depth + 1} of a chain; {most} is the most." if too_deep else "",
            may_skip=True,
        )
        queue.ring_after_commit()
