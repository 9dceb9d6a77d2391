"""Runs: one request, one answer, and what it took. The only writer of a run's status.

A run is created either claimed by this process (`execute`: the caller waits) or queued for a worker (`enqueue`).
Whoever carries it out holds its lease; a process that dies leaves a lease that runs out, and `reap` settles the run.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from django_q.tasks import async_task

from donna_skills.accounts.actors import Actor
from donna_skills.accounts.roles import Permission
from donna_skills.audit import services as audit
from donna_skills.errors import AlreadyDecided, FieldError, Invalid, NotPermitted
from donna_skills.inserts import PreparedInsert
from donna_skills.jobs import leases
from donna_skills.llm import budget, ledger
from donna_skills.notifications import events
from donna_skills.notifications.models import Level
from donna_skills.updates import PreparedUpdate
from lifecycle.configuration import knobs
from lifecycle.execution import schemas
from lifecycle.execution.outcome import RunOutcome
from lifecycle.models import OPEN_STATUSES, Capability, Outcome, RunPath, RunStatus, Skill, SkillRun
from lifecycle.services import capabilities, promotions, refusals, running, shadows, skills
from lifecycle.states import State

logger = logging.getLogger(__name__)

_INSERT = PreparedInsert(SkillRun)
_END = PreparedUpdate(
    SkillRun,
    set=[
        *("status", "outcome", "degraded", "state", "output", "tool_calls", "triage", "error", "escalation_reason"),
        *("cost_usd", "latency_ms", "finished_at", "compare_at", *leases.RELEASED),
    ],
    where=["id", "status", "lease_owner"],
)
_HANDED_OVER_FOR = timedelta(minutes=2)
_REAP_AT_MOST = 500


@dataclass(frozen=True)
class Request:
    """Who asked, and what they call it."""

    actor: Actor
    user_id: str = ""
    external_id: str = ""
    automation_run_id: uuid.UUID | None = None


def execute(capability_name: str, *, inputs: Mapping[str, Any], request: Request) -> SkillRun:
    """Answer a request in this thread, whoever serves the capability now; returns the run whose output the caller gets.

    1. Refuse unknown capabilities, inputs against the schema, and a spent budget, before anything is stored.
    2. Store the run, claimed by this process.
    3. Carry it out; a skill that fails or escalates is followed by the reference model on the same inputs.

    A failure of model or skill is a run that says so, not an exception.
    """
    run = start(capability_name, inputs=inputs, request=request)
    return finish(run)


def start(capability_name: str, *, inputs: Mapping[str, Any], request: Request) -> SkillRun:
    """Steps 1 and 2 of `execute`: a stored run, claimed by this process, for `finish` to carry out (in any thread)."""
    capability = capabilities.get(capability_name)
    _check(capability, inputs)
    budget.ensure_open(timezone.now())
    return _create(capability, inputs=inputs, request=request, claimed=True)


def begin(capability: Capability, *, inputs: Mapping[str, Any], request: Request) -> SkillRun:
    """`start` for a caller that has just read the capability with its skill, and has seen to the budget."""
    _check(capability, inputs)
    return _create(capability, inputs=inputs, request=request, claimed=True)


def enqueue(capability_name: str, *, inputs: Mapping[str, Any], request: Request) -> SkillRun:
    """The same checks, for a worker to carry out."""
    capability = capabilities.get(capability_name)
    _check(capability, inputs)
    budget.ensure_open(timezone.now())
    with transaction.atomic():
        run = _create(capability, inputs=inputs, request=request, claimed=False)
        _hand_over(run)
    return run


def carry_out(run_id: uuid.UUID | str) -> SkillRun | None:
    """A worker's part: claim a queued run and finish it; None when somebody else has it or it is over."""
    now, owner = timezone.now(), leases.new_owner()
    claimed = leases.claim(
        SkillRun.objects.filter(pk=run_id),
        owner=owner,
        from_statuses=[RunStatus.QUEUED],
        to_status=RunStatus.RUNNING,
        now=now,
        started_at=now,
    )
    if not claimed:
        return None
    return finish(SkillRun.objects.select_related("capability", "skill__capability", "version").get(pk=run_id))


def finish(run: SkillRun) -> SkillRun:
    """Carry out a run that this process has claimed, then its fallback where it needs one; returns the last of them."""
    with leases.renewing(SkillRun, run.pk, run.lease_owner):
        outcome = running.attempt(run)
    fallback = _settle(run, outcome)
    if run.path == RunPath.SANDBOX and run.skill_id and not run.is_open:
        promotions.consider_quietly(run.skill_id)
    return finish(fallback) if fallback is not None else run


