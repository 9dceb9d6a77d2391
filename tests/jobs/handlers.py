"""Job handlers for the tests, named in handler_names.HANDLERS."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from django_q.exceptions import TimeoutException

from donna_skills.errors import Conflict
from donna_skills.jobs import services
from donna_skills.jobs.models import JobRun
from donna_skills.jobs.progress import Progress


def count(job: JobRun, progress: Progress) -> dict[str, Any]:
    total = job.arguments.get("to", 3)
    for done in range(1, total + 1):
        progress(done, total, f"Counted to {done}")
    return {"counted": total}


def refuse(job: JobRun, progress: Progress) -> None:
    raise Conflict("There is nothing to count today.")


def crash(job: JobRun, progress: Progress) -> None:
    progress(1, 2, "half way")
    raise ZeroDivisionError("division by zero")


def swallow(job: JobRun, progress: Progress) -> None:
    """Reports nothing, and says nothing."""


def overrun(job: JobRun, progress: Progress) -> None:
    raise TimeoutException("Task exceeded maximum timeout value")


def cancel_itself(job: JobRun, progress: Progress) -> dict[str, Any]:
    from donna_skills.accounts.actors import Actor

    services.cancel(job, by=Actor.system("test"))
    progress(1, 2)
    return {"reached": "never"}


def sleep(job: JobRun, progress: Progress) -> dict[str, Any]:
    end = time.monotonic() + job.arguments["seconds"]
    while time.monotonic() < end:
        progress(1, 2, "sleeping")
        time.sleep(0.1)
    return {"slept": job.arguments["seconds"]}


def kill_its_worker(job: JobRun, progress: Progress) -> None:
    progress(1, 1, "about to die")
    os.kill(os.getpid(), signal.SIGKILL)
