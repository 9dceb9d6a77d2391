"""What the pages of capabilities read: a constant number of queries each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery

from lifecycle import selectors
from lifecycle.models import (
    OPEN_STATUSES,
    Candidate,
    Capability,
    Review,
    RunPath,
    RunStatus,
    SkillRun,
)
from lifecycle.selectors import BESIDE, Rate
from lifecycle.services.candidates import WINDOW


@dataclass(frozen=True)
class CapabilityPage:
    """One capability: how requests for it went in 30 days, what waits about it, and its newest runs."""

    capability: Capability
    answered: Rate
    by_skill: int
    by_reference: int
    candidate: Candidate | None
    questions: list[Review]
    runs: list[SkillRun]
    days: int = WINDOW.days


def capability_list(*, status: str = "", text: str = "") -> QuerySet[Capability]:
    """By name, each with its skill and `last_run_at`."""
    newest = SkillRun.objects.filter(capability=OuterRef("pk")).order_by("-id").values("created_at")[:1]
    found = Capability.objects.select_related("skill__current_version").annotate(last_run_at=Subquery(newest))
    if status:
        found = found.filter(status=status)
    if text:
        found = found.filter(Q(name__icontains=text) | Q(description__icontains=text))
    return found.order_by("name")


def capability_page(capability: Capability, *, now: datetime) -> CapabilityPage:
    """Four queries."""
    requests = SkillRun.objects.filter(capability=capability, created_at__gt=now - WINDOW)
    counts = (
        requests.exclude(path__in=[*BESIDE, RunPath.SANDBOX])
        .exclude(status__in=OPEN_STATUSES)
        .aggregate(
            n=Count("pk"),
            ok=Count("pk", filter=Q(status=RunStatus.SUCCEEDED)),
            by_skill=Count("pk", filter=Q(path=RunPath.SKILL, status=RunStatus.SUCCEEDED)),
            by_reference=Count("pk", filter=Q(path=RunPath.NATIVE, status=RunStatus.SUCCEEDED)),
        )
    )
    return CapabilityPage(
        capability=capability,
        answered=Rate.of(counts["ok"], counts["n"]),
        by_skill=counts["by_skill"],
        by_reference=counts["by_reference"],
        candidate=Candidate.objects.open().filter(capability=capability).first(),
        questions=list(Review.objects.open().filter(capability=capability)[:20]),
        runs=selectors.recent_runs(capability=capability),
    )
