"""Which runs are compared with the reference, and getting each of them to a worker.

    settled run, sampled (compare_at is set in the same update) -> a task after commit -> divergences.compare

The row is the truth and the broker only the bell: a comparison that no worker has taken up is handed over again.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django_q.tasks import async_task

from lifecycle.configuration import Knobs, knobs
from lifecycle.decisions import sampling
from lifecycle.models import RunPath, RunStatus, SkillRun
from lifecycle.states import State

logger = logging.getLogger(__name__)

TASK = "lifecycle.tasks.compare_run"
REPORTED_WITHIN = timedelta(hours=2)
"""A run that a bot reports later than this is history, and no reason to spend money on a reference answer."""
_PATIENCE = timedelta(minutes=1)
_AT_MOST = 500


def is_wanted(run: SkillRun, *, status: str, output: Any) -> bool:
    """Whether a run that ends like this is compared: by the master switch, its path and state, and its id's hash.

    Every run of a shadow_primary skill and every unseen run of a sandbox skill, a sample of a trusted skill's.
    """
    limits = knobs()
    if not limits.enabled or status != RunStatus.SUCCEEDED or output is None or run.version_id is None:
        return False
    return sampling.is_sampled(run.pk, _rate(run, limits))


def is_wanted_of_report(run: SkillRun, now: datetime) -> bool:
    """The same for a run that a bot reports soon enough; the duty below hands it over."""
    recent = run.created_at >= now - REPORTED_WITHIN
    return recent and is_wanted(run, status=run.status, output=run.output)


def hand_over(run_id: UUID) -> None:
    """Tell the workers, after the commit of the transaction that this is called in."""
    transaction.on_commit(partial(_send, str(run_id)))


def redeliver(now: datetime) -> int:
    """A duty: hand over what has been due for a minute and no worker has taken up; returns the count."""
    if not knobs().enabled:
        return 0
    handed = 0
    due = SkillRun.objects.filter(compare_at__lte=now - _PATIENCE).order_by("compare_at")
    for run_id, compare_at in due.values_list("pk", "compare_at")[:_AT_MOST]:
        if SkillRun.objects.filter(pk=run_id, compare_at=compare_at).update(compare_at=now):
            _send(str(run_id))
            handed += 1
    return handed


def _rate(run: SkillRun, limits: Knobs) -> float:
    if run.path == RunPath.SANDBOX:
        return 1.0 if run.shadow_of_id else 0.0
    if run.path != RunPath.SKILL:
        return 0.0
    return {State.SHADOW_PRIMARY: 1.0, State.TRUSTED: limits.shadow_sample_rate_trusted}.get(
        State(run.state_at_run), 0.0
    )


def _send(run_id: str) -> None:
    try:
        async_task(TASK, run_id, task_name=f"compare {run_id}")
    except Exception:
        # The broker is away. The run stays due, and `redeliver` tries again.
        logger.exception("A comparison could not be handed to the workers.", extra={"run_id": run_id})
