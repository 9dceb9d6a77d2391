"""The night: every pass of the loop in one job, once a UTC day, with a report of what each of them did.

    wake (is it due?) -> request -> a JobRun -> carry_out: step by step, each alone -> the report, kept after each step

A night whose worker is killed is reaped like any job, and `wake` asks for its continuation: steps that are over are
taken over from the report, the one that was under way begins again, and what it paid for is kept in rows of its own.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from donna_skills import sequences
from donna_skills.accounts.actors import Actor, ActorKind
from donna_skills.accounts.roles import Permission
from donna_skills.audit import services as audit
from donna_skills.errors import DonnaError, NotPermitted
from donna_skills.jobs import services as jobs
from donna_skills.jobs.models import OPEN, JobRun, JobStatus
from donna_skills.jobs.progress import JobStopped, Progress
from donna_skills.llm import selectors as llm
from donna_skills.notifications import events
from donna_skills.notifications.models import Event, Level
from lifecycle.configuration import knobs
from lifecycle.services import candidates, corrections, degradations, drafts, evolutions, promotions, reminders
from lifecycle.services.sweeps import Swept

logger = logging.getLogger(__name__)

KIND = "lifecycle.nightly"
ACTOR = Actor.system("nightly")
CATCH_UP = timedelta(hours=20)
"""A night that nobody was there for is made up for when it is no longer ago than this."""

LINES = 200
"""At most so many lines of a step are kept, the outcomes that are rare first."""
_MAY_BEGIN = 3
"""A step that has taken its worker with it so many times is left for the next night."""
_MAY_CONTINUE = 25
_REAL, _REHEARSAL = "night", "rehearsal"


class NightFailed(DonnaError):
    """Some steps failed and the others ran: the report says which."""

    code, title = "steps_failed", "Steps of the night failed"


class Watch(Protocol):
    """Who is told how far the night is, and keeps what it has found so far: a job's progress, or a terminal."""

    def __call__(self, done: int, total: int, message: str = "") -> None: ...

    def keep(self, report: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True)
class Turn:
    """What a step is told: the time to look from, whether only to look, what it may spend, and whom to tell."""

    now: datetime
    dry_run: bool
    budget_usd: Decimal
    progress: Callable[[int, int, str], None]


@dataclass(frozen=True)
class Step:
    name: str
    label: str
    work: Callable[[Turn], Swept]
    paid: bool = False


STEPS = (
    Step("detect", "Look for candidates", lambda turn: candidates.detect(turn.now, dry_run=turn.dry_run)),
    Step(
        "evolve",
        "Evolve degraded skills",
        lambda turn: evolutions.sweep(
            now=turn.now, dry_run=turn.dry_run, budget_usd=turn.budget_usd, progress=turn.progress
        ),
        paid=True,
    ),
    Step(
        "draft",
        "Draft skills",
        lambda turn: drafts.sweep(
            now=turn.now, dry_run=turn.dry_run, budget_usd=turn.budget_usd, progress=turn.progress
        ),
        paid=True,
    ),
    Step(
        "degradation", "Look for skills that slipped", lambda turn: degradations.sweep(turn.now, dry_run=turn.dry_run)
    ),
    Step("corrections", "Look at corrections", lambda turn: corrections.sweep(until=turn.now, dry_run=turn.dry_run)),
    Step("promotions", "Consider promotions", lambda turn: promotions.sweep(until=turn.now, dry_run=turn.dry_run)),
    Step("reminders", "Remind people", lambda turn: reminders.send(turn.now, dry_run=turn.dry_run)),
)
"""In this order: evolution is paid before drafting."""


def due_at(now: datetime) -> datetime:
    """When the newest night that is not in the future began or begins: the configured hour, in UTC."""
    at = now.astimezone(UTC).replace(hour=knobs().nightly_run_hour_utc, minute=0, second=0, microsecond=0)
    return at if at <= now else at - timedelta(days=1)


def wake(now: datetime) -> JobRun | None:
    """A duty, and what the schedule calls: ask for tonight's work where it is due and nobody has, or for the rest of it
    where its worker has gone. Any number may call it at once; the answer is the job, or None.

    A night that has been missed is made up for once, up to 20 hours later.
    """
    due = due_at(now)
    if now - due > CATCH_UP or not _is_wanted(_tonight(due)):
        return None
    with transaction.atomic():
        sequences.serialise("nightly")
        last = _tonight(due)
        if not _is_wanted(last) or _under_way():
            return None
        if last is None:
            return jobs.enqueue(KIND, by=ACTOR, key=_key(due), arguments={"night": _date(due)})
        if (hops := last.arguments.get("hops", 0) + 1) > _MAY_CONTINUE:
            _give_up(last)
            return None
        rest = {**last.arguments, "continues": str(last.pk), "hops": hops}
        return jobs.enqueue(KIND, by=ACTOR, key=last.key, arguments=rest)


def may_request(actor: Actor) -> bool:
    """Operators and whoever writes or decides; a bot, since its token's scope was asked for at the door."""
    if not actor.is_person:
        return True
    wanted = (Permission.OPERATE_AUTOMATIONS, Permission.EDIT_SKILLS, Permission.DECIDE_REVIEWS)
    return any(actor.may(permission) for permission in wanted)


