"""The tick: what is due becomes rows that wait, each occurrence once, and workers are told.

    claim a batch -> decide (decisions/planning.py) -> insert rows, advance clocks -> commit -> next batch -> ring

Any number of ticks may run at once. On PostgreSQL each takes rows that no other holds (SKIP LOCKED); on SQLite a
transaction has the only pen. A crash before the commit leaves everything due, after it everything queued.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from automations.configuration import knobs
from automations.decisions import planning
from automations.decisions.planning import Due, Rhythm, Turn
from automations.models import Automation, AutomationRun, Overlap, RunStatus, RunTrigger
from automations.services import owners, queue, rhythms
from donna_skills import entities
from donna_skills.inserts import PreparedInsert
from donna_skills.lookups import prepared

logger = logging.getLogger(__name__)

_INSERT = PreparedInsert(AutomationRun)
# What the row of a queued run has of its own.
_OWN = ("id", "automation", "scheduled_for", "alone", "not_before")
_CLOCK = ("next_occurrence", "next_run_at", "last_start")
# What a turn depends on: automations that have all of it in common share the arithmetic.
_NEEDED = (
    *("id", "schedule", "timezone", "floor_seconds", "jitter_seconds", "preferred_from", "preferred_until"),
    *("next_occurrence", "next_run_at", "last_start", "overlap_policy", "catch_up_policy", "catch_up_window_seconds"),
)


@dataclass
class Report:
    """What one tick did, in numbers."""

    claimed: int = 0
    queued: int = 0
    skipped: int = 0
    missed: int = 0
    broken: int = 0
    rung: int = 0


@dataclass
class _Batch:
    queued: list[tuple[Any, ...]] = field(default_factory=list)
    """The columns of `_OWN`, for each run that is to be carried out."""
    over: list[AutomationRun] = field(default_factory=list)
    """Rows that say why nothing is."""
    clocks: list[tuple[Automation, Turn]] = field(default_factory=list)
    broken: list[tuple[Automation, str]] = field(default_factory=list)


def run(now: datetime) -> Report:
    """Claim everything that is due now, oldest first, and start the jobs that carry it out."""
    report = Report()
    known: dict[Any, Turn] = {}
    while _claim_batch(now, report, known):
        pass
    report.rung = queue.ring(now=timezone.now())
    if report.claimed:
        logger.info("Automations were due.", extra={"claimed": report.claimed, "queued": report.queued})
    return report


def duty(now: datetime) -> int:
    """What the scheduler calls: a tick; the number of automations that were due."""
    return run(now).claimed


def _claim_batch(now: datetime, report: Report, known: dict[Any, Turn]) -> bool:
    """One transaction; whether there may be more."""
    size = knobs().tick_batch
    if not Automation.objects.due(now).exists():
        return False
    with transaction.atomic():
        due = list(_due(now)[:size])
        batch = _decide(due, now, known)
        if batch.queued:
            _INSERT.insert_like(AutomationRun(trigger=RunTrigger.SCHEDULE, created_at=now), _OWN, batch.queued)
        _INSERT.insert_many(batch.over)
        _advance(batch.clocks)
        for automation, why in batch.broken:
            owners.set_in_error(automation, why=why, now=now)
    report.claimed += len(due)
    report.broken += len(batch.broken)
    report.queued += len(batch.queued)
    for row in batch.over:
        report.skipped += row.status == RunStatus.SKIPPED_OVERLAP
        report.missed += row.missed
    return len(due) == size


def _due(now: datetime) -> Any:
    rows = Automation.objects.due(now).order_by("next_run_at", "id").only(*_NEEDED)
    return rows.select_for_update(skip_locked=True) if connection.features.has_select_for_update_skip_locked else rows


def _decide(due: Sequence[Automation], now: datetime, known: dict[Any, Turn]) -> _Batch:
    batch = _Batch()
    on = _open_runs(due)
    for automation in due:
        rhythm = rhythms.rhythm(automation)
        try:
            turn = _turn(automation, rhythm, now, known)
        except ValueError as error:
            # The calendar ends, or its zone is gone from the machine: it would be due at every tick for ever.
            batch.broken.append((automation, str(error)))
            continue
        _take_turn(batch, automation, turn, now, on.get(automation.pk, []))
        batch.clocks.append((automation, turn))
    return batch


def _turn(automation: Automation, rhythm: Rhythm, now: datetime, known: dict[Any, Turn]) -> Turn:
    assert automation.next_occurrence is not None and automation.next_run_at is not None
    due = Due(automation.next_occurrence, automation.next_run_at)
    policy, window = automation.catch_up_policy, automation.catch_up_window_seconds
    key = (rhythm, due, automation.last_start, policy, window)
    if key not in known:
        limits = knobs()
        known[key] = planning.turn(
            rhythm,
            due,
            now=now,
            last_start=automation.last_start,
            policy=policy,  # type: ignore[arg-type]
            on_time=timedelta(seconds=limits.on_time_seconds),
            window=timedelta(seconds=window),
            at_most=limits.catch_up_at_most,
        )
    return known[key]


def _open_runs(due: Iterable[Automation]) -> dict[UUID, list[str]]:
    """The statuses of the runs that are on or wait already, by automation."""
    ids = [automation.pk for automation in due if automation.overlap_policy != Overlap.ALLOW]
    found: dict[UUID, list[str]] = {}
    for pk, status in (
        AutomationRun.objects.open().filter(automation__in=ids).order_by().values_list("automation_id", "status")
    ):
        found.setdefault(pk, []).append(status)
    return found


def _take_turn(batch: _Batch, automation: Automation, turn: Turn, now: datetime, on: Sequence[str]) -> None:
    if turn.missed:
        batch.over.append(_missed(automation, turn, now))
    why = queue.overlaps(automation, on)
    alone = automation.overlap_policy != Overlap.ALLOW
    for due in turn.runs:
        if why and due is turn.runs[0]:
            batch.over.append(_skipped(automation, due, why, now))
        else:
            batch.queued.append((entities.new_id(), automation.pk, due.occurrence, alone, due.start))


def _skipped(automation: Automation, due: Due, why: str, now: datetime) -> AutomationRun:
    return AutomationRun(
        automation_id=automation.pk,
        scheduled_for=due.occurrence,
        trigger=RunTrigger.SCHEDULE,
        status=RunStatus.SKIPPED_OVERLAP,
        reason=why,
        not_before=due.start,
        created_at=now,
        finished_at=now,
    )


def _missed(automation: Automation, turn: Turn, now: datetime) -> AutomationRun:
    assert turn.missed is not None
    count = f"{'More than ' if turn.missed.more else ''}{turn.missed.count}"
    were = "occurrence was" if turn.missed.count == 1 and not turn.missed.more else "occurrences were"
    first, last = (f"{at:%Y-%m-%d %H:%M}" for at in (turn.missed.first, turn.missed.last))
    span = f"at {first} UTC" if first == last else f"from {first} to {last} UTC"
    return AutomationRun(
        automation_id=automation.pk,
        # The newest occurrence may be run under its own time: what was missed stands under the first.
        scheduled_for=turn.missed.first,
        trigger=RunTrigger.SCHEDULE,
        status=RunStatus.SKIPPED_MISSED,
        reason=f"{count} {were} missed {span}, because no scheduler was running.",
        missed=turn.missed.count,
        not_before=now,
        created_at=now,
        finished_at=now,
    )


def _advance(clocks: Sequence[tuple[Automation, Turn]]) -> None:
    """Move each clock on, in one statement for each of them: Django's bulk_update takes several times as long."""
    if not clocks:
        return
    columns: list[Any] = [Automation._meta.get_field(name) for name in _CLOCK]
    key: Any = Automation._meta.pk
    time = cache(lambda at: columns[0].get_db_prep_save(at, connection))  # many have the same ones
    quote = connection.ops.quote_name
    assignments = ", ".join(f"{quote(column.column)} = %s" for column in columns)
    table = quote(Automation._meta.db_table)
    values = []
    for automation, turn in clocks:
        clock = (turn.next.occurrence, turn.next.start, turn.last_start)
        values.append([*map(time, clock), key.get_db_prep_save(automation.pk, connection)])
    with prepared() as cursor:
        cursor.executemany(f"UPDATE {table} SET {assignments} WHERE {quote(key.column)} = %s", values)  # noqa: S608
