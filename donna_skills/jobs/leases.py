"""Leases: who works on a row, and until when it is believed.

A worker claims a row by one conditional update that names it and ends after LEASE_S seconds (60). Once it has worked
for LEASE_RENEW_S seconds (20), a thread renews the lease every so often. A worker that is killed renews no more: the
lease runs out, and a duty finds the row with `expired`. Nobody's clock but the workers' and the duty's is involved, so
machines that share a database need clocks that agree to within a few seconds.

    owner = leases.new_owner()
    rows = SkillRun.objects.filter(pk=pk)
    if not leases.claim(rows, owner=owner, from_statuses=[QUEUED], to_status=RUNNING, now=now):
        return  # somebody was faster
    with leases.renewing(SkillRun, pk, owner) as lease:
        ...     # lease.lost turns true when the row was taken away meanwhile
"""

from __future__ import annotations

import logging
import math
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, models
from django.utils import timezone

logger = logging.getLogger(__name__)

_RETRY_S = 0.5
_JOIN_S = 5.0


class Leased(models.Model):
    """A row that one worker at a time works on. Settling it clears both fields in the same update as the status."""

    lease_owner = models.CharField(max_length=120, blank=True, default="", editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        abstract = True


LeasedModel = TypeVar("LeasedModel", bound=Leased)

# What an update sets besides its new status when the work is over, however it ended.
RELEASED: dict[str, Any] = {"lease_owner": "", "lease_until": None}


def index(name: str) -> models.Index:
    """The index for `expired`: only the few rows that are being worked on are in it. For the Meta of each table."""
    return models.Index(fields=["lease_until"], condition=models.Q(lease_until__isnull=False), name=name)


def new_owner() -> str:
    """A name for this one claim: machine and process for those who look, and a part that no other claim has."""
    return f"{socket.gethostname()[:60]}:{os.getpid()}:{uuid.uuid4().hex}"


def lease_seconds() -> int:
    """How long a lease is believed without being renewed."""
    return int(getattr(settings, "LEASE_S", 60))


def renew_seconds() -> float:
    """How often a worker renews its lease."""
    return float(getattr(settings, "LEASE_RENEW_S", 20))


def claim(
    rows: models.QuerySet[LeasedModel],
    *,
    owner: str,
    from_statuses: Iterable[str],
    to_status: str,
    now: datetime,
    lease_s: float | None = None,
    **also: Any,
) -> bool:
    """Take the row for `owner`, in one conditional update, or say that somebody was faster.

    `rows` selects the one row, usually `Model.objects.filter(pk=…)`; `also` is what else the claim writes
    (started_at=now, attempts=F("attempts") + 1, …).
    """
    values = {
        "status": to_status,
        "lease_owner": owner,
        "lease_until": now + timedelta(seconds=lease_seconds() if lease_s is None else lease_s),
        **also,
    }
    return rows.filter(status__in=list(from_statuses)).update(**values) == 1


def expired(model: type[LeasedModel], now: datetime) -> models.QuerySet[LeasedModel]:
    """The rows whose worker has gone: their lease has run out and nobody settled them. The caller adds the status."""
    return model._default_manager.filter(lease_until__lt=now)


class Lease:
    """A lease that is being renewed. `lost` is true as soon as the row is known to belong to somebody else."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self._lost = threading.Event()

    @property
    def lost(self) -> bool:
        return self._lost.is_set()

    def lose(self) -> None:
        self._lost.set()


@contextmanager
def renewing(
    model: type[Leased],
    pk: Any,
    owner: str,
    *,
    lease_s: float | None = None,
    every_s: float | None = None,
) -> Iterator[Lease]:
    """Keep a claimed row's lease alive while the block runs, from a thread with a connection of its own, which is not
    started before the first renewal is due."""
    lease = Lease(owner)
    stopped = threading.Event()
    every = renew_seconds() if every_s is None else every_s
    keeper = threading.Thread(
        target=_keep,
        name=f"lease-{pk}",
        daemon=True,
        kwargs={
            "model": model,
            "pk": pk,
            "lease": lease,
            "stopped": stopped,
            "lease_s": lease_seconds() if lease_s is None else lease_s,
            "every_s": every,
        },
    )
    _watch.start_after(every, keeper)
    try:
        yield lease
    finally:
        if not _watch.withdraw(keeper):
            stopped.set()
            # A renewal that hangs on a dead database must not hold up the worker: the thread, a daemon, ends by itself.
            keeper.join(_JOIN_S)


class _Watch:
    """Starts each keeper when its first renewal is due. Most work is over by then, and has cost no thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due: dict[threading.Thread, float] = {}
        self._looks_at = math.inf
        self._thread: threading.Thread | None = None

    def start_after(self, seconds: float, keeper: threading.Thread) -> None:
        due = time.monotonic() + seconds
        with self._changed:
            self._due[keeper] = due
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, name="leases", daemon=True)
                self._thread.start()
            if due < self._looks_at:
                self._changed.notify()

    def withdraw(self, keeper: threading.Thread) -> bool:
        """Whether it was still waiting, and now never starts."""
        with self._changed:
            return self._due.pop(keeper, None) is not None

    def _look(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                for keeper in [keeper for keeper, due in self._due.items() if due <= now]:
                    try:
                        keeper.start()
                    except RuntimeError:  # the machine has no thread left
                        logger.exception("A lease cannot be renewed yet; it is tried again.")
                        self._due[keeper] = now + _RETRY_S
                    else:
                        del self._due[keeper]
                self._looks_at = min(self._due.values(), default=math.inf)
                self._changed.wait(None if self._looks_at == math.inf else self._looks_at - now)


_watch = _Watch()


def _watch_anew() -> None:
    """Threads do not live on in a forked process, and a lock may have been held at that moment."""
    global _watch
    _watch = _Watch()


os.register_at_fork(after_in_child=_watch_anew)


def _keep(
    *, model: type[Leased], pk: Any, lease: Lease, stopped: threading.Event, lease_s: float, every_s: float
) -> None:
    """Renew until stopped or lost. A database that is locked or away is asked again until the lease has run out."""
    rows = model._base_manager.filter(pk=pk, lease_owner=lease.owner)
    until = time.monotonic() + lease_s - every_s
    wait = 0.0
    try:
        while not stopped.wait(wait):
            asked = time.monotonic()
            try:
                renewed = rows.update(lease_until=timezone.now() + timedelta(seconds=lease_s))
            except (DatabaseError, InterfaceError) as error:
                connection.close()
                if time.monotonic() >= until:
                    logger.error(
                        "A lease could not be renewed in time.", extra={"owner": lease.owner, "why": str(error)}
                    )
                    lease.lose()
                    return
                wait = min(_RETRY_S, every_s)
                continue
            if not renewed:
                lease.lose()
                return
            until, wait = asked + lease_s, every_s
    finally:
        connection.close()