def request(*, by: Actor, dry_run: bool = False, as_of: datetime | None = None) -> JobRun:
    """Ask for a night now, whenever the last one was; the one that is under way, where one is.

    With `dry_run` it only says what would be. With `as_of` the steps see what was there at that time; such a night is
    nobody's tonight, and not gone on with when it is cut short.
    """
    if not may_request(by):
        raise NotPermitted("Only operators, authors, reviewers and admins may start the night's work.")
    night = as_of or due_at(timezone.now())
    key = _REHEARSAL if dry_run else f"{_REAL} as of {_date(night)}" if as_of else _key(night)
    arguments = {"night": _date(night), "as_of": as_of.isoformat() if as_of else "", "dry_run": dry_run}
    with transaction.atomic():
        sequences.serialise("nightly")
        if not dry_run and (open_one := _under_way()):
            return open_one
        job = jobs.enqueue(KIND, by=by, key=key, arguments=arguments)
        if by.kind != ActorKind.SYSTEM:
            audit.record("nightly.requested", actor=by, subject_type="job", subject_id=job.pk, data=arguments)
    return job


def carry_out(job: JobRun, progress: Progress, *, steps: Sequence[Step] = STEPS) -> Mapping[str, Any]:
    """The job's handler: the night it asks for, and the report. NightFailed when steps failed; the others ran.

    People are told of a failed night once.
    """
    arguments = job.arguments
    as_of, dry_run = parse_datetime(arguments.get("as_of") or ""), bool(arguments.get("dry_run"))
    earlier = JobRun.objects.filter(pk=arguments["continues"]).first() if "continues" in arguments else None
    try:
        known = earlier.report if earlier else None
        report = work(watch=progress, as_of=as_of, dry_run=dry_run, earlier=known, steps=steps)
    except JobStopped:
        raise
    except Exception as error:
        if not dry_run:
            _tell_of_failure(job, f"It ended with an unexpected error ({type(error).__name__}).", steps=[])
        raise
    failed = [step["label"] for step in report["steps"] if step["status"] == "failed"]
    with transaction.atomic():
        progress.keep(report)
        if failed and not dry_run:
            _tell_of_failure(job, report["says"], steps=failed)
    if failed:
        raise NightFailed(report["says"])
    return report


def work(
    *,
    watch: Watch,
    as_of: datetime | None = None,
    dry_run: bool = False,
    earlier: Mapping[str, Any] | None = None,
    steps: Sequence[Step] = STEPS,
) -> dict[str, Any]:
    """Carry the steps out, one after the other, each for itself; returns the report.

    1. With the master switch off nothing happens but a report that says so.
    2. A step that is over in `earlier`, the report of a night that was cut short, is taken over as it is.
    3. Before a step the report says that it begins, after it what came of it; whoever watches keeps both.
    """
    began, report = time.monotonic(), _blank(as_of=as_of, dry_run=dry_run)
    if not report["enabled"]:
        report["says"] = "The master switch in config/skills.yaml is off: the night did nothing."
        return report
    known = {step["step"]: step for step in (earlier or {}).get("steps", [])}
    before_s = float((earlier or {}).get("seconds", 0))
    for number, step in enumerate(steps):
        watch(number, len(steps), step.label)
        found = known.get(step.name)
        if found is None or found["status"] == "running":
            begun = found["begun"] + 1 if found else 1
            report["steps"].append({"step": step.name, "label": step.label, "status": "running", "begun": begun})
            watch.keep(report)

            def progress(done: int, total: int, message: str = "", at: int = number, label: str = step.label) -> None:
                watch(at, len(steps), f"{label}, {done} of {total}. {message}".strip())

            found = _carry_out(step, begun=begun, as_of=as_of, dry_run=dry_run, progress=progress)
            report["steps"].pop()
        report["steps"].append(found)
        report["cost_usd"] = str(sum(Decimal(one.get("cost_usd", "0")) for one in report["steps"]))
        report["seconds"] = round(before_s + time.monotonic() - began, 3)
        report["says"] = _summary(report["steps"], of=len(steps))
        watch.keep(report)
    watch(len(steps), len(steps), report["says"])
    return report


def remaining_usd(now: datetime) -> Decimal:
    """What background work may still spend today and this month; nothing, where that is not known."""
    try:
        month, day = llm.period_summaries(now)
        return min(month.background_remaining_usd, day.background_remaining_usd)
    except Exception:
        logger.exception("What is left of the budget is not known; the night takes it for nothing.")
        _mend_connection()
        return Decimal(0)


