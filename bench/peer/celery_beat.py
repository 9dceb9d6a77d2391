"""django-celery-beat's DatabaseScheduler on N due schedules: `python celery_beat.py DATABASE N`, in its environment.

Counted from the scheduler's start, reading its table included, to the last task handed to a broker in memory.
"""

from __future__ import annotations

import json
import sys
import time

import django
from django.conf import settings

path, count = sys.argv[1], int(sys.argv[2])
settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": path}},
    INSTALLED_APPS=["django_celery_beat"],
    USE_TZ=True,
    TIME_ZONE="UTC",
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
django.setup()

from celery import Celery  # noqa: E402
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

began = time.perf_counter()
beat = DatabaseScheduler(app=app, lazy=False)
while sum(entry.total_run_count for entry in beat.schedule.values() if entry.name != "celery.backend_cleanup") < count:
    for _ in range(count):
        if beat.tick() > 0.5:
            break
beat.sync()
print(json.dumps({"seconds": round(time.perf_counter() - began, 3), "sent": count}))
