"""What the list of skills and the page of one read: a constant number of queries each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any
from uuid import UUID

from django.db.models import Count, OuterRef, Q, Subquery

from lifecycle import health
from lifecycle.configuration import knobs
from lifecycle.decisions.degradation import flagged_below
from lifecycle.models import (
    OPEN_STATUSES,
    Divergence,
    Fixture,
    FixtureSplit,
    RunPath,
    RunStatus,
    Skill,
    SkillRun,
    SkillVersion,
    StateTransition,
)
from lifecycle.selectors import Rate, WhyNot
from lifecycle.states import SERVING

WEEK = timedelta(days=7)
_ROUNDING = 1e-9
SHOWN = 10
"""Comparisons on the page of a skill; a page of their own has them all."""


@dataclass(frozen=True)
class Row:
    """One line of the list. `succeeded` is of the skill's own runs in a week, unseen ones too."""

    skill: Skill
    succeeded: dict[str, Any]
    agreement: health.Agreement | None
    last_move: StateTransition | None


@dataclass(frozen=True)
class Outlook:
    """What comes next for a skill. `nothing_to_do`: it has earned all there is, and nothing is asked of anybody."""

    why_not: WhyNot | None
    nothing_to_do: bool
    flag: str


def rows(skills: Sequence[Skill], now: datetime) -> list[Row]:
    """The lines of one page of the list; four queries."""
    ids = [skill.pk for skill in skills]
    succeeded, moves, found = _week(ids, now), _last_moves(ids), health.agreements(skills)
    none = asdict(Rate.of(0, 0))
    return [Row(skill, succeeded.get(skill.pk, none), found.get(skill.pk), moves.get(skill.pk)) for skill in skills]


def outlook(skill: Skill, why_not: WhyNot) -> Outlook:
    """Next, in words: what is missing for more trust, and below what it would be flagged."""
    steps = why_not if why_not.next_state else None
    return Outlook(
        why_not=steps,
        nothing_to_do=steps is None and not skill.paused,
        flag=_flag_words(skill) if skill.state in SERVING else "",
    )


def example_inputs(skill: Skill) -> dict[str, Any]:
    """Inputs to call it with: those of an example, or a place for each that its schema asks for. An example that is
    held out of a prompt's sight is none to show around. One query at most."""
    fixture = Fixture.objects.filter(skill=skill).exclude(split=FixtureSplit.HOLDOUT).order_by("name").first()
    if fixture is not None and isinstance(fixture.input, dict):
        return dict(fixture.input)
    return {str(name): "…" for name in skill.capability.input_schema.get("required", ())}


def comparisons(skill: Skill) -> list[Divergence]:
    found = skill.divergences.select_related("version").defer("output", "reference_output")
    return list(found[:SHOWN])


def version_numbers(skill: Skill) -> list[int]:
    """Every version's number, newest first, to choose two from."""
    return list(SkillVersion.objects.filter(skill=skill).order_by("-number").values_list("number", flat=True))


def _flag_words(skill: Skill) -> str:
    """The limits of the rule that `degradations.sweep` flags by, for the baseline of the version in force."""
    limits = knobs()
    if skill.baseline_version_id != skill.current_version_id or skill.baseline_mean is None:
        return "It has earned no baseline yet: until then only people's corrections can flag it."
    window, confidence = limits.degradation_rolling_window, limits.degradation_ci_confidence
    mean = flagged_below(skill.baseline_mean, window=window, confidence=confidence)
    share = flagged_below(skill.baseline_success_rate, window=window, confidence=confidence)
    said = []
    if mean is not None:
        said.append(f"below a mean agreement of {mean:.2f}")
    if share is not None:
        said.append(f"with fewer than {ceil(share * window - _ROUNDING)} agreeing")
    if not said:
        return f"No {window} comparisons could flag it: its baseline is {skill.baseline_mean:.2f}."
    earned = f"its baseline is {skill.baseline_mean:.2f}, n {skill.baseline_n}"
    return f"Would be flagged {' or '.join(said)} in its newest {window} comparisons ({earned})."


def _week(ids: Sequence[UUID], now: datetime) -> dict[UUID, dict[str, Any]]:
    """How the skills' own runs of seven days ended."""
    ended = SkillRun.objects.filter(
        skill__in=ids, created_at__gte=now - WEEK, path__in=[RunPath.SKILL, RunPath.SANDBOX]
    ).exclude(status__in=OPEN_STATUSES)
    counted = (
        ended.order_by()
        .values("skill_id")
        .annotate(n=Count("pk"), ok=Count("pk", filter=Q(status=RunStatus.SUCCEEDED)))
    )
    return {row["skill_id"]: asdict(Rate.of(row["ok"], row["n"])) for row in counted}


def _last_moves(ids: Sequence[UUID]) -> dict[UUID, StateTransition]:
    newest = StateTransition.objects.filter(skill=OuterRef("pk")).order_by("-pk").values("pk")[:1]
    wanted = Skill.objects.filter(pk__in=ids).order_by().annotate(newest=Subquery(newest)).values("newest")
    moves = StateTransition.objects.filter(pk__in=wanted).select_related("person").defer("evidence")
    return {move.skill_id: move for move in moves}
