"""Drafts: a candidate becomes a version that a person is asked about. With `draftwork` the only writer of DraftAttempt.

    claim -> samples -> the author's reply (kept at once) -> package -> gates -> a draft version and its review

What is refused is kept with its reasons and fed to the next attempt. A worker that dies loses its lease, and whoever
asks next goes on from the reply that is there, so that nothing is paid for twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from donna_skills.accounts.actors import Actor, ActorKind
from donna_skills.accounts.models import ApiToken
from donna_skills.accounts.roles import Permission
from donna_skills.audit import services as audit
from donna_skills.errors import BudgetPaused, Conflict, DonnaError, ModelUnavailable, NotFound, NotPermitted
from donna_skills.jobs import leases
from donna_skills.jobs import services as jobs
from donna_skills.jobs.models import JobRun
from donna_skills.jobs.progress import JobStopped
from lifecycle.configuration import knobs
from lifecycle.decisions import drafting as rules
from lifecycle.decisions.verdict import Reason
from lifecycle.models import (
    AttemptStatus,
    Candidate,
    CandidateStatus,
    CapabilityStatus,
    DraftAttempt,
    Skill,
)
from lifecycle.services import authoring, candidates, drafting, refusals
from lifecycle.services.draftwork import ACTOR, Progress, Work
from lifecycle.services.sweeps import Line, Swept

KIND = "lifecycle.draft"
UNDER_WAY = "draft_under_way"
_OUTCOMES = {
    AttemptStatus.ACCEPTED: "drafted",
    AttemptStatus.REFUSED: "refused",
    AttemptStatus.BUDGET_STOPPED: "budget_stopped",
    AttemptStatus.MODEL_ERROR: "model_error",
}
_STOPS_AFTER = 2
"""Candidates in a row for which no model answered: the others would fare no better."""


def ask_for(candidate: Candidate, *, by: Actor) -> JobRun:
    """Have a candidate drafted at once, as a job; a job for it that is open is returned instead of a second one.

    Authors, reviewers and bots may. A person may ask again although three drafts in a row were refused, and beyond the
    day's number; a bot may not. Conflict unless the candidate is open and can be drafted now.
    """
    with refusals.recorded("candidate.draft", actor=by, subject_type="candidate", subject_id=candidate.pk):
        if not may_ask(by):
            raise NotPermitted("Only authors and reviewers may have candidates drafted.")
        if not knobs().enabled:
            raise Conflict("Learning is switched off (`enabled` in config/skills.yaml).", code="learning_off")
        truth = Candidate.objects.for_page().get(pk=candidate.pk)
        now, patient = timezone.now(), not by.is_person
        if (why_not := blocker(truth, now=now, patient=patient)) and why_not.code != UNDER_WAY:
            raise Conflict(why_not.message, code=why_not.code)
        if patient and started_on(now) >= knobs().auto_draft_daily_cap:
            raise Conflict("The day's number of drafts is used up.", code="daily_cap")
        job = jobs.enqueue(
            KIND,
            by=by,
            key=f"candidate:{truth.pk}",
            subject=truth,
            arguments={"candidate_id": str(truth.pk), "token_id": str(by.token.pk) if by.token else None},
        )
        facts = {"capability": truth.capability.name, "job_id": str(job.pk)}
        audit.record("candidate.draft", actor=by, subject_type="candidate", subject_id=truth.pk, data=facts)
    return job


def may_ask(actor: Actor) -> bool:
    """Authors and reviewers; a bot, since its token's scope was asked for at the door. Whoever asks for a draft is
    answerable for it, and can never be the one who approves it."""
    if actor.kind == ActorKind.BOT:
        return True
    return actor.may(Permission.EDIT_SKILLS) or actor.may(Permission.DECIDE_REVIEWS)


def work(job: JobRun, progress: Progress) -> Mapping[str, Any]:
    """The handler of jobs of this kind: one attempt, and what came of it."""
    candidate = Candidate.objects.for_page().filter(pk=job.arguments["candidate_id"]).first()
    if candidate is None:
        raise NotFound("There is no such candidate any more.")
    return report(write(candidate, actor=_asker(job), now=timezone.now(), progress=progress))


def report(attempt: DraftAttempt) -> dict[str, Any]:
    """What came of an attempt, for a job's report."""
    decision, version = attempt.decision, attempt.version
    return {
        "attempt_id": str(attempt.pk),
        "capability": attempt.skill.capability.name,
        "status": attempt.status,
        "version": version.number if version else None,
        "verdict": decision.verdict if decision else None,
        "reasons": attempt.reasons,
        "cost_usd": str(attempt.cost_usd),
    }


