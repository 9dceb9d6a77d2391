"""What the home page reads: a constant number of queries, whatever there is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from django.db.models import Count, Min, Q

from donna_skills.accounts.models import User
from donna_skills.jobs.models import JobRun
from lifecycle import health
from lifecycle.models import (
    OPEN_STATUSES,
    GateVerdict,
    Review,
    ReviewKind,
    RunPath,
    RunStatus,
    Skill,
    SkillRun,
    StateTransition,
)
from lifecycle.review_queue import Wanted, rows
from lifecycle.selectors import BESIDE, Rate
from lifecycle.services import nightly
from lifecycle.states import SERVING, State

LATELY = 8
"""Moves that the page tells of."""
MOST_WATCHED = 200
"""Skills whose comparisons the page looks at, the ones that came into their state last."""
MOST_NAMED = 6
TROUBLED = (State.FLAGGED_FOR_REVIEW, State.DEGRADED)
LAST_NIGHT = timedelta(hours=30)


@dataclass(frozen=True)
class Waiting:
    """Questions of one kind that wait for a decision."""

    kind: ReviewKind
    count: int
    oldest: datetime


@dataclass(frozen=True)
class Questions:
    """`next_id` is the review that this person would look at first; None where none is free."""

    waiting: list[Waiting]
    to_fix: int
    next_id: UUID | None

    @property
    def count(self) -> int:
        return sum(one.count for one in self.waiting)


@dataclass(frozen=True)
class Concern:
    """A skill that is not as it should be. `agreement` is there where its comparisons go down."""

    skill: Skill
    agreement: health.Agreement | None


@dataclass(frozen=True)
class Live:
    """How the skills do. `named` are the first of `concerns`; `steady` and `unknown` count the others that serve."""

    counts: Mapping[State, int]
    named: list[Concern]
    concerns: int
    steady: int
    unknown: int
    unwatched: int


@dataclass(frozen=True)
class Night:
    """The newest night's work. `counts` are found candidates, drafts, flags and the like; None while it runs."""

    job: JobRun
    is_recent: bool
    candidates: int
    drafts: int
    evolved: int
    flags: int
    promoted: int
    errors: int
    failed: int
    cost_usd: Decimal
    seconds: float


def questions(user: User, now: datetime) -> Questions:
    """What waits for people, the kinds in the order of the model; two queries."""
    blocked = Q(verdict=GateVerdict.BLOCK)
    found = {
        row["kind"]: row
        for row in Review.objects.waiting(now)
        .order_by()
        .values("kind")
        .annotate(
            count=Count("pk", filter=~blocked),
            to_fix=Count("pk", filter=blocked),
            oldest=Min("opened_at", filter=~blocked),
        )
    }
    waiting = [
        Waiting(kind, found[kind]["count"], found[kind]["oldest"])
        for kind in ReviewKind
        if kind in found and found[kind]["count"]
    ]
    free = rows(Wanted(), user=user, now=now).filter(
        Q(claimed_until__isnull=True) | Q(claimed_until__lte=now) | Q(claimed_by=user)
    )
    return Questions(
        waiting=waiting,
        to_fix=sum(row["to_fix"] for row in found.values()),
        next_id=free.values_list("pk", flat=True).first(),
    )


def live() -> Live:
    """Skills that serve or have stopped serving; four queries.

    A concern: flagged, degraded, paused, or its newest window of comparisons clearly below the one before.
    """
    counts = {
        State(state): number for state, number in Skill.objects.order_by().values_list("state").annotate(Count("pk"))
    }
    watched = list(
        Skill.objects.for_page().filter(state__in=[*SERVING, *TROUBLED]).order_by("-state_entered_at")[:MOST_WATCHED]
    )
    found = health.agreements([skill for skill in watched if skill.serves])
    concerns, steady = [], 0
    for skill in watched:
        agreement = found.get(skill.pk)
        slipping = agreement is not None and agreement.trend.direction == "down"
        if slipping or not skill.serves:
            concerns.append(Concern(skill, agreement if slipping else None))
        elif agreement is not None and agreement.trend.direction == "steady":
            steady += 1
    rank = {State.FLAGGED_FOR_REVIEW: 0, State.DEGRADED: 2}
    concerns.sort(key=lambda one: (rank.get(State(one.skill.state), 1), one.skill.capability.name))
    total = sum(counts.get(state, 0) for state in (*SERVING, *TROUBLED))
    return Live(
        counts=counts,
        named=concerns[:MOST_NAMED],
        concerns=len(concerns),
        steady=steady,
        unknown=len(watched) - len(concerns) - steady,
        unwatched=total - len(watched),
    )


def runs_today(now: datetime) -> Rate:
    """How many requests of today (UTC) were answered, by whomever. One query, on the index by time."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    found = (
        SkillRun.objects.filter(created_at__gte=midnight)
        .exclude(path__in=[*BESIDE, RunPath.SANDBOX])
        .exclude(status__in=OPEN_STATUSES)
        .aggregate(n=Count("id"), ok=Count("id", filter=Q(status=RunStatus.SUCCEEDED)))
    )
    return Rate.of(found["ok"], found["n"])


def last_night(now: datetime) -> Night | None:
    """The newest night's work that changed anything, in figures; rehearsals are none. One query."""
    nights = JobRun.objects.filter(kind=nightly.KIND, arguments__dry_run=False)
    job = nights.order_by("-created_at", "-id").first()
    if job is None:
        return None
    report = job.report if isinstance(job.report, dict) else {}
    steps = {str(step.get("step")): step for step in report.get("steps", []) if isinstance(step, dict)}

    def counted(step: str, outcome: str) -> int:
        found = steps.get(step, {}).get("counts", {}).get(outcome, 0)
        return found if isinstance(found, int) else 0

    return Night(
        job=job,
        is_recent=now - (job.finished_at or job.created_at) < LAST_NIGHT,
        candidates=counted("detect", "found"),
        drafts=counted("draft", "drafted"),
        evolved=counted("evolve", "accepted"),
        flags=counted("degradation", "flagged") + counted("corrections", "flagged"),
        promoted=counted("promotions", "promoted"),
        errors=sum(counted(step, "error") for step in steps),
        failed=sum(step.get("status") == "failed" for step in steps.values()),
        cost_usd=_money(report.get("cost_usd")),
        seconds=float(report.get("seconds") or 0),
    )


def lately() -> list[StateTransition]:
    """The newest moves of any skill, newest first."""
    moves = StateTransition.objects.select_related("skill__capability", "version", "person")
    return list(moves.defer("evidence").order_by("-id")[:LATELY])


def _money(written: Any) -> Decimal:
    try:
        return Decimal(str(written or 0))
    except InvalidOperation:
        return Decimal(0)
