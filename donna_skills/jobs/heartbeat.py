"""Signs of life of the processes that nobody calls, such as the scheduler."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone

from donna_skills.jobs.models import Heartbeat

SCHEDULER = "scheduler"


def beat(name: str, now: datetime | None = None) -> None:
    """Note that a process of this name is alive: one statement, whether or not the row is there."""
    Heartbeat.objects.bulk_create(
        [Heartbeat(name=name, at=now or timezone.now())],
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["at"],
    )


def last(name: str) -> datetime | None:
    """When it was last alive, or None where it never was."""
    return Heartbeat.objects.filter(name=name).values_list("at", flat=True).first()