def sweep(*, now: datetime, dry_run: bool = False, budget_usd: Decimal, progress: Progress | None = None) -> Swept:
    """Draft open candidates, highest savings first, while the budget and the day's number last.

    Each candidate is a line: `drafted`, `refused`, `model_error`, `budget_stopped`; `placeholder`, `resting` and
    `draft_under_way` were passed over; `daily_cap`, `no_budget` and `model_away` wait for another night. A dry run
    writes nothing and says `would_draft`. Nothing with the master switch off.
    """
    swept = Swept()
    if not knobs().enabled:
        return swept
    if not dry_run:
        close_orphans(timezone.now())
    waiting = list(Candidate.objects.open().for_page().by_savings())
    night = _Night(now=now, dry_run=dry_run, left=knobs().auto_draft_daily_cap - started_on(now), budget=budget_usd)
    for number, candidate in enumerate(waiting):
        if progress is not None:
            progress(number, len(waiting), f"Drafting {candidate.capability.name}")
        swept.add(candidate.capability.skill, partial(night.decide, candidate))
        swept.cost_usd = night.cost
    return swept


def write(candidate: Candidate, *, actor: Actor, now: datetime, progress: Progress | None = None) -> DraftAttempt:
    """One attempt to draft a skill for an open candidate; never inside of a transaction, because models are asked.

    1. Claim the one attempt that a skill may have under way, or the one whose worker has gone, with its reply.
    2. Ask the author, and keep the reply before anything is made of it.
    3. Read it, hold it against the gates, and either store it as a draft and ask a reviewer, or keep why not.

    The answer says how it ended: accepted, refused, stopped by the budget, or without an answer of a model; the last
    two count for nothing. Conflict when the candidate is not open any more, says too little, or is being drafted.
    """
    attempt = _claimed(candidate, now=now)
    work = Work(attempt, candidate, actor, progress)
    try:
        with leases.renewing(DraftAttempt, attempt.pk, attempt.lease_owner):
            work.carry_out()
    except BudgetPaused as error:
        work.end(AttemptStatus.BUDGET_STOPPED, [Reason(error.code, error.message)])
    except ModelUnavailable as error:
        work.end(AttemptStatus.MODEL_ERROR, [Reason(error.code, error.message)])
    except DonnaError as error:
        work.end(AttemptStatus.REFUSED, [Reason(error.code, error.message)])
    except JobStopped:
        work.let_go()
        raise
    except Exception as error:
        work.end(AttemptStatus.REFUSED, [Reason("unexpected", f"An unexpected error ({type(error).__name__}).")])
        raise
    except BaseException:
        work.let_go()
        raise
    attempt.refresh_from_db()
    return attempt


def blocker(candidate: Candidate, *, now: datetime, patient: bool = True) -> Reason | None:
    """Why a candidate is not drafted now, or None. A `patient` asker keeps the rest after refusals in a row, as the
    night and bots do; a person who asks need not."""
    if candidate.status != CandidateStatus.NEW:
        return Reason("not_open", f"This candidate is {candidate.get_status_display().lower()} already.")
    capability, skill = candidate.capability, candidate.capability.skill
    if capability.status != CapabilityStatus.ACTIVE:
        return Reason("not_active", "The capability waits for a person's review.")
    if skill.state not in candidates.UNSERVED:
        return Reason("not_open", f"A version of the skill is there already: it is in {skill.state}.")
    ready = rules.ready(capability.description, capability.input_schema, capability.output_schema)
    if not ready.passed:
        return ready.reasons[0]
    if DraftAttempt.objects.filter(skill=skill, status=AttemptStatus.RUNNING, lease_until__gte=timezone.now()).exists():
        return Reason(UNDER_WAY, "A draft of this skill is being written already.")
    rested = rules.rested(_refusals(skill), now=now)
    return rested.reasons[0] if patient and not rested.passed else None


def started_on(day: datetime) -> int:
    """Attempts of the UTC day so far, whoever asked for them."""
    midnight = day.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return DraftAttempt.objects.filter(started_at__gte=midnight, started_at__lte=day).count()


def close_orphans(now: datetime) -> int:
    """End attempts whose worker has gone and whose candidate nobody wants drafted any more; how many."""
    orphans = leases.expired(DraftAttempt, now).filter(status=AttemptStatus.RUNNING)
    why = authoring.as_rows([Reason("not_open", "Its worker went away, and the candidate was closed meanwhile.")])
    return orphans.exclude(candidate__status=CandidateStatus.NEW).update(
        status=AttemptStatus.REFUSED, reasons=why, finished_at=timezone.now(), **leases.RELEASED
    )


