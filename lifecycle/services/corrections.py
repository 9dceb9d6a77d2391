"""Corrections: somebody says what one field of an output should have been. A cluster of them flags the skill."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from donna_skills.accounts.actors import Actor
from donna_skills.accounts.roles import Permission
from donna_skills.audit import services as audit
from donna_skills.errors import Conflict, DonnaError, FieldError, Invalid, NotPermitted
from donna_skills.notifications import events
from lifecycle.configuration import knobs
from lifecycle.decisions.degradation import correction_cluster_verdict
from lifecycle.decisions.verdict import Verdict
from lifecycle.models import Correction, CorrectionSource, RunPath, Skill, SkillRun
from lifecycle.services import degradations, windows
from lifecycle.services.sweeps import Line, Swept
from lifecycle.states import SERVING

logger = logging.getLogger(__name__)

ACTOR = Actor.system("correction clusters")
_ABSENT = object()


def may_correct(actor: Actor) -> bool:
    """Whoever may run skills or decide about them, and bots through their scope."""
    return not actor.is_person or actor.may(Permission.RUN_SKILLS) or actor.may(Permission.DECIDE_REVIEWS)


def add(run: SkillRun, *, field: str, corrected: Any, actor: Actor, original: Any = None, note: str = "") -> Correction:
    """Record a correction of one field (a dotted path into the output). Its original is read from the run.

    A correction of an answer that a skill gave is held against the skill at once.
    Conflict for a run without output; Invalid when the field is blank or nothing is corrected.
    """
    if not may_correct(actor):
        raise NotPermitted("Viewers cannot correct runs; ask an administrator for another role.")
    if run.output is None:
        raise Conflict("The run has no output to correct.")
    if not field.strip() or len(field) > 200:
        raise Invalid("Name the field.", errors=[FieldError("field", "a dotted path of 1 to 200 characters")])
    found = _at(run.output, field)
    was = original if found is _ABSENT else found
    if found is not _ABSENT and found == corrected and type(found) is type(corrected):
        raise Invalid("Nothing is corrected.", errors=[FieldError("corrected", "is what the output says already")])
    with transaction.atomic():
        correction = Correction.objects.create(
            run=run,
            field=field,
            original=was,
            corrected=corrected,
            note=note,
            source=CorrectionSource.PAGE if actor.is_person and actor.token is None else CorrectionSource.API,
            by=actor.user if actor.is_person else None,
            token=actor.token,
        )
        facts = {"run_id": str(run.pk), "field": field, "skill_id": str(run.skill_id) if run.skill_id else None}
        audit.record("run.corrected", actor=actor, subject_type="run", subject_id=run.pk, data=facts)
        events.publish("run.corrected", subject_type="run", subject_id=run.pk, payload=facts)
    if run.path == RunPath.SKILL and run.skill_id:
        _scan_quietly(run.skill_id)
    return correction


def scan(skill_id: UUID) -> Line | None:
    """Flag one serving skill if its newest runs carry a cluster of corrections; None where it does not serve.

    Outcomes: flagged, healthy, insufficient_data. Nothing happens with the master switch off.
    """
    skill = _serving().filter(pk=skill_id).first()
    if skill is None or not knobs().enabled:
        return None
    return _decide(skill, _verdicts([skill])[skill.pk], dry_run=False)


def sweep(*, until: datetime | None = None, dry_run: bool = False) -> Swept:
    """Scan every serving skill, paused or not, some at a time, by what was corrected up to `until`; a dry run only
    says what would be."""
    swept = Swept()
    if not knobs().enabled:
        return swept
    for some in windows.in_chunks(list(_serving().values_list("pk", flat=True))):
        skills = list(_serving().filter(pk__in=some))
        verdicts = _verdicts(skills, until=until)
        for skill in skills:
            swept.add(skill, partial(_decide, skill, verdicts[skill.pk], dry_run=dry_run))
    return swept


def _scan_quietly(skill_id: UUID) -> None:
    """The correction is kept whatever comes of this; the night scans again."""
    try:
        scan(skill_id)
    except DonnaError as error:
        logger.info("Corrections were left for later.", extra={"skill_id": str(skill_id), "why": error.message})
    except Exception:
        logger.exception("Corrections could not be scanned.", extra={"skill_id": str(skill_id)})


def _serving() -> QuerySet[Skill]:
    return Skill.objects.for_page().filter(state__in=SERVING, current_version__isnull=False).order_by("pk")


def _decide(skill: Skill, found: tuple[Verdict, list[str]], *, dry_run: bool) -> Line:
    verdict, runs = found
    if verdict.passed:
        return Line.of(skill, verdict.evidence["status"])
    if not dry_run:
        degradations.flag(skill, verdict, actor=ACTOR, evidence={"runs": runs})
    said = f"{verdict.reasons[0].message} Runs: {', '.join(runs)}."
    return Line.of(skill, "flagged", said, reasons=[reason.code for reason in verdict.reasons])


def _verdicts(skills: Sequence[Skill], *, until: datetime | None = None) -> dict[UUID, tuple[Verdict, list[str]]]:
    """The verdict on each skill's current version, and the ids of the corrected runs among its newest.

    Runs are read only of versions that have corrections enough since a person last decided.
    """
    limits = knobs()
    counts = _since_decision(skills, until=until)
    suspects = [
        version for version, runs in counts.items() if sum(runs.values()) >= limits.correction_cluster_threshold
    ]
    window = limits.correction_cluster_window_runs
    newest = windows.served(suspects, newest=window, until=until) if suspects else {}
    found = {}
    for skill in skills:
        version = skill.current_version_id
        assert version is not None
        runs, corrected = newest.get(version, []), counts.get(version, {})
        verdict = correction_cluster_verdict(
            # Of a version that is no suspect no run was read: however many it has, they carry no cluster.
            [corrected.get(run, 0) for run in runs] or [0],
            window=window,
            threshold=limits.correction_cluster_threshold,
        )
        found[skill.pk] = verdict, [str(run) for run in runs if run in corrected]
    return found


def _since_decision(skills: Sequence[Skill], *, until: datetime | None) -> dict[UUID, dict[UUID, int]]:
    """By version and run: how many corrections were made since a person last moved the skill."""
    by_version = {skill.current_version_id: skill.pk for skill in skills if skill.current_version_id}
    made = Q(at__lte=until) if until else Q()
    decided: dict[UUID, datetime] = windows.last_human_decisions(list(by_version.values()))
    rows = (
        Correction.objects.filter(made, run__version_id__in=list(by_version), run__path=RunPath.SKILL)
        .order_by()
        .values_list("run__version_id", "run_id", "at")
    )
    counts: dict[UUID, dict[UUID, int]] = {}
    for version, run_id, at in rows.iterator():
        since = decided.get(by_version[version])
        if since is None or at > since:
            runs = counts.setdefault(version, {})
            runs[run_id] = runs.get(run_id, 0) + 1
    return counts


def _at(output: Any, path: str) -> Any:
    """The value at a dotted path with list indexes, or _ABSENT."""
    for part in path.split("."):
        if isinstance(output, dict) and part in output:
            output = output[part]
        elif isinstance(output, list) and part.isdigit() and int(part) < len(output):
            output = output[int(part)]
        else:
            return _ABSENT
    return output
