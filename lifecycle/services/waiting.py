"""Answer while somebody waits: carry a run out in a thread of this process, for as long as the caller has patience.

The run goes on when the caller stops waiting. Where more callers wait than this process has threads for, the run is
queued for a worker instead: it is late then, never lost.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from functools import lru_cache
from typing import Any

from django.db import close_old_connections

from lifecycle.models import SkillRun
from lifecycle.services import runs

logger = logging.getLogger(__name__)

MAX_WAIT_S = 60.0
THREADS = 64


class _Pool:
    """Threads of one process, and how many of them are free."""

    def __init__(self) -> None:
        self.threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="run")
        self.free = threading.BoundedSemaphore(THREADS)

    def take(self) -> bool:
        return self.free.acquire(blocking=False)

    def submit(self, run: SkillRun) -> Future[SkillRun]:
        future = self.threads.submit(_finish, run)
        future.add_done_callback(lambda _: self.free.release())
        return future


def answer(
    capability_name: str, *, inputs: Mapping[str, Any], request: runs.Request, wait_s: float = MAX_WAIT_S
) -> SkillRun:
    """The run whose output the caller gets, or one still open after `wait_s` (0 to 60). Errors as `runs.start`."""
    pool = _pool(os.getpid())
    if wait_s <= 0 or not pool.take():
        return runs.enqueue(capability_name, inputs=inputs, request=request)
    try:
        run = runs.start(capability_name, inputs=inputs, request=request)
    except BaseException:
        pool.free.release()
        raise
    try:
        return pool.submit(run).result(timeout=min(wait_s, MAX_WAIT_S))
    except NotYet:
        return SkillRun.objects.select_related("capability", "version").get(pk=run.pk)


def close() -> None:
    """End this process's threads, and with them their database connections; the next answer starts new ones."""
    if _pool.cache_info().currsize:
        _pool(os.getpid()).threads.shutdown(wait=True)
        _pool.cache_clear()


@lru_cache(maxsize=1)
def _pool(pid: int) -> _Pool:
    """One a process: a fork inherits the object and none of its threads, so the id of the process is the key."""
    return _Pool()


def _finish(run: SkillRun) -> SkillRun:
    close_old_connections()
    try:
        return runs.finish(run)
    except Exception:
        logger.exception("A run could not be settled; its lease will run out.", extra={"run_id": str(run.pk)})
        raise
    finally:
        close_old_connections()
