"""The inner half of `bench.tick`: one process, one empty migrated database, one figure. Not for use by itself."""

from __future__ import annotations

import os
import statistics
import sys
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "donna_skills.settings")
django.setup()

from django.utils import timezone  # noqa: E402

from automations.models import Automation, AutomationRun  # noqa: E402
from automations.services import tick  # noqa: E402
from bench.tick import said, timed  # noqa: E402
from donna_skills.accounts.actors import Actor  # noqa: E402
from donna_skills.accounts.models import User  # noqa: E402
from lifecycle.models import Capability  # noqa: E402
from lifecycle.services import capabilities  # noqa: E402

DUE = datetime(2026, 11, 20, 9, tzinfo=UTC)
SCHEDULES = ("0 * * * *", "*/15 * * * *", "0 9 * * 1-5", "0 9 * * *", "0 */3 * * *")
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo")
_CHUNK = 5_000
_TICKS = 20


def ours(count: int) -> None:
    fill(count, due=count)
    seconds, report = timed(lambda: tick.run(DUE))
    rows = AutomationRun.objects.count()
    left = Automation.objects.due(DUE).count()
    said({"seconds": round(seconds, 3), "claimed": report.claimed, "rows": rows, "left": left})


def waiting(count: int) -> None:
    """Ticks over many automations of which 100 are due, the median of several."""
    fill(count, due=0)
    ids = list(Automation.objects.values_list("pk", flat=True)[: 100 * _TICKS])
    took = []
    for number in range(_TICKS):
        Automation.objects.filter(pk__in=ids[number * 100 : (number + 1) * 100]).update(
            next_occurrence=DUE, next_run_at=DUE
        )
        seconds, report = timed(lambda: tick.run(DUE))
        if report.claimed != 100:
            raise RuntimeError(f"{report.claimed} were claimed, and 100 were due.")
        took.append(seconds)
    idle = statistics.median(timed(lambda: tick.run(DUE))[0] for _ in range(_TICKS))
    slowest = max(took[1:])
    said(
        {
            "automations": count,
            "median_ms": round(statistics.median(took) * 1000, 1),
            "max_ms": round(slowest * 1000, 1),
            "idle_ms": round(idle * 1000, 2),
        }
    )


def django_q2(count: int) -> None:
    """django-q2's own scheduler, until nothing is due any more."""
    from django_q.brokers import get_broker
    from django_q.models import OrmQ, Schedule
    from django_q.scheduler import scheduler

    now = timezone.now()
    Schedule.objects.bulk_create(
        Schedule(name=str(n), func="math.sqrt", args="4", schedule_type=Schedule.HOURLY, next_run=now, repeats=-1)
        for n in range(count)
    )
    broker = get_broker()

    def work() -> None:
        while Schedule.objects.filter(next_run__lte=now).exists():
            scheduler(broker=broker)

    seconds, _ = timed(work)
    said({"seconds": round(seconds, 3), "queued": OrmQ.objects.count()})


def fill(count: int, *, due: int) -> None:
    owner, capability = _ground()
    later = DUE + timedelta(days=3650)
    for start in range(0, count, _CHUNK):
        Automation.objects.bulk_create(
            _row(number, owner, capability, DUE if number < due else later)
            for number in range(start, min(count, start + _CHUNK))
        )


def _row(number: int, owner: User, capability: Capability, due: datetime) -> Automation:
    return Automation(
        id=uuid.UUID(int=(7 << 76) | (1 << 63) | number << 8),
        owner=owner,
        name=f"automation {number}",
        capability=capability,
        schedule=SCHEDULES[number % len(SCHEDULES)],
        timezone=ZONES[number % len(ZONES)],
        floor_seconds=900,
        floor_state="trusted",
        next_occurrence=due,
        next_run_at=due,
    )


def _ground() -> tuple[User, Capability]:
    owner = User.objects.create_user("bench")
    text: dict[str, Any] = {"type": "object", "properties": {"text": {"type": "string"}}}
    capability = capabilities.register(
        "bench_work", description="Nothing.", input_schema=text, output_schema=text, actor=Actor.system("bench")
    )
    return owner, capability


if __name__ == "__main__":
    {"ours": ours, "waiting": waiting, "django_q2": django_q2}[sys.argv[1]](int(sys.argv[2]))
