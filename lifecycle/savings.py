"""What skills were expected to save, and what they did: read from runs and candidates, the same 30 days for both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.cache import cache
from django.db.models import BigIntegerField, Count, F, Q, Sum, Value
from django.db.models.functions import Cast, Round

from donna_skills.llm import selectors as money
from donna_skills.llm.port import Purpose
from lifecycle.models import OPEN_STATUSES, Candidate, CandidateStatus, RunPath, RunStatus, Skill, SkillRun
from lifecycle.services.candidates import WINDOW

LEARNING = (Purpose.SHADOW, Purpose.JUDGE, Purpose.DRAFT, Purpose.EVOLUTION, Purpose.VALIDATION)
"""What is spent so that skills can be trusted; savings have to be more than this."""
NET, NET_KEPT_S = "lifecycle.savings.net", 300
_MICROS = 1_000_000


@dataclass(frozen=True)
class Saving:
    """One skill. `reference_usd` is what one answer of the reference model costs: the mean over `reference_n` answers
    to the same capability in the same days, or, where there were none, the mean that its candidate was found with
    (`reference_n` is 0 then). `realised_usd` is None where nobody knows what the reference would have cost."""

    skill: Skill
    expected_usd: Decimal | None
    answers: int
    spent_usd: Decimal
    reference_usd: Decimal | None
    reference_n: int

    @property
    def realised_usd(self) -> Decimal | None:
        """The reference's price of the answers that the skill gave, less what all of its attempts cost."""
        if self.reference_usd is None:
            return None
        return self.answers * self.reference_usd - self.spent_usd


@dataclass(frozen=True)
class Savings:
    """All skills that answered or were expected to. `learning_usd` is what comparisons, judging, drafting, evolution
    and validation cost meanwhile."""

    lines: list[Saving]
    learning_usd: Decimal
    days: int

    @property
    def expected_usd(self) -> Decimal | None:
        return _total(line.expected_usd for line in self.lines)

    @property
    def realised_usd(self) -> Decimal | None:
        return _total(line.realised_usd for line in self.lines)

    @property
    def net_usd(self) -> Decimal | None:
        return None if self.realised_usd is None else self.realised_usd - self.learning_usd

    @property
    def unknown(self) -> int:
        return sum(line.realised_usd is None for line in self.lines)


def of_skills(now: datetime) -> Savings:
    """The last 30 days; four queries, whatever the number of skills."""
    since = now - WINDOW
    runs, candidates = _runs(since, now), _candidates()
    served = {capability_id for capability_id, row in runs.items() if row["attempts"]}
    found = Skill.objects.for_page().filter(capability__in=served | candidates.keys())
    lines = [_line(skill, runs.get(skill.capability_id, {}), candidates.get(skill.capability_id)) for skill in found]
    lines.sort(key=lambda line: (-(line.realised_usd or Decimal(0)), line.skill.capability.name))
    return Savings(lines=lines, learning_usd=money.spent_on(LEARNING, since=since), days=WINDOW.days)


def net_lately(now: datetime) -> Decimal | None:
    """What is left of all savings after learning, at most five minutes old: it reads a month of runs, and whoever
    opens the home page should not wait for that each time. None where nothing is known."""
    found: tuple[Decimal | None] | None = cache.get(NET)
    if found is None:
        found = (of_skills(now).net_usd,)
        cache.set(NET, found, NET_KEPT_S)
    return found[0]


def _line(skill: Skill, row: Mapping[str, Any], candidate: Candidate | None) -> Saving:
    reference_n = row.get("reference_n", 0)
    mean = candidate.mean_cost_usd if candidate else None
    if reference_n:
        mean = _usd(row["reference_micros"]) / reference_n
    return Saving(
        skill=skill,
        expected_usd=candidate.expected_savings_usd if candidate else None,
        answers=row.get("answers", 0),
        spent_usd=_usd(row.get("skill_micros")),
        reference_usd=mean,
        reference_n=reference_n,
    )


def _runs(since: datetime, now: datetime) -> dict[UUID, dict[str, Any]]:
    """By capability: answers that a skill gave and what its attempts cost, the failed ones too, and the reference's
    answers, given or for comparison. Money is added as whole millionths, because SQLite adds decimals as floats."""
    micros = Cast(Round(F("cost_usd") * Value(_MICROS)), BigIntegerField())
    by_skill = Q(path=RunPath.SKILL)
    by_reference = Q(path__in=[RunPath.NATIVE, RunPath.SHADOW], status=RunStatus.SUCCEEDED)
    rows = (
        SkillRun.objects.filter(by_skill | by_reference, created_at__gt=since, created_at__lte=now)
        .exclude(status__in=OPEN_STATUSES)
        .order_by()
        .values("capability_id")
        .annotate(
            attempts=Count("pk", filter=by_skill),
            answers=Count("pk", filter=by_skill & Q(status=RunStatus.SUCCEEDED)),
            skill_micros=Sum(micros, filter=by_skill),
            reference_n=Count("pk", filter=by_reference),
            reference_micros=Sum(micros, filter=by_reference),
        )
    )
    return {row["capability_id"]: dict(row) for row in rows}


def _candidates() -> dict[UUID, Candidate]:
    """By capability, the finding that its skill was drafted from: the newest, where there were several."""
    drafted = Candidate.objects.filter(status=CandidateStatus.DRAFTED).order_by("pk")
    return {candidate.capability_id: candidate for candidate in drafted}


def _total(amounts: Iterable[Decimal | None]) -> Decimal | None:
    """The sum of what is known; None, and not nothing, where nothing is."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if known else None


def _usd(micros: int | None) -> Decimal:
    return Decimal(int(micros or 0)) / _MICROS
