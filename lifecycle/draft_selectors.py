"""What pages and routes read about drafts: how far a candidate's drafting is, and which skills are in draft."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, Prefetch, QuerySet, Subquery

from donna_skills.jobs.models import JobRun
from lifecycle.decisions import drafting as rules
from lifecycle.models import (
    AttemptStatus,
    Candidate,
    DraftAttempt,
    GateDecision,
    Review,
    ReviewKind,
    Skill,
)
from lifecycle.services.drafts import KIND
from lifecycle.states import State

_ABOUT_A_DRAFT = (ReviewKind.DRAFT, ReviewKind.EVOLUTION)


@dataclass(frozen=True)
class Drafting:
    """What is under way for a candidate and what came of it last; `missing` is why it says too little to be drafted."""

    job: JobRun | None
    attempt: DraftAttempt | None
    missing: str = ""

    @property
    def under_way(self) -> bool:
        return self.job is not None and self.job.is_open

    @property
    def failed(self) -> bool:
        """The job ended without an attempt to show for it."""
        return self.job is not None and not self.job.is_open and bool(self.job.error)


def of_candidates(candidates: Sequence[Candidate]) -> dict[UUID, Drafting]:
    """For the candidates of one page, with two queries."""
    ids = [candidate.pk for candidate in candidates]
    jobs = JobRun.objects.filter(kind=KIND, subject_id__in=[str(pk) for pk in ids]).order_by("created_at", "id")
    newest = {job.subject_id: job for job in jobs.defer("report")}
    attempts = DraftAttempt.objects.filter(candidate__in=ids).exclude(status=AttemptStatus.RUNNING).order_by("id")
    told = attempts.select_related("version", "decision").defer("reply", "files", "samples", "decision__evidence")
    last = {attempt.candidate_id: attempt for attempt in told}
    return {
        candidate.pk: Drafting(newest.get(str(candidate.pk)), last.get(candidate.pk), _missing(candidate))
        for candidate in candidates
    }


def of_candidate(candidate: Candidate) -> Drafting:
    return of_candidates([candidate])[candidate.pk]


def in_draft() -> QuerySet[Skill]:
    """Skills in draft with what `draft_of` reads, whatever their number in four queries."""
    newest = GateDecision.objects.filter(skill=OuterRef("pk"), digest=OuterRef("current_version__digest"))
    accepted = DraftAttempt.objects.defer("reply", "files", "samples").select_related("candidate")
    asked = Review.objects.open().filter(kind__in=_ABOUT_A_DRAFT).defer("evidence")
    return (
        Skill.objects.for_page()
        .filter(state=State.DRAFT, current_version__isnull=False)
        .select_related("current_version__author")
        .annotate(
            verdict=Subquery(newest.values("verdict")[:1]),
            decision_id=Subquery(newest.values("pk")[:1]),
            gates=Subquery(newest.values("gates")[:1]),
        )
        .prefetch_related(
            Prefetch("current_version__drafted_in", queryset=accepted),
            Prefetch("reviews", queryset=asked, to_attr="asked"),
        )
    )


def draft_of(skill: Any) -> dict[str, Any]:
    """One skill of `in_draft`: its version, where it came from, what the gates say, and what it waits for."""
    version = skill.current_version
    attempt = next(iter(version.drafted_in.all()), None)
    review = next((review for review in skill.asked if review.version_id == version.pk), None)
    stage, why = _stage(skill.verdict, review)
    return {
        "skill_id": skill.pk,
        "capability": skill.capability.name,
        "version": version.number,
        "version_digest": version.digest,
        "author_kind": version.author_kind,
        "author": str(version.author) if version.author else None,
        "created_at": version.created_at,
        "candidate": _source(attempt.candidate) if attempt else None,
        "verdict": skill.verdict,
        "gate_decision_id": skill.decision_id,
        "reasons": [reason for gate in skill.gates or [] for reason in gate["reasons"]],
        "stage": stage,
        "review_id": review.pk if review else None,
        "review_needed": review is not None,
        "why": why,
    }


def _source(candidate: Candidate) -> dict[str, Any]:
    return {
        "id": candidate.pk,
        "expected_savings_usd": candidate.expected_savings_usd,
        "volume": candidate.volume,
        "mean_cost_usd": candidate.mean_cost_usd,
    }


def _stage(verdict: str | None, review: Review | None) -> tuple[str, str]:
    if verdict == "BLOCK":
        return "blocked", "The gates block this version: it has to be mended before anybody can approve it."
    if review is None:
        return "nothing_asked", "Nobody is asked about this version: it was rejected, or another one is being written."
    if verdict == "PASS":
        return "waiting_for_review", "Every gate passes; a person has to approve it before it runs."
    waiting = "The gates are waiting for more evidence" if verdict == "HOLD" else "No gate has looked at it yet"
    return "waiting_for_review", f"{waiting}; a person has to approve it before it runs."


def _missing(candidate: Candidate) -> str:
    capability = candidate.capability
    ready = rules.ready(capability.description, capability.input_schema, capability.output_schema)
    return "" if ready.passed else ready.reasons[0].message