@dataclass
class _Night:
    """What is left of the night's allowances while one candidate after the other has its turn."""

    now: datetime
    dry_run: bool
    left: int
    budget: Decimal
    cost: Decimal = Decimal(0)
    silent: int = 0
    stopped: bool = False

    def decide(self, candidate: Candidate) -> Line:
        skill = candidate.capability.skill
        if why_not := self._spent() or blocker(candidate, now=self.now):
            return Line.of(skill, why_not.code, why_not.message, reasons=[why_not.code])
        self.left -= 1
        if self.dry_run:
            return Line.of(skill, "would_draft", f"It would save {candidate.expected_savings_usd:.2f} USD in 30 days.")
        try:
            attempt = write(candidate, actor=ACTOR, now=self.now)
        except Conflict as error:
            if error.code != UNDER_WAY:
                raise
            return Line.of(skill, error.code, error.message, reasons=[error.code])
        self.cost += attempt.cost_usd
        self.silent = self.silent + 1 if attempt.status == AttemptStatus.MODEL_ERROR else 0
        self.stopped = self.stopped or attempt.status == AttemptStatus.BUDGET_STOPPED
        return _line(skill, attempt)

    def _spent(self) -> Reason | None:
        if self.left <= 0:
            return Reason("daily_cap", "The day's number of drafts is used up.")
        if self.stopped or self.budget - self.cost <= 0:
            return Reason("no_budget", "Nothing is left of the budget for model calls.")
        if self.silent >= _STOPS_AFTER:
            return Reason("model_away", "No model answered for the candidates before it.")
        return None


def _line(skill: Skill, attempt: DraftAttempt) -> Line:
    said = " ".join(str(reason["message"]) for reason in attempt.reasons[:3])
    if attempt.version is not None:
        said = f"Version {attempt.version.number} waits for a reviewer. {said}".strip()
    codes = [str(reason["code"]) for reason in attempt.reasons]
    return Line.of(skill, _OUTCOMES[AttemptStatus(attempt.status)], said, reasons=codes)


def _claimed(candidate: Candidate, *, now: datetime) -> DraftAttempt:
    """The attempt, leased to this call. Samples are chosen before the skill's row is locked, and once."""
    owner = leases.new_owner()
    if (abandoned := _abandoned(candidate)) and _take_up(abandoned, owner):
        return _loaded(abandoned.pk)
    close_orphans(timezone.now())
    samples = drafting.samples_of(candidate.capability, now=now)
    with transaction.atomic():
        Skill.objects.select_for_update(of=("self",)).get(capability=candidate.capability_id)
        truth = Candidate.objects.for_page().get(pk=candidate.pk)
        if why_not := blocker(truth, now=now, patient=False):
            raise Conflict(why_not.message, code=why_not.code)
        if not samples:
            raise Conflict("There are no recorded answers of the reference model to learn from.", code="no_samples")
        attempt = DraftAttempt.objects.create(
            candidate=truth,
            skill=truth.capability.skill,
            samples=samples,
            started_at=now,
            lease_owner=owner,
            lease_until=timezone.now() + timedelta(seconds=leases.lease_seconds()),
        )
    return _loaded(attempt.pk)


def _abandoned(candidate: Candidate) -> DraftAttempt | None:
    left = leases.expired(DraftAttempt, timezone.now()).filter(status=AttemptStatus.RUNNING)
    return left.filter(candidate=candidate, candidate__status=CandidateStatus.NEW).first()


def _take_up(attempt: DraftAttempt, owner: str) -> bool:
    """Whoever is faster has it; the other finds it under way."""
    now = timezone.now()
    rows = DraftAttempt.objects.filter(pk=attempt.pk, lease_until__lt=now)
    running = AttemptStatus.RUNNING
    return leases.claim(rows, owner=owner, from_statuses=[running], to_status=running, now=now)


def _loaded(attempt_id: UUID) -> DraftAttempt:
    return DraftAttempt.objects.select_related("skill__capability", "skill__current_version").get(pk=attempt_id)


def _refusals(skill: Skill) -> list[datetime | None]:
    """Of the latest attempts that count, newest first: when each was refused, None where it was accepted."""
    counted = DraftAttempt.objects.filter(skill=skill, status__in=[AttemptStatus.REFUSED, AttemptStatus.ACCEPTED])
    rows = counted.order_by("-id").values_list("status", "finished_at")[: rules.REFUSALS]
    return [at if status == AttemptStatus.REFUSED else None for status, at in rows]


def _asker(job: JobRun) -> Actor:
    """Who asked for the job, as they stood behind it then."""
    token = ApiToken.objects.select_related("owner").filter(pk=job.arguments.get("token_id")).first()
    if job.requested_by is not None:
        return Actor.person(job.requested_by, token=token)
    return Actor.bot(token) if token is not None else Actor.system(job.requested_label or "drafting")
