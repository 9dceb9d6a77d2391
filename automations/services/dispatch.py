"""Dispatch: runs that wait are claimed, carried out and settled, one after the other, until a worker's turn is over.

    work (answer a bell) -> drain -> claim -> carry out (the lifecycle's own runs) -> settlement.settle -> next

A run is held by a lease that a thread renews. Whoever dies leaves a lease that runs out, and `reap` settles the run.
"""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, Sum
from django.utils import timezone

from automations.configuration import knobs
from automations.models import Automation, AutomationRun, DrainSlot, ExecutionPath, RunStatus
from automations.services import queue, settlement
from automations.services.settlement import Ended
from donna_skills import sequences
from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import User
from donna_skills.errors import BudgetPaused, DonnaError
from donna_skills.jobs import leases
from donna_skills.llm import budget, caps, ledger
from donna_skills.llm.caps import Cap
from donna_skills.lookups import PreparedRow, UniqueLookup
from donna_skills.updates import PreparedUpdate
from lifecycle.execution import tools
from lifecycle.models import RunPath, Skill, SkillRun
from lifecycle.models import RunStatus as LifecycleStatus
from lifecycle.services import capabilities, runs, versions

logger = logging.getLogger(__name__)

ACTOR = Actor.system("automations")
_RUN, _AUTOMATION = UniqueLookup(AutomationRun, "id"), UniqueLookup(Automation, "id")
_PERSON = UniqueLookup(User, "id")
_CLAIM = PreparedUpdate(
    AutomationRun,
    set=["status", "lease_owner", "lease_until", "started_at", "deadline_at", "reserved_usd"],
    where=["id", "status"],
)
_LINK = PreparedUpdate(AutomationRun, set=["lifecycle_run_id", "inputs"], where=["id", "lease_owner"])
_RESERVED = PreparedRow(
    lambda status: (
        AutomationRun.objects.filter(status=status)
        .order_by()
        .values("status")
        .annotate(total=Sum("reserved_usd"))
        .values_list("total")
    )
)
_LOOKED_AT = 32
_BELIEVED_S = 1.0
"""For how long a worker goes by what it has read of the queue."""
_REAP_AT_MOST = 200
_PAST_DEADLINE = timedelta(seconds=60)
_PASSING = {"model_unreachable", "model_error", "model_rate_limited", "model_timeout", "model_reply_broken"}
_ENDED = {
    LifecycleStatus.SUCCEEDED: RunStatus.SUCCEEDED,
    LifecycleStatus.ESCALATED: RunStatus.ESCALATED,
}


def work(number: int, owner: str) -> int:
    """A worker's turn: answer the bell of a slot, drain for a while, and hand over to a fresh job if more wait."""
    if not queue.answer(number, owner):
        return 0
    with leases.renewing(DrainSlot, number, owner):
        ran = drain(seconds=knobs().drain_seconds, worker=number)
    queue.free(number, owner)
    queue.ring()
    return ran


def drain(*, seconds: float | None = None, worker: int = 0) -> int:
    """Carry out runs that wait until none is left, or none is begun any more after `seconds`; the number of them.

    Workers of different numbers begin at different ones, so that they do not reach for the same.
    """
    began = time.monotonic()
    count, line = 0, Line(worker)
    while seconds is None or count == 0 or time.monotonic() - began < seconds:
        run = claim(timezone.now(), line)
        if run is None:
            break
        count += 1
        if run.status == RunStatus.RUNNING:
            carry_out(run)
    return count


class Line:
    """The head of the queue as one worker has read it lately, of its own share if any. Claims check what it says."""

    def __init__(self, worker: int = 0) -> None:
        self._worker, self._read_at = worker, -math.inf
        self._head: deque[tuple[UUID, Decimal]] = deque()

    def next(self, now: datetime) -> tuple[UUID, Decimal] | None:
        """Id and cost of a run to reach for; None when none waits that may start."""
        if not self._head or time.monotonic() - self._read_at > _BELIEVED_S:
            self._read(now)
        return self._head.popleft() if self._head else None

    def _read(self, now: datetime) -> None:
        found = list(_claimable(now)[:_LOOKED_AT])
        workers = len(queue.slots())
        own = [one for one in found if one[0].int % workers == self._worker % workers]
        self._head, self._read_at = deque(own or found), time.monotonic()


def claim(now: datetime, line: Line | None = None) -> AutomationRun | None:
    """One of the oldest runs that may start now, held by this worker; None when there is none.

    One that the budget has no room for comes back settled as skipped, without having been held.
    """
    line = line or Line()
    while (head := line.next(now)) is not None:
        found = _claim_one(*head, now)
        if found is not None:
            return found
    return None


