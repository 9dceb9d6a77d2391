"""Whether the application is alive (`health`) and whether it can do its work (`ready`), for load balancers and people.

Both answer the same body. `health` is 503 only without a database, so that a process is not restarted for a worker
that is away; `ready` needs everything.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any, Literal

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection
from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Schema, Status
from pydantic import Field
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)
router = Router(tags=["health"])

SILENT_AFTER_S = 60


class QueueHealth(Schema):
    status: Literal["ok", "no_worker", "unreachable"]
    waiting: int | None = Field(description="Tasks that no worker has taken yet.")


class Health(Schema):
    status: Literal["ok", "degraded", "down"]
    version: str
    database: Literal["ok", "down"]
    queue: QueueHealth
    scheduler_lag_s: float | None = Field(description="Seconds since the scheduler's last turn; null if it never ran.")
    model: dict[str, Any] = Field(description="Which adapter answers, and what stands behind each alias.")


@router.get(
    "/health",
    response={200: Health, 503: Health},
    auth=None,
    operation_id="get_health",
    summary="Whether the application is alive",
)
def get_health(request: HttpRequest) -> Status[Health]:
    found = examine(timezone.now())
    return Status(503 if found.database == "down" else 200, found)


@router.get(
    "/ready",
    response={200: Health, 503: Health},
    auth=None,
    operation_id="get_ready",
    summary="Whether the application can do its work",
)
def get_ready(request: HttpRequest) -> Status[Health]:
    found = examine(timezone.now())
    return Status(200 if found.status == "ok" else 503, found)


def examine(now: datetime) -> Health:
    """Look at every part; a part that cannot be asked is reported and never raises."""
    if not _database_answers():
        away = QueueHealth(status="unreachable", waiting=None)
        return _health("down", database="down", queue=away, lag=None, model=_model())
    queue, lag, model = _queue(now), _scheduler_lag(now), _model()
    working = queue.status == "ok" and lag is not None and lag <= _longest_lag_s() and "error" not in model
    return _health("ok" if working else "degraded", database="ok", queue=queue, lag=lag, model=model)


def _health(status: Any, *, database: Any, queue: QueueHealth, lag: float | None, model: dict[str, Any]) -> Health:
    return Health(
        status=status, version=settings.VERSION, database=database, queue=queue, scheduler_lag_s=lag, model=model
    )


def _database_answers() -> bool:
    """A query on a table that only a migrated database has."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM django_migrations LIMIT 1")
            return cursor.fetchone() is not None
    except DatabaseError as away:
        logger.warning("the database does not answer: %s", away)
        return False


def _queue(now: datetime) -> QueueHealth:
    """How many tasks wait, and whether a cluster gave a sign of life within the last minute."""
    from django_q.brokers import get_broker
    from django_q.status import Stat

    try:
        broker = get_broker()
        waiting = broker.queue_size()
        ages = [(now - stat.timestamp).total_seconds() for stat in Stat.get_all(broker)]
    except (DatabaseError, RedisError, OSError) as away:
        logger.warning("the queue does not answer: %s", away)
        return QueueHealth(status="unreachable", waiting=None)
    alive = any(age <= SILENT_AFTER_S for age in ages)
    return QueueHealth(status="ok" if alive else "no_worker", waiting=waiting)


def _scheduler_lag(now: datetime) -> float | None:
    from donna_skills.jobs import heartbeat

    seen = heartbeat.last(heartbeat.SCHEDULER)
    return None if seen is None else round(max((now - seen).total_seconds(), 0.0), 1)


def _longest_lag_s() -> float:
    return max(float(SILENT_AFTER_S), 3.0 * settings.SCHEDULER_POLL_INTERVAL_S)


def _model() -> dict[str, Any]:
    from donna_skills.errors import DonnaError
    from donna_skills.llm import routing

    try:
        return routing.status()
    except (DonnaError, ImproperlyConfigured) as wrong:
        # Anybody may ask, so the reason, which names files of this machine, goes to the log.
        logger.warning("the model routes cannot be used: %s", wrong)
        return {"adapter": None, "aliases": {}, "error": "The model routes cannot be used; the log says why."}
