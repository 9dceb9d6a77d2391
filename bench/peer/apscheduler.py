"""APScheduler with a SQLAlchemy job store on N due jobs: `python apscheduler.py DATABASE N`, in its own environment.

Counted from the call that processes due jobs to its end: every job run (a function that does nothing, in this thread),
every next time stored.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from typing import Any

# This file has the name of the package that it measures.
sys.path.pop(0)

from apscheduler.executors.debug import DebugExecutor
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger
from sqlalchemy import create_engine, event

path, count = sys.argv[1], int(sys.argv[2])
engine = create_engine(f"sqlite:///{path}")


@event.listens_for(engine, "connect")
def as_ours(connection: Any, _: object) -> None:
    """The pragmas that our own database has: otherwise each job stored waits for the disk twice."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


scheduler = BackgroundScheduler(
    jobstores={"default": SQLAlchemyJobStore(engine=engine)},
    executors={"default": DebugExecutor()},
    timezone=UTC,
    job_defaults={"misfire_grace_time": None, "coalesce": True},
)
scheduler.start(paused=True)
due = datetime.now(UTC)
for number in range(count):
    scheduler.add_job("math:sqrt", IntervalTrigger(hours=1, timezone=UTC), args=[4], id=str(number), next_run_time=due)
began = time.perf_counter()
scheduler.state = 1
scheduler._process_jobs()
seconds = time.perf_counter() - began
left = sum(job.next_run_time <= due for job in scheduler.get_jobs())
print(json.dumps({"seconds": round(seconds, 3), "left": left}))