def _carry_out(
    step: Step, *, begun: int, as_of: datetime | None, dry_run: bool, progress: Callable[[int, int, str], None]
) -> dict[str, Any]:
    """One step's entry of the report; what it raises is its own, and no other step's."""
    entry: dict[str, Any] = {"step": step.name, "label": step.label, "status": "done", "begun": begun}
    entry |= {"says": "", "counts": {}, "lines": [], "more": 0, "errors": [], "cost_usd": "0"}
    if begun > _MAY_BEGIN:
        message = f"It ended its worker {_MAY_BEGIN} times tonight and is left for the next night."
        return entry | {"status": "failed", "says": message, "errors": [message], "seconds": 0.0}
    budget = remaining_usd(timezone.now()) if step.paid else Decimal(0)
    if step.paid:
        entry["budget_usd"] = str(budget)
    began = time.monotonic()
    try:
        swept = step.work(Turn(as_of or timezone.now(), dry_run, budget, progress))
        entry |= _found(swept)
    except JobStopped:
        raise
    except Exception as error:
        message = error.message if isinstance(error, DonnaError) else f"An unexpected error ({type(error).__name__})."
        logger.exception("A step of the night failed.", extra={"step": step.name})
        _mend_connection()
        entry |= {"status": "failed", "says": message, "errors": [message]}
    entry["seconds"] = round(time.monotonic() - began, 3)
    return entry


def _found(swept: Swept) -> dict[str, Any]:
    """What a report keeps of a pass: every count, and the lines of rare outcomes before those of common ones."""
    counts = swept.counts
    lines = sorted(swept.lines, key=lambda line: (line.outcome != "error", counts[line.outcome]))
    return {
        "says": ", ".join(f"{number:,} {_words(outcome)}" for outcome, number in counts.items()) or "Nothing to do.",
        "counts": counts,
        "lines": [
            {
                "skill": line.capability,
                "skill_id": line.skill_id,
                "outcome": line.outcome,
                "says": line.detail[:500],
                "reasons": list(line.reasons),
            }
            for line in lines[:LINES]
        ],
        "more": max(0, len(lines) - LINES),
        "errors": [f"{line.capability}: {line.detail}"[:500] for line in lines if line.outcome == "error"][:LINES],
        "cost_usd": str(swept.cost_usd),
    }


def _mend_connection() -> None:
    """After an error: what an outage left behind would fail every step that follows."""
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()


def _blank(*, as_of: datetime | None, dry_run: bool) -> dict[str, Any]:
    return {
        "night": _date(as_of or due_at(timezone.now())),
        "as_of": as_of.isoformat() if as_of else None,
        "dry_run": dry_run,
        "enabled": knobs().enabled,
        "says": "",
        "steps": [],
        "cost_usd": "0",
        "seconds": 0.0,
    }


def _summary(steps: list[dict[str, Any]], *, of: int) -> str:
    failed = [step["label"].lower() for step in steps if step["status"] == "failed"]
    if failed:
        return f"{len(failed)} of {of} steps failed: {', '.join(failed)}. The others ran."
    errors = sum(step["counts"].get("error", 0) for step in steps)
    done = f"{len(steps)} of {of} steps are done"
    return f"{done}; {errors} skills could not be looked at." if errors else f"{done}."


def _words(outcome: str) -> str:
    return outcome.replace("_", " ")


def _nights() -> QuerySet[JobRun]:
    """Real nights, newest first; rehearsals change nothing and count for nothing."""
    return JobRun.objects.filter(kind=KIND, key__startswith=f"{_REAL} ").order_by("-created_at", "-id")


def _tonight(due: datetime) -> JobRun | None:
    """The newest job of the night that began at `due`."""
    return _nights().filter(key=_key(due)).first()


def _under_way() -> JobRun | None:
    return _nights().filter(status__in=OPEN).first()


def _is_wanted(last: JobRun | None) -> bool:
    """Whether tonight's work has to be asked for (again): nobody has, or its worker went away in the middle of it."""
    if last is None or last.status == JobStatus.INTERRUPTED:
        return last is None or not _was_given_up(last)
    return last.status == JobStatus.FAILED and last.error_code == "timed_out" and not _was_given_up(last)


def _give_up(last: JobRun) -> None:
    _tell_of_failure(last, f"Its workers went away {_MAY_CONTINUE} times.", steps=[])


def _was_given_up(last: JobRun) -> bool:
    hops = last.arguments.get("hops", 0)
    return hops >= _MAY_CONTINUE and Event.objects.filter(dedup_key=_failure_key(last)).exists()


def _tell_of_failure(job: JobRun, why: str, *, steps: list[str]) -> None:
    """Once a night, however often it fails."""
    night = job.arguments["night"]
    with transaction.atomic():
        events.publish(
            "nightly.failed",
            subject_type="job",
            subject_id=job.pk,
            payload={"night": night, "why": why, "steps": steps},
            dedup_key=_failure_key(job),
            notify=events.Notice(
                title=f"The night's work of {night} failed",
                body=f"{why} What ran, and what each step says, is in the job's report.",
                url=f"/jobs/{job.pk}/",
                level=Level.ERROR,
                permission=Permission.OPERATE_AUTOMATIONS,
            ),
        )


def _failure_key(job: JobRun) -> str:
    return f"nightly_failed:{job.arguments['night']}"


def _key(at: datetime) -> str:
    return f"{_REAL} {_date(at)}"


def _date(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d}"
