"""Has a skill lost what it had earned? A pass over all that serve, and the flag that asks a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction

from donna_skills.accounts.actors import Actor
from lifecycle.configuration import Knobs, knobs
from lifecycle.decisions.degradation import degradation_verdict
from lifecycle.decisions.verdict import Verdict
from lifecycle.models import Review, Skill
from lifecycle.services import reviews, transitions, windows
from lifecycle.services.sweeps import Line, Swept
from lifecycle.states import SERVING, Reason, State

ACTOR = Actor.system("degradation sweep")


def sweep(now: datetime, *, dry_run: bool = False) -> Swept:
    """Hold each serving skill against its baseline, paused or not, by the judged comparisons up to `now`.

    1. Some skills at a time: their newest judged comparisons of the current version, and when a person last decided.
    2. Only what came after that decision counts; what is too little is `insufficient_data`.
    3. Flag what slipped. One that fails is a line of its own, and the rest go on.

    Outcomes: flagged, healthy, insufficient_data, error. Nothing with the master switch off; a dry run writes nothing.
    """
    swept, limits = Swept(), knobs()
    if not limits.enabled:
        return swept
    serving = Skill.objects.for_page().filter(state__in=SERVING, current_version__isnull=False).order_by("pk")
    for some in windows.in_chunks(list(serving.values_list("pk", flat=True))):
        skills = list(serving.filter(pk__in=some))
        verdicts = _verdicts(skills, limits, now)
        for skill in skills:
            swept.add(skill, partial(_decide, skill, verdicts[skill.pk], dry_run=dry_run))
    return swept


def verdict(skill: Skill, now: datetime) -> Verdict:
    """What the sweep would find for one skill."""
    return _verdicts([skill], knobs(), now)[skill.pk]


def flag(skill: Skill, found: Verdict, *, actor: Actor, evidence: Mapping[str, Any] | None = None) -> Review:
    """Take a skill out of service and ask a person whether to save or degrade it: both, or neither.

    Raises what `transitions.move` raises, when somebody was faster.
    """
    why = " ".join(reason.message for reason in found.reasons)
    facts = {**found.evidence, **(evidence or {}), "reasons": [reason.code for reason in found.reasons]}
    with transaction.atomic():
        moved = transitions.move(
            skill, State.FLAGGED_FOR_REVIEW, reason=Reason.DEGRADATION, actor=actor, note=why, evidence=facts
        )
        return reviews.open_flag(skill, moved, actor=actor, summary=why, evidence=facts)


def _decide(skill: Skill, found: Verdict, *, dry_run: bool) -> Line:
    facts = found.evidence
    codes = [reason.code for reason in found.reasons]
    if found.passed:
        figures = f"{facts['trials']} of {facts['window']} comparisons"
        return Line.of(skill, facts["status"], figures if facts["status"] == "insufficient_data" else "", reasons=codes)
    if not dry_run:
        flag(skill, found, actor=ACTOR)
    return Line.of(skill, "flagged", " ".join(reason.message for reason in found.reasons), reasons=codes)


def _verdicts(skills: Sequence[Skill], limits: Knobs, now: datetime) -> dict[UUID, Verdict]:
    versions = [skill.current_version_id for skill in skills if skill.current_version_id]
    newest = windows.judged(versions, newest=limits.degradation_rolling_window, until=now)
    decided = windows.last_human_decisions([skill.pk for skill in skills])
    found = {}
    for skill in skills:
        since = decided.get(skill.pk)
        judged = newest.get(skill.current_version_id, []) if skill.current_version_id else []
        # Newest first: if the newest of all reach back beyond the decision, those after it are too few anyway.
        agreements = [one.agreement for one in judged if since is None or one.at > since]
        # A baseline that another version earned is none.
        own = skill.baseline_version_id == skill.current_version_id
        found[skill.pk] = degradation_verdict(
            agreements,
            skill.baseline_success_rate if own else None,
            baseline_mean=skill.baseline_mean if own else None,
            window=limits.degradation_rolling_window,
            threshold=limits.degradation_agreement_threshold,
            confidence=limits.degradation_ci_confidence,
        )
    return found
