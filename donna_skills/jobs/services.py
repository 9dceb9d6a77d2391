"""Jobs from being asked for to being over. The only writer of JobRun.

    enqueue (a row, in the caller's transaction) -> hand over to django-q2 after commit -> run (claim, work, settle)

The broker is only the bell: the row is the truth. Redis hands a task out once and forgets it, so a task that its worker
took to the grave is handed over again by `redeliver` as long as the job is queued, and a job whose worker was killed in
the middle is found by `reap`. Running a job twice is harmless, because only one claim of a queued row succeeds.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, InterfaceError, OperationalError, connection, models, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.module_loading import import_string
from django_q.exceptions import TimeoutException
from django_q.tasks import async_task

from donna_skills.accounts.actors import Actor, ActorKind
from donna_skills.accounts.roles import Permission
from donna_skills.audit import services as audit
from donna_skills.errors import AlreadyDecided, DonnaError, NotFound, NotPermitted
from donna_skills.jobs import leases
from donna_skills.jobs.models import OPEN, JobRun, JobStatus
from donna_skills.jobs.progress import JobStopped, Progress

logger = logging.getLogger(__name__)

Handler = Callable[[JobRun, Progress], Mapping[str, Any] | None]

TASK = "donna_skills.jobs.tasks.run"
# A task that is not picked up is handed over again after one minute, then two, four … at most an hour later.
_REDELIVER_AFTER_S = 60
_REDELIVER_AT_MOST_S = 3600
_REDELIVER_BATCH = 200
_SETTLE_AGAIN_S = 1.0


def enqueue(
    kind: str,
    *,
    by: Actor,
    key: str = "",
    subject: models.Model | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> JobRun:
    """Ask for work of a kind that settings.JOB_HANDLERS names.

    With a key, an open job of the kind with this key is returned instead of a second one.
    """
    if kind not in settings.JOB_HANDLERS:
        raise NotFound(f"There is no kind of job called {kind!r}: settings.JOB_HANDLERS names those that exist.")
    if existing := _open(kind, key):
        return existing
    job = JobRun(
        kind=kind,
        key=key,
        subject_type=subject._meta.model_name or "" if subject else "",
        subject_id=str(subject.pk) if subject else "",
        arguments=dict(arguments or {}),
        requested_by=by.user,
        requested_label=by.describe()[:200],
    )
    try:
        _insert(job)
    except IntegrityError:
        # Somebody asked for the same between the look and the insert. Where theirs is over already, ours fits in now.
        if existing := _open(kind, key):
            return existing
        _insert(job)
    transaction.on_commit(partial(_hand_over, job.pk), robust=True)
    return job


def run(job_id: UUID | str) -> JobRun | None:
    """Carry a queued job out, or return None where somebody else has or does.

    1. Claim it: queued -> running, with a lease that a thread renews.
    2. Call its handler outside any transaction.
    3. Settle it, unless it was cancelled or taken away meanwhile. An expected error (DonnaError) is its message;
       anything else is logged with its traceback.
    """
    owner = leases.new_owner()
    now = timezone.now()
    rows = JobRun.objects.filter(pk=job_id)
    if not leases.claim(
        rows,
        owner=owner,
        from_statuses=[JobStatus.QUEUED],
        to_status=JobStatus.RUNNING,
        now=now,
        started_at=now,
        attempts=F("attempts") + 1,
    ):
        logger.info("The job is not queued any more.", extra={"job": str(job_id)})
        return None
    job = rows.get()
    with leases.renewing(JobRun, job.pk, owner) as lease:
        values = _outcome(job, Progress(job, lease))
    if not _settle(rows.filter(status=JobStatus.RUNNING, lease_owner=owner), values):
        logger.warning("The job was cancelled or taken away while it ran.", extra={"job": str(job_id)})
    job.refresh_from_db()
    return job


def may_cancel(job: JobRun, *, by: Actor) -> bool:
    """Who asked for it, who operates the installation's automatic work, and the system; bots never."""
    if by.kind == ActorKind.SYSTEM or by.may(Permission.OPERATE_AUTOMATIONS):
        return True
    return by.is_person and by.user is not None and by.user.is_active and job.requested_by_id == by.user.pk


def cancel(job: JobRun, *, by: Actor) -> JobRun:
    """Stop a queued job at once, a running one at its next sign of progress."""
    if not may_cancel(job, by=by):
        raise NotPermitted("Only who asked for a job, operators and admins may cancel it.")
    reason = f"Cancelled by {by.describe()}."
    with transaction.atomic():
        cancelled = JobRun.objects.filter(pk=job.pk, status__in=OPEN).update(
            status=JobStatus.CANCELLED,
            error=reason,
            error_code="cancelled",
            finished_at=timezone.now(),
            **leases.RELEASED,
        )
        if cancelled:
            facts = {"kind": job.kind, "subject_type": job.subject_type, "subject_id": job.subject_id}
            audit.record("job.cancelled", actor=by, subject_type="job", subject_id=job.pk, data=facts)
    job.refresh_from_db()
    if not cancelled:
        raise AlreadyDecided(f"The job is over already: it is {job.status}.")
    return job


