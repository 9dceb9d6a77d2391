"""The queue of runs: rows that wait, and bells that tell workers so. A bell is a slot, as many as there are workers."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django_q.tasks import async_task

from automations.configuration import knobs
from automations.models import Automation, AutomationRun, DrainSlot, Overlap, RunStatus, RunTrigger
from donna_skills.accounts.actors import Actor
from donna_skills.jobs import leases

logger = logging.getLogger(__name__)

TASK = "automations.tasks.drain"
# A bell that no worker has answered after this long is rung again.
_RUNG_FOR = timedelta(minutes=2)
_TRIES = 20


def add(
    automation: Automation,
    *,
    trigger: RunTrigger,
    now: datetime,
    by: Actor | None = None,
    cause: str = "",
    depth: int = 0,
    attempt: int = 1,
    payload: Mapping[str, Any] | None = None,
    status: RunStatus = RunStatus.QUEUED,
    reason: str = "",
    may_skip: bool = False,
) -> AutomationRun | None:
    """A run that no schedule asked for, inside the caller's transaction; None when its cause has made one already.

    With `may_skip` the overlap policy decides whether it waits or is skipped. Two askings at the same microsecond are
    two runs: the later one is moved on by one.
    """
    if cause and AutomationRun.objects.filter(automation=automation, cause=cause).exists():
        return None
    if may_skip and status == RunStatus.QUEUED:
        on = AutomationRun.objects.open().filter(automation=automation).order_by().values_list("status", flat=True)
        if why := overlaps(automation, list(on)):
            status, reason = RunStatus.SKIPPED_OVERLAP, why
    for step in range(_TRIES):
        try:
            with transaction.atomic():
                return AutomationRun.objects.create(
                    automation=automation,
                    scheduled_for=now + timedelta(microseconds=step),
                    trigger=trigger,
                    requested_by=by.user if by and by.is_person else None,
                    requested_label=by.describe()[:200] if by else "",
                    cause=cause,
                    depth=depth,
                    attempt=attempt,
                    payload=dict(payload) if payload is not None else None,
                    status=status,
                    reason=reason,
                    finished_at=None if status in {RunStatus.QUEUED, RunStatus.RUNNING} else now,
                    alone=automation.overlap_policy != Overlap.ALLOW,
                    not_before=now,
                    created_at=now,
                )
        except IntegrityError:
            if cause and AutomationRun.objects.filter(automation=automation, cause=cause).exists():
                return None
    raise IntegrityError("No instant was left for another run of this automation.")


def overlaps(automation: Automation, on: Sequence[str]) -> str:
    """Why a run is skipped for those that are on or wait already, by their statuses; empty when it may be queued."""
    if not on or automation.overlap_policy == Overlap.ALLOW:
        return ""
    if automation.overlap_policy == Overlap.SKIP:
        return "The run before was still on, and this automation skips what would overlap."
    if RunStatus.QUEUED in on:
        return "The run before was still on, and another one waited already."
    return ""


def ring_after_commit(waiting: int = 1) -> None:
    transaction.on_commit(partial(ring, waiting), robust=True)


def ring(waiting: int | None = None, *, now: datetime | None = None) -> int:
    """Start drain jobs, as many as there are slots free and runs that could start; the number of them.

    A slot is claimed by a conditional update before its task is handed over. A task that the broker lost leaves a slot
    whose lease runs out, and which is then rung again.
    """
    now = now or timezone.now()
    wanted = _claimable(now) if waiting is None else waiting
    rung = 0
    if wanted:
        for number in slots():
            if rung >= wanted:
                break
            rung += _ring(number, now)
    return rung


def answer(number: int, owner: str) -> bool:
    """A worker's claim of the slot whose bell it heard; False when the bell is an old one."""
    mine = DrainSlot.objects.filter(pk=number, lease_owner=owner)
    return mine.update(lease_until=timezone.now() + timedelta(seconds=leases.lease_seconds())) == 1


def free(number: int, owner: str) -> None:
    """The worker's turn is over."""
    DrainSlot.objects.filter(pk=number, lease_owner=owner).update(**leases.RELEASED)


def _claimable(now: datetime) -> int:
    """How many runs wait that could start now, counted up to the number of slots."""
    waiting = AutomationRun.objects.filter(status=RunStatus.QUEUED, not_before__lte=now).order_by()
    return len(waiting.values_list("pk")[: len(slots())])


def slots() -> range:
    """The numbers of the workers that there may be at the same time."""
    return range(1, (knobs().drain_workers or int(str(settings.Q_CLUSTER["workers"]))) + 1)


def _ring(number: int, now: datetime) -> bool:
    owner = leases.new_owner()
    free_now = Q(lease_until__isnull=True) | Q(lease_until__lt=now)
    values = {"lease_owner": owner, "lease_until": now + _RUNG_FOR}
    if not DrainSlot.objects.filter(free_now, pk=number).update(**values):
        if DrainSlot.objects.filter(pk=number).exists():
            return False
        DrainSlot.objects.bulk_create([DrainSlot(number=number)], ignore_conflicts=True)
        if not DrainSlot.objects.filter(free_now, pk=number).update(**values):
            return False
    try:
        async_task(TASK, number, owner, task_name=f"drain {number}")
    except Exception:
        logger.exception("A drain job could not be handed to the broker; it will be tried again.")
        free(number, owner)
        return False
    return True
