"""The loop of the scheduler process: a heartbeat, every duty, and the schedules once a minute.

Any number of schedulers may run: each duty claims what it does, so that the second one finds nothing left to do.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime

from django.conf import settings
from django.db import close_old_connections
from django.utils import timezone
from django.utils.module_loading import import_string

from donna_skills.jobs import heartbeat, schedules

logger = logging.getLogger(__name__)

ENSURE_EVERY_S = 60.0
_BACK_OFF_AT_MOST_S = 60.0

Duty = Callable[[datetime], object]


class Scheduler:
    """One scheduler; `stop` may be called from a signal handler at any time."""

    def __init__(self, *, poll_s: float | None = None) -> None:
        self._poll_s = float(settings.SCHEDULER_POLL_INTERVAL_S) if poll_s is None else poll_s
        self._stopped = threading.Event()
        self._ensured_at = float("-inf")

    def stop(self) -> None:
        self._stopped.set()

    def run(self) -> None:
        """Poll until stopped. While the database is away, ask again after twice as long each time."""
        failures = 0
        while not self._stopped.is_set():
            began = time.monotonic()
            # A connection that broke is replaced here; one that an outage made useless would fail for ever.
            close_old_connections()
            failures = 0 if self.poll() else failures + 1
            # In step with the clock of the last poll, so that slow duties do not stretch the interval.
            wait = self._poll_s - (time.monotonic() - began)
            if failures:
                wait = min(self._poll_s * 2 ** min(failures, 10), _BACK_OFF_AT_MOST_S)
            self._stopped.wait(max(wait, 0.0))

    def poll(self) -> bool:
        """One round. False when not even the heartbeat could be written, which means that the database is away."""
        try:
            heartbeat.beat(heartbeat.SCHEDULER)
        except Exception:
            logger.exception("The scheduler cannot reach the database and will try again.")
            return False
        for name in settings.SCHEDULER_DUTIES:
            if self._stopped.is_set():
                return True
            _isolated(name, lambda name=name: import_string(name)(timezone.now()))  # type: ignore[misc]
        if time.monotonic() - self._ensured_at >= ENSURE_EVERY_S and _isolated("schedules", schedules.ensure):
            self._ensured_at = time.monotonic()
        return True


def _isolated(name: str, work: Callable[[], object]) -> bool:
    """One duty's failure is logged, and is no other duty's business."""
    try:
        work()
    except Exception:
        logger.exception("A duty of the scheduler failed.", extra={"duty": name})
        return False
    return True