def reap(now: datetime) -> int:
    """A duty: jobs whose worker has gone are interrupted. Answers how many."""
    reaped = (
        leases.expired(JobRun, now)
        .filter(status=JobStatus.RUNNING)
        .update(
            status=JobStatus.INTERRUPTED,
            error="The worker went away while it was on it; the job can be asked for again.",
            error_code="interrupted",
            finished_at=now,
            **leases.RELEASED,
        )
    )
    if reaped:
        logger.warning("Jobs were interrupted: their workers have gone.", extra={"jobs": reaped})
    return reaped


def redeliver(now: datetime) -> int:
    """A duty: hand queued jobs over again that the broker may have lost. Answers how many.

    A job that merely waits in a long queue is handed over again too, each time after twice as long; the worker that
    comes second finds it claimed.
    """
    overdue = Q(handed_over_at__isnull=True, created_at__lt=now - timedelta(seconds=_REDELIVER_AFTER_S))
    overdue |= Q(handed_over_at__lt=now - timedelta(seconds=_REDELIVER_AFTER_S))
    waiting = JobRun.objects.filter(overdue, status=JobStatus.QUEUED).order_by("created_at")
    handed = 0
    for job in waiting.only("pk", "handed_over_at", "hand_overs")[:_REDELIVER_BATCH]:
        if job.handed_over_at and job.handed_over_at > now - _patience(job.hand_overs):
            continue
        handed += _hand_over(job.pk, seen=job.hand_overs)
    return handed


def _open(kind: str, key: str) -> JobRun | None:
    return JobRun.objects.filter(kind=kind, key=key, status__in=OPEN).first() if key else None


def _insert(job: JobRun) -> None:
    """Inside a savepoint, so that a refusal leaves the caller's transaction whole."""
    with transaction.atomic():
        job.save(force_insert=True)


def _timeout_s(kind: str) -> int:
    """How long a worker may take over a job of this kind."""
    longer: int | None = settings.JOB_TIMEOUTS_S.get(kind)
    return longer or int(str(settings.Q_CLUSTER["timeout"]))


def _patience(hand_overs: int) -> timedelta:
    """How long after so many hand-overs the next one comes."""
    return timedelta(seconds=min(_REDELIVER_AFTER_S * 2 ** min(max(hand_overs - 1, 0), 10), _REDELIVER_AT_MOST_S))


def _hand_over(job_id: UUID, *, seen: int = 0) -> bool:
    """Ring the bell, once among many schedulers: the row counts hand-overs, and only one update sees the old count."""
    waiting = JobRun.objects.filter(pk=job_id, status=JobStatus.QUEUED, hand_overs=seen)
    kind = waiting.values_list("kind", flat=True).first()
    if kind is None or not waiting.update(hand_overs=seen + 1, handed_over_at=timezone.now()):
        return False
    try:
        async_task(TASK, str(job_id), task_name=f"job-{job_id}", timeout=_timeout_s(kind))
    except Exception:
        # The broker is away. The job stays queued, and `redeliver` tries again.
        logger.exception("A job could not be handed to the broker.", extra={"job": str(job_id)})
        return False
    return True


def _outcome(job: JobRun, progress: Progress) -> dict[str, Any]:
    """Call the handler; the answer is what settles the row."""
    try:
        handler: Handler = import_string(settings.JOB_HANDLERS[job.kind])
        report = handler(job, progress)
    except JobStopped:
        return _failed("stopped", "The job was stopped.")
    except DonnaError as error:
        logger.info("A job ended without success.", extra={"job": str(job.pk), "kind": job.kind, "why": error.message})
        return _failed(error.code, error.message)
    except TimeoutException:
        # The worker's own alarm. django-q2 replaces the worker next, which may be too late to write anything.
        logger.error("A job took too long.", extra={"job": str(job.pk), "kind": job.kind})
        return _failed("timed_out", f"The job took longer than the {_timeout_s(job.kind)} s allowed.")
    except Exception as error:
        logger.exception("A job failed unexpectedly.", extra={"job": str(job.pk), "kind": job.kind})
        return _failed("unexpected", f"{type(error).__name__}: {error}")
    progress.flush()
    return {"status": JobStatus.SUCCEEDED, "report": dict(report or {})}


def _settle(rows: models.QuerySet[JobRun], values: Mapping[str, Any]) -> int:
    """Write the end. A handler may leave a dead connection behind: then once more on a new one."""
    ended = {**values, **leases.RELEASED, "finished_at": timezone.now()}
    try:
        return rows.update(**ended)
    except (OperationalError, InterfaceError):
        logger.exception("The end of a job could not be written at the first try.")
        connection.close()
        time.sleep(_SETTLE_AGAIN_S)
        return rows.update(**ended)


def _failed(code: str, message: str) -> dict[str, Any]:
    return {"status": JobStatus.FAILED, "error_code": code[:80], "error": message}