def ask_reference(run: SkillRun) -> SkillRun:
    """The reference's answer to the inputs of a run, for comparison: a run of its own that no caller sees."""
    return finish(_follow_up(run, path=RunPath.SHADOW, claimed=True, shadow_of=run))


def cancel(run: SkillRun, *, why: str) -> bool:
    """End a run that is still open; whoever works on it finds that it is no longer theirs."""
    return _close(SkillRun.objects.filter(pk=run.pk), RunStatus.CANCELLED, Outcome.CANCELLED, why, timezone.now()) == 1


def call_off(run: SkillRun, *, by: Actor) -> SkillRun:
    """Cancel a run for a person. NotPermitted unless they may run skills, AlreadyDecided when it is over."""
    with refusals.recorded("run.cancel", actor=by, subject_type="run", subject_id=run.pk):
        if not by.may(Permission.RUN_SKILLS):
            raise NotPermitted("Only a person who may run skills can cancel a run.")
        if not cancel(run, why=f"Cancelled by {by.describe()}."):
            run.refresh_from_db(fields=["status"])
            raise AlreadyDecided(f"The run is over already: it is {run.get_status_display().lower()}.")
        audit.record("run.cancelled", actor=by, subject_type="run", subject_id=run.pk)
    run.refresh_from_db()
    return run


def reap(now: datetime) -> int:
    """Settle runs whose process died: over their deadline `timed_out`, otherwise `interrupted`; returns the count."""
    lost = leases.expired(SkillRun, now).filter(status=RunStatus.RUNNING)
    deadline = now - timedelta(seconds=knobs().run_per_run_timeout_s)
    ids = list(lost.order_by("lease_until").values_list("pk", flat=True)[:_REAP_AT_MOST])
    rows = SkillRun.objects.filter(pk__in=ids, status=RunStatus.RUNNING, lease_until__lt=now)
    late = _close(
        rows.filter(started_at__lt=deadline),
        RunStatus.TIMED_OUT,
        Outcome.TIMED_OUT,
        "It was still running past its deadline, and the process that ran it is gone.",
        now,
    )
    dead = _close(
        rows,
        RunStatus.INTERRUPTED,
        "",
        "The process that ran it ended before it was done; nobody knows the result.",
        now,
    )
    if late or dead:
        logger.warning("Runs were reaped.", extra={"timed_out": late, "interrupted": dead})
    return late + dead


def redeliver(now: datetime) -> int:
    """Hand queued runs over again whose task never reached a worker, for the broker lost it."""
    waiting = SkillRun.objects.filter(status=RunStatus.QUEUED, lease_until__lt=now)
    handed = 0
    for run in waiting.order_by("lease_until")[:_REAP_AT_MOST]:
        with transaction.atomic():
            taken = SkillRun.objects.filter(pk=run.pk, status=RunStatus.QUEUED, lease_until=run.lease_until).update(
                lease_until=now + _HANDED_OVER_FOR
            )
            if taken:
                transaction.on_commit(partial(_send, str(run.pk)))
                handed += 1
    return handed


def _check(capability: Capability, inputs: Mapping[str, Any]) -> None:
    skills.require_active(capability)
    check_inputs(capability, inputs)


def check_inputs(capability: Capability, inputs: Mapping[str, Any]) -> None:
    """Raise Invalid with a path and a sentence for each thing that the capability's input schema does not allow."""
    problems = schemas.problems(inputs, capability.input_schema)
    if problems:
        raise Invalid(
            f"The inputs do not match what {capability.name} takes.",
            code="inputs_invalid",
            errors=[FieldError(f"/inputs{path}", message) for path, message in problems],
        )


def _create(capability: Capability, *, inputs: Mapping[str, Any], request: Request, claimed: bool) -> SkillRun:
    skill: Skill = capability.skill
    serves = skill.serves
    run = SkillRun(
        capability=capability,
        skill=skill,
        version=skill.current_version if serves else None,
        path=RunPath.SKILL if serves else RunPath.NATIVE,
        state_at_run=skill.state,
        inputs=dict(inputs),
        token=request.actor.token,
        requested_by=request.actor.user if request.actor.is_person else None,
        user_id=request.user_id,
        external_id=request.external_id,
        automation_run_id=request.automation_run_id,
        **_opening(claimed),
    )
    return _INSERT.create(run)


