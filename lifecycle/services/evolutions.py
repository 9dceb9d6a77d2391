"""Evolution: better versions of skills, written by a model from the cases in which the present ones went wrong.

    at night, degraded skills, oldest first ─┐
    a person or a bot asks (`improve`) ──────┴─> attempt ──> accepted: a version and a question to a person
                                                        └──> refused: kept, fed to the next; twice in a row: given up

An attempt that its worker left is taken up by whoever comes next, or by the duty `redeliver`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count, OuterRef, Subquery
from django.utils import timezone

from donna_skills.accounts.actors import Actor, ActorKind
from donna_skills.accounts.models import ApiToken
from donna_skills.accounts.roles import Permission
from donna_skills.audit import services as audit
from donna_skills.errors import BudgetPaused, Conflict, DonnaError, ModelUnavailable, NotPermitted
from donna_skills.jobs import leases
from donna_skills.jobs import services as jobs
from donna_skills.jobs.models import JobRun
from donna_skills.jobs.progress import JobStopped
from donna_skills.notifications import events
from donna_skills.notifications.models import Level
from lifecycle.configuration import Knobs, knobs
from lifecycle.decisions import evolution
from lifecycle.models import AttemptStatus, Divergence, Evolution, Skill, StateTransition
from lifecycle.services import evolutionwork, givingup, material, refusals
from lifecycle.services.evolutionwork import ACTOR, End
from lifecycle.services.sweeps import Line, Swept
from lifecycle.services.validation import Progress
from lifecycle.states import State

KIND = "lifecycle.evolve"
PATIENCE = 3
"""Nights with too few cases until a person is told."""
_MAY_IMPROVE = (Permission.EDIT_SKILLS, Permission.OPERATE_AUTOMATIONS, Permission.DECIDE_REVIEWS)
_HANDED_AT_MOST = 50
_SILENT_AT_MOST = 2
"""Skills in a row for which no model answered: the others would fare no better tonight."""


def attempt(
    skill: Skill, *, actor: Actor, now: datetime, progress: Progress | None = None, waived: Collection[str] = ()
) -> Evolution:
    """Make one attempt for the skill's current version, whatever its state, and return its row, settled.

    1. Claim: a new row, or one whose worker has gone. Conflict when somebody is on it, or without a version.
    2. Gather the cases and ask, unless the reply is there already; keep it before anything else is done.
    3. Run the gates, stopping at the first that blocks.
    4. Settle: an accepted version waits for a person (a degraded skill moves to draft with it, any other goes on as it
       is); a refused one counts; what the budget stops or no model answers does not.

    `actor` asked: the system for a degraded skill at night, else a person or a bot, whose attempts do not count.
    `waived` names fixtures that a reviewer lets fail. Never inside of a transaction: models are asked.
    """
    row = evolutionwork.claim(skill, actor=actor, now=now, waived=waived)
    with leases.renewing(Evolution, row.pk, row.lease_owner):
        try:
            end = evolutionwork.carry_out(row, now=now, progress=progress)
        except BudgetPaused as error:
            end = End(AttemptStatus.BUDGET_STOPPED, ((error.code, error.message),))
        except ModelUnavailable as error:
            end = End(AttemptStatus.MODEL_ERROR, ((error.code, error.message),))
        except Exception as error:
            evolutionwork.settle(row, End(AttemptStatus.MODEL_ERROR, (_said(error),)))
            raise
        evolutionwork.settle(row, end)
    return row


def sweep(*, now: datetime, dry_run: bool = False, budget_usd: Decimal, progress: Progress | None = None) -> Swept:
    """One attempt for each degraded skill, oldest first, while the day's cap and the budget last.

    Outcomes: accepted, refused, budget_stopped, model_error, model_away, evolution_running (somebody else's),
    too_few_cases, budget_short, capped, waits (for a person, after attempts were refused in a row), would_attempt (in a
    dry run, which writes nothing), error. Four queries read what there is, whatever the number of skills; nothing with
    the master switch off.
    """
    limits, night = knobs(), Swept()
    if not limits.enabled:
        return night
    tonight = _Tonight.read(now)
    left = limits.evolution_daily_cap - tonight.begun
    for number, skill in enumerate(tonight.skills, start=1):
        if progress is not None:
            progress(number - 1, len(tonight.skills), f"Evolving {skill.capability.name}")
        before = len(tonight.paid)
        night.add(
            skill,
            partial(_decide, skill, tonight, now=now, left=left, dry_run=dry_run, budget_usd=budget_usd),
        )
        left -= len(tonight.paid) - before
    night.cost_usd = sum(tonight.paid, Decimal(0))
    return night


def improve(skill: Skill, *, actor: Actor, waived: Collection[str] = ()) -> JobRun:
    """Ask for an attempt now, whatever the skill's state: a serving one goes on while its new version waits for a
    person. Authors, operators and reviewers may, and bots; only who decides reviews may waive fixtures, by name.

    One attempt at a time: an open job for the skill is returned instead of a second one.
    """
    with refusals.recorded("skill.improve", actor=actor, subject_type="skill", subject_id=skill.pk):
        if not may_improve(actor):
            raise NotPermitted("Only authors, operators and reviewers may ask for a better version.")
        if waived and not actor.may(Permission.DECIDE_REVIEWS):
            raise NotPermitted("Only a person who may decide reviews can waive fixtures.")
        if skill.current_version is None:
            raise Conflict("There is no version to start from; hand in or draft one first.", code="no_version")
        if not material.judged_count(skill.current_version):
            raise material.NothingToLearn(
                "No comparison of this version with the reference has been judged; run it first."
            )
        known = set(skill.fixtures.filter(name__in=list(waived)).values_list("name", flat=True))
        if unknown := sorted({*waived} - known):
            raise Conflict(f"The skill has no fixture named {unknown[0]!r}.", code="unknown_fixture")
        facts = {"version": skill.current_version.number, "waived": sorted(waived)}
        audit.record("skill.improve_asked", actor=actor, subject_type="skill", subject_id=skill.pk, data=facts)
        return _enqueue(skill, actor=actor, waived=waived)


def may_improve(actor: Actor) -> bool:
    """A bot's scope is asked for at the door."""
    return not actor.is_person or any(map(actor.may, _MAY_IMPROVE))


def work(job: JobRun, progress: Progress) -> dict[str, Any]:
    """The job's handler: one attempt, and what came of it."""
    skill = Skill.objects.for_page().get(pk=job.arguments["skill_id"])
    if resumes := job.arguments.get("resumes"):
        left = Evolution.objects.get(pk=resumes)
        if left.status != AttemptStatus.RUNNING:
            return _report(left)
    waived = job.arguments.get("waived", [])
    row = attempt(skill, actor=_asker(job), now=timezone.now(), progress=progress, waived=waived)
    return _report(row)


def redeliver(now: datetime) -> int:
    """A duty: attempts whose worker has gone are handed to another; how many were."""
    if not knobs().enabled:
        return 0
    dead = leases.expired(Evolution, now).filter(status=AttemptStatus.RUNNING).select_related("skill__capability")
    for row in dead[:_HANDED_AT_MOST]:
        _enqueue(row.skill, actor=ACTOR, resumes=row)
    return min(len(dead), _HANDED_AT_MOST)


@dataclass
class _Tonight:
    """What one pass reads at once, and what it has paid so far."""

    skills: Sequence[Skill]
    cases: Mapping[UUID, int]
    degraded_by: Mapping[UUID, StateTransition]
    refused: Mapping[UUID, int]
    begun: int
    paid: list[Decimal] = field(default_factory=list)
    silent: int = 0

    @classmethod
    def read(cls, now: datetime) -> _Tonight:
        newest = StateTransition.objects.filter(skill=OuterRef("pk"), to_state=State.DEGRADED).order_by("-id")
        found = (
            Skill.objects.for_page()
            .filter(state=State.DEGRADED, current_version__isnull=False, state_entered_at__lte=now)
            .annotate(degraded_by=Subquery(newest.values("pk")[:1]))
            .order_by("state_entered_at", "pk")
        )
        skills = list(found)
        versions = [skill.current_version_id for skill in skills]
        moves = [skill.degraded_by for skill in skills]
        judged = Divergence.objects.judged().filter(version__in=versions, at__lte=now).order_by()
        counted = judged.values_list("version").annotate(Count("pk"))
        attempts = Evolution.objects.filter(degraded_by__in=moves).exclude(status=AttemptStatus.RUNNING)
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        begun = Evolution.objects.filter(started_at__gte=midnight, started_at__lte=now, degraded_by__isnull=False)
        return cls(
            skills=skills,
            cases=dict(counted),
            degraded_by={move.skill_id: move for move in StateTransition.objects.filter(pk__in=moves)},
            refused=Counter(attempts.filter(status=AttemptStatus.REFUSED).values_list("skill_id", flat=True)),
            begun=begun.count(),
        )


def _decide(skill: Skill, tonight: _Tonight, *, now: datetime, left: int, dry_run: bool, budget_usd: Decimal) -> Line:
    limits, spent = knobs(), sum(tonight.paid, Decimal(0))
    degraded_by = tonight.degraded_by.get(skill.pk)
    if tonight.refused.get(skill.pk, 0) >= limits.evolution_max_consecutive_failures and degraded_by:
        return _waits(skill, degraded_by, dry_run=dry_run)
    verdict = evolution.attempt_verdict(
        tonight.cases.get(skill.current_version_id, 0) if skill.current_version_id else 0,
        budget_usd - spent,
        min_cases=limits.evolution_min_divergence_cases,
        estimated_cost=limits.evolution_estimated_cost_usd,
        nights_short=_nights(skill, now, limits),
        patience=PATIENCE,
    )
    if not verdict.passed:
        if verdict.evidence["tell_person"] and not dry_run:
            _tell_of_too_few(skill, verdict.evidence["cases"], degraded_by, limits)
        first = verdict.reasons[0]
        return Line.of(skill, first.code, first.message, reasons=[reason.code for reason in verdict.reasons])
    if left <= 0:
        said = f"{limits.evolution_daily_cap} attempts were begun today already."
        return Line.of(skill, "capped", said, reasons=["daily_cap"])
    if tonight.silent >= _SILENT_AT_MOST:
        said = "No model answered for the skills before it."
        return Line.of(skill, "model_away", said, reasons=["model_away"])
    if dry_run:
        tonight.paid.append(Decimal(0))
        return Line.of(skill, "would_attempt", f"{verdict.evidence['cases']} judged comparisons to learn from.")
    try:
        row = attempt(skill, actor=ACTOR, now=now)
    except DonnaError as error:
        tonight.paid.append(Decimal(0))
        if error.code == evolutionwork.UNDER_WAY:
            return Line.of(skill, error.code, error.message, reasons=[error.code])
        raise
    tonight.paid.append(row.cost_usd)
    tonight.silent = tonight.silent + 1 if row.status == AttemptStatus.MODEL_ERROR else 0
    detail = row.review.summary if row.review else " ".join(reason["message"] for reason in row.reasons[:3])
    return Line.of(skill, row.status, detail, reasons=[reason["code"] for reason in row.reasons])


def _waits(skill: Skill, degraded_by: StateTransition, *, dry_run: bool) -> Line:
    """Refused often enough: what that means is done if it has not been done yet, and said."""
    if dry_run:
        return Line.of(skill, "waits", "Its attempts were refused in a row; nothing more is tried.")
    with transaction.atomic():
        truth = Skill.objects.select_for_update(of=("self",)).select_related("capability").get(pk=skill.pk)
        given_up = givingup.consider(truth, degraded_by, actor=ACTOR)
    said = "Its attempts were refused in a row; a person decides what serves." if given_up else "It is not degraded."
    return Line.of(skill, "waits", said, reasons=["refused_in_a_row"])


def _nights(skill: Skill, now: datetime, limits: Knobs) -> int:
    """How many nights the skill has been degraded, tonight included."""
    hour = timedelta(hours=limits.nightly_run_hour_utc)
    return (now.astimezone(UTC) - hour).toordinal() - (skill.state_entered_at.astimezone(UTC) - hour).toordinal()


def _tell_of_too_few(skill: Skill, cases: int, degraded_by: StateTransition | None, limits: Knobs) -> None:
    """Once for each time that the skill is degraded; out of service it gathers no further cases by itself."""
    name, needed = skill.capability.name, limits.evolution_min_divergence_cases
    facts = {"capability": name, "cases": cases, "needed": needed}
    with transaction.atomic():
        events.publish(
            "evolution.too_few_cases",
            subject_type="skill",
            subject_id=skill.pk,
            payload=facts,
            dedup_key=f"evolution_too_few:{skill.pk}:{degraded_by.pk if degraded_by else ''}",
            notify=events.Notice(
                title=f"{name} is degraded, and there are too few cases to evolve it",
                body=(
                    f"{cases} of {needed} judged comparisons for {PATIENCE} nights. Choose on its page: try with what "
                    "there is, hand in a version, roll back to an earlier one, or leave it to the reference model."
                ),
                url=f"/skills/{name}/",
                level=Level.WARNING,
                permission=Permission.DECIDE_REVIEWS,
            ),
        )


def _enqueue(skill: Skill, *, actor: Actor, waived: Collection[str] = (), resumes: Evolution | None = None) -> JobRun:
    arguments: dict[str, Any] = {"skill_id": str(skill.pk), "waived": sorted(waived)}
    if actor.kind == ActorKind.BOT and actor.token is not None:
        arguments["token"] = str(actor.token.pk)
    if resumes is not None:
        arguments["resumes"] = str(resumes.pk)
    return jobs.enqueue(KIND, by=actor, key=f"skill:{skill.pk}", subject=skill, arguments=arguments)


def _asker(job: JobRun) -> Actor:
    if token := ApiToken.objects.filter(pk=job.arguments.get("token")).first():
        return Actor.bot(token)
    return Actor.person(job.requested_by) if job.requested_by else ACTOR


def _report(row: Evolution) -> dict[str, Any]:
    return {
        "evolution_id": str(row.pk),
        "status": row.status,
        "version": row.to_version.number if row.to_version else None,
        "review_id": str(row.review_id) if row.review_id else None,
        "reasons": row.reasons,
        "cost_usd": str(row.cost_usd),
    }


def _said(error: Exception) -> tuple[str, str]:
    """Why an attempt broke off. A job that was stopped says so; a fault of our own says its kind."""
    if isinstance(error, DonnaError):
        return error.code, error.message
    if isinstance(error, JobStopped):
        return "stopped", "The job was stopped."
    return "unexpected", f"An unexpected error ended it ({type(error).__name__})."
