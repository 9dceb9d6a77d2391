"""django-celery-beat's DatabaseScheduler on N due schedules: `python celery_beat.py DATABASE N`, in its environment.

Counted from the scheduler's start, reading its table included, to the last task handed to a broker in memory, as its
service does it: one call of `tick` for each task. Each of them compares the whole schedule with the one before and asks
the database whether it has changed, so that the time grows with the square of the number.
"""

from __future__ import annotations

import json
import sys
import time

import django
from django.conf import settings

path, count = sys.argv[1], int(sys.argv[2])
settings.configure(
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": path,
            # As ours has them: otherwise each row that the scheduler stores waits for the disk twice.
            "OPTIONS": {"init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"},
        }
    },
    INSTALLED_APPS=["django_celery_beat"],
    USE_TZ=True,
    TIME_ZONE="UTC",
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
django.setup()

from celery import Celery  # noqa: E402
from celery.signals import before_task_publish  # noqa: E402
from django.core.management import call_command  # noqa: E402

call_command("migrate", verbosity=0)

from datetime import timedelta  # noqa: E402

from django.utils import timezone  # noqa: E402
from django_celery_beat.models import IntervalSchedule, PeriodicTask, PeriodicTasks  # noqa: E402
from django_celery_beat.schedulers import DatabaseScheduler  # noqa: E402

app = Celery("bench", broker="memory://")


@app.task(name="bench.nothing")
def nothing() -> None:
    return None


hourly = IntervalSchedule.objects.create(every=1, period=IntervalSchedule.HOURS)
long_ago = timezone.now() - timedelta(hours=2)
PeriodicTask.objects.bulk_create(
    PeriodicTask(name=str(n), task="bench.nothing", interval=hourly, last_run_at=long_ago) for n in range(count)
)
PeriodicTasks.update_changed()

sent: list[str] = []


@before_task_publish.connect
def note(sender: str | None = None, **_: object) -> None:
    if sender == nothing.name:
        sent.append(sender)


began = time.perf_counter()
beat = DatabaseScheduler(app=app, lazy=False)
while len(sent) < count:
    beat.tick()
handed = time.perf_counter() - began
beat.sync()
stored = time.perf_counter() - began
print(json.dumps({"seconds": round(handed, 3), "seconds_until_stored": round(stored, 3), "sent": len(sent)}))