def carry_out(run: AutomationRun) -> None:
    """Do the work of a run that this process holds, and settle it. Whatever goes wrong becomes the run's error."""
    cap = Cap(run.automation.max_cost_per_run_usd)
    with leases.renewing(AutomationRun, run.pk, run.lease_owner):
        try:
            with caps.capped(cap.limit_usd) as cap:
                ended = _attempt(run, cap)
        except BudgetPaused as error:
            ended = Ended(RunStatus.SKIPPED_BUDGET, reason=error.message, cost_usd=cap.spent)
        except DonnaError as error:
            ended = Ended(RunStatus.FAILED, error=error.message, cost_usd=cap.spent)
        except Exception as error:
            logger.exception("An automation's run failed in an unexpected way.", extra={"run": str(run.pk)})
            ended = Ended(RunStatus.FAILED, error=f"An unexpected error ended it ({type(error).__name__}).")
        settlement.settle(run, ended)


def reap(now: datetime) -> int:
    """A duty: settle runs whose worker has gone, and those that hold on past their deadline; the number of them."""
    running = AutomationRun.objects.filter(status=RunStatus.RUNNING)
    lost = running.filter(Q(lease_until__lt=now) | Q(deadline_at__lt=now - _PAST_DEADLINE))
    settled = 0
    for run in list(lost.select_related("automation__capability").order_by("lease_until")[:_REAP_AT_MOST]):
        cost = ledger.cost_of(run.lifecycle_run_id) if run.lifecycle_run_id else Decimal(0)
        if run.lease_until is not None and run.lease_until < now:
            why = "The worker that carried it out has gone; nobody knows how far it came."
            ended = Ended(RunStatus.INTERRUPTED, error=why, cost_usd=cost)
        else:
            ended = Ended(RunStatus.FAILED, error="It was still on past its deadline.", cost_usd=cost)
        settled += settlement.settle(run, ended, seen_lease=run.lease_until)
    return settled


def wake(now: datetime) -> int:
    """A duty: ring for runs that wait and that no worker was told of, or was told of in vain; the number of bells."""
    return queue.ring(now=now)


def _claimable(now: datetime) -> Any:
    """Ids and costs of the runs that wait, the longest waiting first, without those that wait for one of their own."""
    on = AutomationRun.objects.filter(automation=OuterRef("automation"), status=RunStatus.RUNNING, alone=True)
    waiting = AutomationRun.objects.filter(status=RunStatus.QUEUED, not_before__lte=now)
    free = waiting.filter(Q(alone=False) | ~Exists(on)).order_by("not_before", "id")
    return free.values_list("pk", "automation__max_cost_per_run_usd")


def _claim_one(pk: UUID, max_cost: Decimal, now: datetime) -> AutomationRun | None:
    """Hold one run and set aside what it may cost, in one transaction; None when somebody else holds it."""
    held = {
        "status": RunStatus.RUNNING,
        "lease_owner": leases.new_owner(),
        "lease_until": now + timedelta(seconds=leases.lease_seconds()),
        "started_at": now,
        "deadline_at": now + timedelta(seconds=knobs().run_deadline_seconds),
        "reserved_usd": max_cost,
    }
    try:
        with transaction.atomic():
            if not _CLAIM.run(held, where={"id": pk, "status": RunStatus.QUEUED}):
                return None
            why = _no_room(max_cost, now)
            if why:
                transaction.set_rollback(True)
    except IntegrityError:
        return None  # another run of the automation has begun meanwhile, and this one waits for it
    run = _loaded(pk)
    if why and run.status == RunStatus.QUEUED:
        settlement.settle(run, Ended(RunStatus.SKIPPED_BUDGET, reason=why), from_queue=True)
    return None if run.status == RunStatus.RUNNING and run.lease_owner != held["lease_owner"] else run


def _loaded(pk: UUID) -> AutomationRun:
    """The run with all that its work needs, as it is now."""
    run = _RUN.get(pk)
    automation = _AUTOMATION.get(run.automation_id) if run else None
    owner = _PERSON.get(automation.owner_id) if automation else None
    assert run is not None and automation is not None and owner is not None, "runs and their owners are never deleted"
    automation.owner, automation.capability = owner, capabilities.by_id(automation.capability_id)
    run.automation = automation
    return run


def _no_room(max_cost: Decimal, now: datetime) -> str:
    """Why the budget cannot take a run that was claimed and may cost this much; empty when it can, or when it may cost
    nothing.

    What running automations may still cost, this one included, counts as spent: no two claims see the same money.
    """
    if not max_cost:
        return ""
    sequences.serialise("automations.budget")
    reserved = _RESERVED.get(RunStatus.RUNNING)
    left = budget.room(now) - Decimal(str(reserved[0] if reserved else 0))
    if left >= 0:
        return ""
    left = max(left + max_cost, Decimal(0))
    return f"It may cost {max_cost:.2f} USD, and the budget for model calls has {left:.2f} USD left."


