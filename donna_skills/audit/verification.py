"""Prove from a page that the audit log is whole: a job walks the chain, its report is the answer.

`ask` is what the button calls, `work` what a worker does, `latest` what the page shows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from donna_skills.accounts.actors import Actor
from donna_skills.accounts.roles import Permission
from donna_skills.audit import append_only, selectors, services
from donna_skills.errors import Conflict, FieldError, Invalid, NotPermitted
from donna_skills.jobs import selectors as jobs
from donna_skills.jobs.models import JobRun, JobStatus
from donna_skills.jobs.progress import Progress
from donna_skills.jobs.services import enqueue

JOB_KIND = "audit.verify"
BROKEN = "audit_broken"
_HEAD = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Standing:
    """What the last check said: `open` while it is under way, `unknown` where it came to no answer."""

    verdict: Literal["never", "open", "intact", "broken", "unknown"]
    job: JobRun | None = None


def ask(*, by: Actor, expect_head: str = "") -> JobRun:
    """One check at a time for each expected head; a second asker is given the job that is under way."""
    if not by.may(Permission.VIEW_AUDIT):
        raise NotPermitted("Only those who may read the audit log can have it checked.")
    head = expect_head.strip().lower()
    if head and not _HEAD.fullmatch(head):
        sentence = "A head is the hash of an event: 64 characters, digits and a to f."
        raise Invalid(sentence, errors=[FieldError("expect_head", sentence)])
    return enqueue(JOB_KIND, by=by, key=f"{JOB_KIND}:{head}", arguments={"expect_head": head} if head else {})


def work(job: JobRun, progress: Progress) -> dict[str, Any]:
    """The job's handler. A broken chain fails the job, so that nobody takes a report for a clean bill."""
    total = selectors.newest_seq()
    report = services.verify(
        job.arguments.get("expect_head") or None,
        # The log grows while it is read: the end is where the reading ends.
        on_chunk=lambda seen: progress(seen, max(total, seen), "Checking each event against its hash"),
    )
    faults = append_only.missing_triggers()
    if not report.intact:
        faults.insert(0, f"Broken at event {report.broken_seq}. {report.why}")
    if faults:
        raise Conflict(" ".join(faults), code=BROKEN)
    progress(report.events, report.events, "Every event has its hash")
    return {"intact": True, "events": report.events, "head_event": report.head_seq, "head_hash": report.head_hash}


def latest() -> Standing:
    """The last check's answer."""
    job = jobs.last(JOB_KIND)
    if job is None:
        return Standing("never")
    if job.is_open:
        return Standing("open", job)
    if job.status == JobStatus.SUCCEEDED:
        return Standing("intact", job)
    return Standing("broken" if job.error_code == BROKEN else "unknown", job)
