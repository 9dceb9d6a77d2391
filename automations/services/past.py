"""The past of a made-up world: runs of an automation that its schedule would have started on earlier days.

For `manage.py demo` alone, and offline. The run is a real one, carried out now; what is told of it is when.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from automations.models import Automation, AutomationRun, RunTrigger
from automations.services import dispatch, queue
from lifecycle.services import past


def live_through(automation: Automation, *, at: datetime) -> AutomationRun:
    """A scheduled run, carried out in this process and dated back to `at`, alert and counters included.

    Whatever else waits is carried out on the way. A run that another worker took keeps the time at which it ran.
    """
    with transaction.atomic():
        run = queue.add(automation, trigger=RunTrigger.SCHEDULE, now=at)
    assert run is not None
    dispatch.drain()
    run.refresh_from_db()
    if run.started_at is not None and run.finished_at is not None:
        _move_back(run, took_from=run.started_at, to=at)
    return run


def _move_back(run: AutomationRun, *, took_from: datetime, to: datetime) -> None:
    assert run.finished_at is not None
    with transaction.atomic():
        past.move_back(run.pk, to=to)
        finished = to + (run.finished_at - took_from)
        AutomationRun.objects.filter(pk=run.pk).update(started_at=to, finished_at=finished)
        automations = Automation.objects.filter(pk=run.automation_id)
        automations.update(last_run_at=to)
        automations.filter(created_at__gt=to).update(created_at=to)