def _attempt(run: AutomationRun, cap: Cap) -> Ended:
    """Carry it out by whoever serves the capability now, again after failures that may pass.

    The deadline is one for all tries. What each came to stands in `attempts`.
    """
    automation = run.automation
    if missing := _missing_tools(automation):
        names = ", ".join(missing)
        return Ended(
            RunStatus.BLOCKED_MISSING_TOOL, error=f"It needs tools that are not there or not granted: {names}."
        )
    inputs = _inputs(automation, run)
    limits, attempts, wait = knobs(), list[dict[str, Any]](), knobs().transient_wait_seconds
    while True:
        final = _ask(run, automation, inputs, again=bool(attempts))
        attempts.append(_account(final))
        last = len(attempts) >= limits.transient_attempts or not _may_pass(final) or cap.exceeded
        if last or run.deadline_at is None or timezone.now() + timedelta(seconds=wait) >= run.deadline_at:
            return _ended(final, attempts, cap)
        time.sleep(wait)
        wait *= 2
        automation.capability = capabilities.by_id(automation.capability_id)


def _ask(run: AutomationRun, automation: Automation, inputs: Mapping[str, Any], *, again: bool) -> SkillRun:
    """The lifecycle's run, fallback included. Its id and inputs are kept first, for whoever looks or cancels."""
    request = runs.Request(actor=ACTOR, user_id=automation.owner.get_username(), automation_run_id=run.pk)
    if again or not run.reserved_usd:
        budget.ensure_open(timezone.now())  # otherwise the claim has just made sure of it
    with transaction.atomic():
        started = runs.begin(automation.capability, inputs=inputs, request=request)
        _LINK.run(
            {"lifecycle_run_id": started.pk, "inputs": inputs}, where={"id": run.pk, "lease_owner": run.lease_owner}
        )
    return runs.finish(started)


def _ended(final: SkillRun, attempts: list[dict[str, Any]], cap: Cap) -> Ended:
    status = _ENDED.get(LifecycleStatus(final.status), RunStatus.FAILED)
    error = final.error or final.escalation_reason
    if cap.exceeded:
        status = RunStatus.COST_EXCEEDED
        error = f"It may cost {cap.limit_usd} USD and has cost {cap.spent}; it was stopped. {error}".strip()
    return Ended(
        status,
        output=final.output,
        error=error if status != RunStatus.SUCCEEDED else "",
        path=ExecutionPath.NATIVE if final.path == RunPath.NATIVE else ExecutionPath.SKILL,
        lifecycle_run_id=final.pk,
        cost_usd=cap.spent,
        attempts=tuple(attempts),
        kept=_kept(final) if status == RunStatus.SUCCEEDED else None,
    )


def _account(final: SkillRun) -> dict[str, Any]:
    return {
        "run_id": str(final.pk),
        "first_run_id": str(final.fallback_of_id or final.pk),
        "path": final.path,
        "status": final.status,
        "error": final.error[:1000],
    }


def _may_pass(final: SkillRun) -> bool:
    """Whether it failed for a model that did not answer, which may answer next time."""
    if final.status not in {LifecycleStatus.FAILED, LifecycleStatus.TIMED_OUT}:
        return False
    last = ledger.calls_of(final.pk).last()
    return last is not None and last.error_code in _PASSING


def _missing_tools(automation: Automation) -> list[str]:
    """Tools that the serving skill calls, or where none serves those that the capability grants, and that cannot be
    had: not registered here, or not granted."""
    capability = automation.capability
    granted = {str(name) for name in capability.granted_tools}
    skill: Skill = capability.skill
    needed = granted
    if skill.serves and skill.current_version is not None:
        steps = versions.package_of(skill.current_version).steps
        needed = {name for step in steps for name in (*step.tools, *(one.tool for one in step.tool_invocations))}
    return sorted(name for name in needed if name not in granted or name not in tools.names())


def _inputs(automation: Automation, run: AutomationRun) -> dict[str, Any]:
    """The automation's own inputs, and what its runs hand on where the capability's contract has a place for it:
    `prior_run_end` (when the last success began), `kept_state`, kept values under their own names, and the `event` that
    started it."""
    known = automation.capability.input_schema.get("properties", {})
    given = dict(automation.inputs)
    kept = {name: value for name, value in automation.kept_state.items() if name in known}
    if "kept_state" in known:
        kept["kept_state"] = automation.kept_state
    if "event" in known and run.payload is not None:
        kept["event"] = run.payload
    if "prior_run_end" in known:
        success = (
            automation.runs.filter(status=RunStatus.SUCCEEDED).order_by("-id").values_list("started_at", flat=True)
        )
        before = success.first()
        if before is not None:
            kept["prior_run_end"] = before.isoformat()
    return {**kept, **given} if kept else given


def _kept(final: SkillRun) -> dict[str, Any]:
    """What the package wants to find again next time."""
    if final.version is None or final.path != RunPath.SKILL:
        return {}
    wanted = versions.package_of(final.version).state_write
    return {name: final.state[name] for name in wanted if name in final.state}
