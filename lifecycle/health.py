"""How the newest comparisons of skills look: for a word on the home page and a small line in the list. Two queries,
whatever the number of skills and of comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, Q, Subquery

from lifecycle.configuration import knobs
from lifecycle.decisions.statistics import exact_mean
from lifecycle.decisions.trend import Trend, trend
from lifecycle.models import Divergence, Skill

POINTS = 10
"""Of the small line; each is the mean of as many comparisons as the others."""


@dataclass(frozen=True)
class Agreement:
    """Of the version in force. `points` are means of as many comparisons each, oldest first; `each` says how many."""

    trend: Trend
    points: tuple[float, ...]
    each: int

    @property
    def rate(self) -> dict[str, Any]:
        """The newest window, as pages show a rate."""
        found = self.trend
        return {"value": found.mean, "n": found.n, "lower": found.lower, "upper": found.upper}

    @property
    def in_words(self) -> str:
        """What the small line says, for those who do not see it."""
        values = ", ".join(f"{point:.2f}" for point in self.points)
        return f"Mean agreement, {self.each} comparisons a point, oldest first: {values}"


def agreements(skills: Sequence[Skill]) -> dict[UUID, Agreement]:
    """By skill, for those whose version in force has been compared: two windows of the flag's rule, the newest ones."""
    limits = knobs()
    window = limits.degradation_rolling_window
    newest = _newest(skills, 2 * window)
    return {
        skill.pk: Agreement(
            trend(found, window=window, confidence=limits.degradation_ci_confidence), *_points(found, 2 * window)
        )
        for skill in skills
        if (found := newest.get(skill.current_version_id))
    }


def _newest(skills: Sequence[Skill], number: int) -> dict[UUID | None, list[float]]:
    """The newest judged agreements by version, newest first: where each version's last ones begin, then those rows."""
    judged = Divergence.objects.judged().filter(version=OuterRef("current_version")).order_by("-pk").values("pk")
    since = Skill.objects.filter(pk__in=[skill.pk for skill in skills], current_version__isnull=False)
    starts = since.order_by().annotate(since=Subquery(judged[number - 1 : number]))
    reach = Q(pk__in=[])
    for version, first in starts.values_list("current_version_id", "since"):
        reach |= Q(version_id=version, pk__gte=first) if first else Q(version_id=version)
    rows = Divergence.objects.judged().filter(reach).order_by().values_list("pk", "version_id", "agreement")
    found: dict[UUID | None, list[float]] = {}
    for _, version_id, agreement in sorted(rows, key=lambda row: row[0], reverse=True):
        found.setdefault(version_id, []).append(agreement or 0.0)
    return {version: newest[:number] for version, newest in found.items()}


def _points(newest_first: Sequence[float], number: int) -> tuple[tuple[float, ...], int]:
    """Whole groups counted back from the newest; with few comparisons each is a point of its own."""
    each = max(1, min(number // POINTS, len(newest_first) // 2))
    groups = [newest_first[at : at + each] for at in range(0, len(newest_first) - each + 1, each)][:POINTS]
    return tuple(float(exact_mean(group)) for group in reversed(groups)), each
