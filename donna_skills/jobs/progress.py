"""How far a job is, told by its handler and written at most twice a second."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from donna_skills.jobs.leases import Lease
from donna_skills.jobs.models import JobRun, JobStatus

_EVERY_S = 0.5
_MESSAGE_LENGTH = 300


class JobStopped(Exception):
    """Raised out of a call of `progress` in a handler: the job was cancelled, or given up for dead."""


class Progress:
    """What a handler calls: `progress(done, total, "Reading runs")`. Raises JobStopped when nobody wants the rest."""

    def __init__(self, job: JobRun, lease: Lease) -> None:
        self._rows = JobRun.objects.filter(pk=job.pk, status=JobStatus.RUNNING, lease_owner=lease.owner)
        self._lease = lease
        self._written_at = float("-inf")
        self._waiting: dict[str, Any] = {}

    def __call__(self, done: int, total: int, message: str = "") -> None:
        self._waiting = {
            "progress_done": done,
            "progress_total": total,
            "progress_message": message[:_MESSAGE_LENGTH],
        }
        if time.monotonic() - self._written_at >= _EVERY_S or done == total:
            self.flush()

    def keep(self, report: Mapping[str, Any]) -> None:
        """Write the report as far as it has come: a job that ends any other way than well keeps the last one."""
        self._waiting["report"] = dict(report)
        self.flush()

    def flush(self) -> None:
        """Write what the throttle held back."""
        if self._lease.lost:
            raise JobStopped
        if not self._waiting:
            return
        written, self._waiting = self._rows.update(**self._waiting), {}
        self._written_at = time.monotonic()
        if not written:
            raise JobStopped