def _opening(claimed: bool) -> dict[str, Any]:
    """A new run's status and lease: running and ours, or queued and on its way to a worker."""
    now = timezone.now()
    if not claimed:
        return {"status": RunStatus.QUEUED, "lease_until": now + _HANDED_OVER_FOR}
    return {
        "status": RunStatus.RUNNING,
        "started_at": now,
        "lease_owner": leases.new_owner(),
        "lease_until": now + timedelta(seconds=leases.lease_seconds()),
    }


def _settle(run: SkillRun, outcome: RunOutcome) -> SkillRun | None:
    """Write how it ended, if it is still ours; returns the claimed fallback run where one is due."""
    now = timezone.now()
    ended = {
        "status": outcome.status,
        "outcome": outcome.status,
        "degraded": outcome.degraded,
        "state": dict(outcome.state),
        "output": outcome.output,
        "tool_calls": list(outcome.tool_calls),
        "triage": list(outcome.triage_log),
        "error": outcome.error or "",
        "escalation_reason": outcome.escalation_reason or "",
        "cost_usd": ledger.cost_of(run.pk),
        "latency_ms": int((now - (run.started_at or now)).total_seconds() * 1000),
        "finished_at": now,
        "compare_at": now if shadows.is_wanted(run, status=outcome.status, output=outcome.output) else None,
        **leases.RELEASED,
    }
    with transaction.atomic():
        if not _END.run(ended, where={"id": run.pk, "status": RunStatus.RUNNING, "lease_owner": run.lease_owner}):
            logger.warning("A run was taken away before it ended.", extra={"run_id": str(run.pk)})
            run.refresh_from_db()
            return None
        for name, value in ended.items():
            setattr(run, name, value)
        if run.compare_at:
            shadows.hand_over(run.pk)
        if outcome.alerts:
            _alert(run, outcome.alerts)
        if run.path == RunPath.SKILL and run.status not in {RunStatus.SUCCEEDED, RunStatus.CANCELLED}:
            return _follow_up(run, path=RunPath.NATIVE, claimed=True, fallback_of=run)
        if _runs_unseen(run):
            _hand_over(_follow_up(run, path=RunPath.SANDBOX, claimed=False, shadow_of=run))
    return None


def _alert(run: SkillRun, sentences: Sequence[str]) -> None:
    """Triage asked for a person: tell everybody who can pause or mend the skill, once for each cause."""
    cause = sentences[0]
    events.publish(
        "run.needs_a_person",
        subject_type="run",
        subject_id=run.pk,
        payload={"capability": run.capability.name, "alerts": list(sentences)},
        notify=events.Notice(
            title=f"A run of {run.capability.name} needs somebody to look",
            body=cause,
            url=f"/runs/{run.pk}/",
            level=Level.WARNING,
            permission=Permission.PAUSE_SKILLS,
        ),
    )


def _runs_unseen(run: SkillRun) -> bool:
    """A sandbox skill runs beside each reference answer; the master switch and a pause stop that."""
    if run.path != RunPath.NATIVE or run.fallback_of_id or run.status != RunStatus.SUCCEEDED or run.skill is None:
        return False
    return run.state_at_run == State.SANDBOX and not run.skill.paused and knobs().enabled


def _follow_up(run: SkillRun, *, path: RunPath, claimed: bool, **link: SkillRun) -> SkillRun:
    """Another run on the same inputs for the same request, linked to the first."""
    skill = run.skill
    return SkillRun.objects.create(
        capability=run.capability,
        skill=skill,
        version=skill.current_version if skill and path == RunPath.SANDBOX else None,
        path=path,
        state_at_run=run.state_at_run,
        inputs=run.inputs,
        token=run.token,
        requested_by=run.requested_by,
        user_id=run.user_id,
        external_id=run.external_id,
        automation_run_id=run.automation_run_id,
        **link,
        **_opening(claimed),
    )


def _hand_over(run: SkillRun) -> None:
    transaction.on_commit(partial(_send, str(run.pk)))


def _send(run_id: str) -> None:
    """Tell the workers. A broker that is away is no reason to fail: `redeliver` tells them again."""
    try:
        async_task("lifecycle.tasks.carry_out_run", run_id, task_name=f"run {run_id}")
    except Exception:
        logger.exception("A run could not be handed to the workers now; it will be handed over again.")


def _close(rows: Any, status: RunStatus, outcome: str, why: str, now: datetime) -> int:
    return int(
        rows.filter(Q(status__in=OPEN_STATUSES)).update(
            status=status, outcome=outcome, error=why, finished_at=now, started_at=F("started_at"), **leases.RELEASED
        )
    )
