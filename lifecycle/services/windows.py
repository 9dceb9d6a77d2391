"""The newest evidence of versions, for one or for many at once: a query or two whatever the number."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from django.db.models import Count, F, Max, Model, Q, QuerySet, Window
from django.db.models.functions import RowNumber

from donna_skills.accounts.actors import ActorKind
from lifecycle.models import OPEN_STATUSES, Divergence, RunPath, RunStatus, SkillRun, StateTransition

Item = TypeVar("Item")
Row = TypeVar("Row", bound=Model)

CHUNK = 200
"""Versions read at a time, so that memory and statements stay small whatever the number of skills."""

_NO_RESULT = (*OPEN_STATUSES, RunStatus.CANCELLED, RunStatus.INTERRUPTED)
"""Runs that say nothing about a version: not over, called off, or lost with their process."""


class Judged(NamedTuple):
    """One judged comparison."""

    agreement: float
    run_id: UUID
    at: datetime


class Unseen(NamedTuple):
    """One finished run beside the reference."""

    valid: bool
    at: datetime | None


def judged(versions: Collection[UUID], *, newest: int, until: datetime | None = None) -> dict[UUID, list[Judged]]:
    """The newest judged divergences of each version, newest first; nothing for a version without any."""
    found = Divergence.objects.judged().filter(version_id__in=versions)
    if until:
        found = found.filter(at__lte=until)
    rows = _newest(found, len(versions), newest).values_list("version_id", "agreement", "run_id", "at")
    return _grouped(
        # The database keeps a judged divergence from having no agreement.
        (version, Judged(agreement or 0.0, run_id, at))
        for version, agreement, run_id, at in rows.iterator()
    )


def unseen(versions: Collection[UUID], *, newest: int, until: datetime | None = None) -> dict[UUID, list[Unseen]]:
    """The newest finished sandbox runs of each version, newest first.

    Valid: succeeded and not degraded. An output that does not match the schema is no success in the first place.
    """
    found = SkillRun.objects.filter(version_id__in=versions, path=RunPath.SANDBOX).exclude(status__in=_NO_RESULT)
    if until:
        found = found.filter(finished_at__lte=until)
    rows = _newest(found, len(versions), newest).values_list("version_id", "status", "degraded", "finished_at")
    return _grouped(
        (version, Unseen(status == RunStatus.SUCCEEDED and not degraded, at))
        for version, status, degraded, at in rows.iterator()
    )


def served(versions: Collection[UUID], *, newest: int, until: datetime | None = None) -> dict[UUID, list[UUID]]:
    """The ids of the newest finished runs in which each version answered a caller, newest first."""
    found = SkillRun.objects.filter(version_id__in=versions, path=RunPath.SKILL).exclude(status__in=_NO_RESULT)
    if until:
        found = found.filter(finished_at__lte=until)
    rows = _newest(found, len(versions), newest).values_list("version_id", "pk")
    return _grouped(rows.iterator())


def failures(since: Mapping[UUID, UUID], *, until: datetime | None = None) -> dict[UUID, tuple[int, int]]:
    """(failed, all) of the finished runs of each version, unseen ones too, from the run that `since` names for it on.

    Failed is whatever did not succeed: an escalation left its caller without the skill's answer too.
    """
    found: dict[UUID, tuple[int, int]] = dict.fromkeys(since, (0, 0))
    ended = Q(finished_at__lte=until) if until else Q()
    for some in in_chunks(list(since.items())):
        reach = Q(pk__in=[])
        for version, run_id in some:
            reach |= Q(version_id=version, pk__gte=run_id)
        rows = (
            SkillRun.objects.filter(reach, ended, path__in=[RunPath.SKILL, RunPath.SANDBOX])
            .exclude(status__in=_NO_RESULT)
            .order_by()
            .values("version_id")
            .annotate(total=Count("pk"), failed=Count("pk", filter=~Q(status=RunStatus.SUCCEEDED)))
        )
        found |= {row["version_id"]: (row["failed"], row["total"]) for row in rows}
    return found


def last_human_decisions(skills: Collection[UUID]) -> dict[UUID, datetime]:
    """When a person last moved each skill; nothing for a skill that no person has moved."""
    rows = StateTransition.objects.filter(skill_id__in=skills, actor_kind=ActorKind.PERSON).order_by()
    return dict(rows.values_list("skill_id").annotate(Max("at")))


def in_chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """The items, CHUNK at a time."""
    return (items[start : start + CHUNK] for start in range(0, len(items), CHUNK))


def _newest(rows: QuerySet[Row, Row], versions: int, newest: int) -> QuerySet[Row, Row]:
    """The newest rows of each version, newest first. One version's are simply the end of an index."""
    if versions == 1:
        return rows.order_by("-pk")[:newest]
    numbered = rows.annotate(place=Window(RowNumber(), partition_by=F("version_id"), order_by=F("pk").desc()))
    chosen: QuerySet[Any] = numbered.filter(place__lte=newest).order_by("version_id", "place")
    return chosen


def _grouped(pairs: Iterable[tuple[UUID, Item]]) -> dict[UUID, list[Item]]:
    found: defaultdict[UUID, list[Item]] = defaultdict(list)
    for version, item in pairs:
        found[version].append(item)
    return dict(found)
