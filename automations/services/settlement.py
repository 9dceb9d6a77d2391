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
from donna_skills.lookups import ANY_ID, PreparedRow, UniqueLookup
from donna_skills.updates import PreparedUpdate
from lifecycle.models import SkillRun
from lifecycle.services import refusals, runs

logger = logging.getLogger(__name__)

_UNCOUNTED = {RunStatus.SKIPPED_BUDGET, RunStatus.CANCELLED}
_SIX_PLACES = Decimal("0.000001")
_AUTOMATION = UniqueLookup(Automation, "id", lock=True)
_UNTOLD: dict[str, Any] = {"trace": [], "alert": "", "alert_reason": "", "alert_title": "", "alert_body": ""}
_END = PreparedUpdate(
    AutomationRun,
    set=[
        *("status", "output", "error", "reason", "execution_path", "cost_usd", "attempts", "reserved_usd"),
        *("finished_at", "lifecycle_run_id", *leases.RELEASED, *_UNTOLD),
    ],
    where=["id", "status", "lease_owner"],
)
_COUNT = PreparedUpdate(
    Automation,
    set=[
        *("last_run_at", "run_count", "failure_count", "kept_state"),
        *("alert_open", "alert_content", "alert_told_at"),
    ],
    where=["id"],
)
_FOLLOWED = PreparedRow(
    lambda automation: FollowUp.objects.filter(automation=automation).values_list("automation__name"), mark=ANY_ID
)


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
    2. Lock the automation, decide about the alert, end the run by a conditional update, count, keep the state.
    3. Tell what is to be told, pause after too many failures, start what follows.
    """
    now = timezone.now()
    automation = run.automation
    judged = alerts.judge(automation, run, status=ended.status, output=ended.output, error=ended.error or ended.reason)
    status = RunStatus.QUEUED if from_queue else RunStatus.RUNNING
    with transaction.atomic():
        locked = _locked(automation)
        decided = alerts.decide(locked, judged, now=now)
        if not _end(run, ended, decided, status=status, seen_lease=seen_lease, now=now):
            _note_cost(run, ended)
            return False
        _count(locked, ended, decided, run=run, now=now)
        alerts.tell(locked, run, decided)
        if ended.status in FAILURES:
            _after_failure(locked, run, ended, now=now)
        if ended.status == RunStatus.SUCCEEDED:
            _follow(locked, run, now=now)
    run.status = ended.status
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


def _locked(automation: Automation) -> Automation:
    found = _AUTOMATION.get(automation.pk)
    assert found is not None, "automations are never deleted"
    if found.capability_id == automation.capability_id:
        found.capability = automation.capability
    return found


def _end(
    run: AutomationRun,
    ended: Ended,
    decided: alerts.Decided | None,
    *,
    status: RunStatus,
    seen_lease: datetime | None,
    now: datetime,
) -> bool:
    """End the run if it is still as the caller believes: in this status, with this owner, with this lease."""
    columns = _columns(ended, now) | _UNTOLD | (dict(decided.run) if decided else {})
    if seen_lease is None and ended.lifecycle_run_id:
        where = {"id": run.pk, "status": status, "lease_owner": run.lease_owner}
        return _END.run(columns, where=where) == 1
    mine = AutomationRun.objects.filter(pk=run.pk, status=status, lease_owner=run.lease_owner)
    if seen_lease is not None:
        mine = mine.filter(lease_until=seen_lease)
    return mine.update(**columns) == 1


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


def _count(
    automation: Automation, ended: Ended, decided: alerts.Decided | None, *, run: AutomationRun, now: datetime
) -> None:
    """The counters, and what the owner was told: a pause, an edit or a deletion that was given meanwhile stands. The
    automation is locked, so that what is in memory is what is stored."""
    told = alerts.told_columns(decided.told if decided else alerts.told_of(automation))
    counted = ended.status not in _UNCOUNTED
    if not counted and decided is None:
        return
    failures = automation.failure_count + 1 if ended.status in FAILURES else 0
    _COUNT.run(
        {
            "last_run_at": run.started_at or now if counted else automation.last_run_at,
            "run_count": automation.run_count + int(counted),
            "failure_count": failures if counted else automation.failure_count,
            "kept_state": {**automation.kept_state, **(ended.kept or {})},
            **told,
        },
        where={"id": automation.pk},
    )


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
    if _FOLLOWED.get(automation.pk) is None:
        return
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
