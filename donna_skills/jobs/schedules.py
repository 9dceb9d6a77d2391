"""django-q2's schedules, kept as settings.Q_SCHEDULES says.

    Q_SCHEDULES = {"nightly": {"func": "lifecycle.tasks.nightly", "cron": "0 3 * * *"},
                   "sweep": {"func": "lifecycle.tasks.sweep", "minutes": 15}}

A schedule is known by its name ("donna:nightly"). One that is right already is left alone, its next run with it; what
somebody added by hand under another name is never touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils import timezone
from django_q.models import Schedule

from donna_skills import sequences

PREFIX = "donna:"
_KEYS = {"func", "cron", "minutes"}


@dataclass(frozen=True)
class Changes:
    created: int = 0
    updated: int = 0
    removed: int = 0


def ensure() -> Changes:
    """Create, correct and remove our schedules until they are as the settings say. Any number may call it at once."""
    wanted = {PREFIX + name: _values(name, spec) for name, spec in getattr(settings, "Q_SCHEDULES", {}).items()}
    if _as_wanted(wanted):
        return Changes()
    with transaction.atomic():
        # django-q2 has no unique constraint on names: without the lock two schedulers would register each one twice.
        sequences.serialise("schedules")
        removed = 0
        present: dict[str, Schedule] = {}
        for schedule in _ours().order_by("pk"):
            if schedule.name not in wanted or schedule.name in present:
                schedule.delete()
                removed += 1
            else:
                present[schedule.name] = schedule
        created = [_create(name, values) for name, values in wanted.items() if name not in present]
        updated = [name for name, schedule in present.items() if _correct(schedule, wanted[name])]
    return Changes(created=len(created), updated=len(updated), removed=removed)


def _ours() -> Any:
    return Schedule.objects.filter(name__startswith=PREFIX)


def _as_wanted(wanted: Mapping[str, dict[str, Any]]) -> bool:
    """The look without a lock, which is all that happens most times."""
    found = list(_ours())
    return len(found) == len(wanted) and all(
        schedule.name in wanted and not _differences(schedule, wanted[schedule.name]) for schedule in found
    )


def _values(name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    if set(spec) - _KEYS or "func" not in spec or ("cron" in spec) == ("minutes" in spec):
        raise ImproperlyConfigured(f"Q_SCHEDULES[{name!r}] needs func and either cron or minutes, and nothing else.")
    by_cron = "cron" in spec
    return {
        "func": spec["func"],
        "schedule_type": Schedule.CRON if by_cron else Schedule.MINUTES,
        "cron": spec.get("cron"),
        "minutes": spec.get("minutes"),
        "repeats": -1,
    }


def _differences(schedule: Schedule, values: Mapping[str, Any]) -> list[str]:
    return [field for field, value in values.items() if getattr(schedule, field) != value]


def _create(name: str, values: Mapping[str, Any]) -> Schedule:
    schedule = Schedule(name=name, **values)
    _plan(schedule)
    schedule.save(force_insert=True)
    return schedule


def _correct(schedule: Schedule, values: Mapping[str, Any]) -> bool:
    if not _differences(schedule, values):
        return False
    for field, value in values.items():
        setattr(schedule, field, value)
    _plan(schedule)
    schedule.save()
    return True


def _plan(schedule: Schedule) -> None:
    """The first run comes at the next time of the cron, or one interval from now: never at once, at every restart."""
    if schedule.schedule_type == Schedule.CRON:
        schedule.next_run = schedule.calculate_next_run()
    else:
        schedule.next_run = timezone.now() + timedelta(minutes=schedule.minutes or 1)
