"""The gates between trust levels: what a skill has to show, what still stands in the way, and the move itself.

Considered after each run beside the reference, after each comparison, and in a sweep over all skills.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Max, OuterRef, QuerySet, Subquery

from donna_skills.accounts.actors import Actor
from donna_skills.errors import DonnaError, StaleState
from lifecycle.configuration import Knobs, knobs
from lifecycle.decisions.promotion import sandbox_verdict, trust_verdict
from lifecycle.decisions.statistics import share, shown
from lifecycle.decisions.verdict import Reason as Unmet
from lifecycle.decisions.verdict import Verdict
from lifecycle.models import GateDecision, GateVerdict, Review, ReviewKind, ReviewState, Skill
from lifecycle.services import baselines, questions, reviews, transitions, windows
from lifecycle.services.sweeps import Line, Swept
from lifecycle.states import STATES, Reason, State

logger = logging.getLogger(__name__)

ACTOR = Actor.system("promotion gates")
NEXT = {State.SANDBOX: State.SHADOW_PRIMARY, State.SHADOW_PRIMARY: State.TRUSTED}


@dataclass(frozen=True)
class Standing:
    """What a skill has to show for its next level of trust, and how far it is in words."""

    to_state: State
    verdict: Verdict
    progress: str
    refused: bool = False
    """A person said no, and some of the evidence that they saw is still in the window."""
    noes: int = 0
    """How often a person has said no to a promotion of this version."""
    asked: bool = False
    """A person is being asked about it."""
    gates: str = ""
    """The newest word of the evidence pipeline about these files; empty where it was never asked."""

    def blocks(self, skill: Skill) -> tuple[Unmet, ...]:
        """What keeps the system from the move, whatever the evidence says; a person's gate asks instead."""
        found = []
        if skill.paused:
            found.append(Unmet("paused", "The skill is paused."))
        if self.refused:
            said = "A reviewer said no; evidence that is all newer has to be gathered."
            found.append(Unmet("promotion_refused", said))
        if self.gates == GateVerdict.BLOCK:
            found.append(Unmet("gate_blocked", "The gates block this version: it has to be mended."))
        if skill.requires_human_gate:
            found.append(Unmet("human_gate_required", "A person has to approve the promotion."))
        elif self.gates == GateVerdict.HOLD:
            found.append(Unmet("gates_on_hold", "The gates have not passed its files, so a person has to approve."))
        if not knobs().enabled:
            found.append(Unmet("disabled", "The master switch in config/skills.yaml is off."))
        return tuple(found)


def consider_quietly(skill_id: UUID) -> None:
    """`consider`, for callers whose own work is done: what goes wrong is logged, and the next run asks again."""
    try:
        consider(skill_id)
    except DonnaError as error:
        logger.info("A promotion was left for later.", extra={"skill_id": str(skill_id), "why": error.message})
    except Exception:
        logger.exception("A promotion could not be considered.", extra={"skill_id": str(skill_id)})


def consider(skill_id: UUID) -> Line | None:
    """Look whether one skill has earned its next state, and move it or ask; None where it is none of the gates'.

    Outcomes: promoted, asked (a person decides), waiting. With the master switch off nothing is considered.
    """
    skill = Skill.objects.for_page().filter(pk=skill_id, state__in=NEXT, current_version__isnull=False).first()
    if skill is None or not knobs().enabled:
        return None
    return decide(skill, standing(skill))


def sweep(*, until: datetime | None = None, dry_run: bool = False) -> Swept:
    """Consider every skill in the sandbox and in shadow_primary, some at a time, by the evidence up to `until`; a dry
    run only says what would be."""
    swept = Swept()
    if not knobs().enabled:
        return swept
    skills = Skill.objects.for_page().filter(state__in=NEXT, current_version__isnull=False).order_by("pk")
    ids = list(skills.values_list("pk", flat=True))
    for some in windows.in_chunks(ids):
        chunk = list(skills.filter(pk__in=some))
        found = standings(chunk, until=until)
        for skill in chunk:
            swept.add(skill, partial(decide, skill, found[skill.pk], dry_run=dry_run))
    return swept


def standing(skill: Skill) -> Standing:
    """What one skill in the sandbox or in shadow_primary has to show; the page says the same as the gate decides."""
    return standings([skill])[skill.pk]


def standings(skills: Sequence[Skill], *, until: datetime | None = None) -> dict[UUID, Standing]:
    """The same for many, by their ids. Evidence of the current version alone, in a handful of queries for all."""
    limits = knobs()
    versions = {s.current_version_id: s for s in skills if s.current_version_id}
    trying = [v for v, s in versions.items() if s.state == State.SANDBOX]
    live = [v for v, s in versions.items() if s.state == State.SHADOW_PRIMARY]
    unseen = windows.unseen(trying, newest=limits.sandbox_promotion_min_runs, until=until) if trying else {}
    judged = windows.judged(live, newest=limits.shadow_primary_promotion_min_runs, until=until) if live else {}
    since = {version: min(one.run_id for one in found) for version, found in judged.items()}
    failures = windows.failures(since, until=until)
    refused, asked, gates = _refused(versions), _asked(skills), _gates(skills)
    found: dict[UUID, Standing] = {}
    for version, skill in versions.items():
        if skill.state == State.SANDBOX:
            one = _of_sandbox(unseen.get(version, []), limits)
        else:
            one = _of_live(judged.get(version, []), failures.get(version, (0, 0)), limits)
        ages = [seen.at for seen in (*unseen.get(version, ()), *judged.get(version, ())) if seen.at]
        when, noes = refused.get(version, (None, 0))
        seen_before = when is not None and (not ages or min(ages) <= when)
        found[skill.pk] = replace(one, refused=seen_before, noes=noes, asked=skill.pk in asked, gates=gates[skill.pk])
    return found


def decide(skill: Skill, found: Standing, *, dry_run: bool = False) -> Line:
    """Do what follows from what a skill has to show: wait, ask, or promote. StaleState when it moved, or somebody said
    no, since it was looked at."""
    blocks = {block.code: block.message for block in found.blocks(skill)}
    ask = blocks.pop("human_gate_required", "") or blocks.pop("gates_on_hold", "")
    if not found.verdict.passed:
        if found.asked and not dry_run:
            _withdraw(skill)
        unmet = found.verdict.reasons
        said = " ".join(reason.message for reason in unmet)
        return Line.of(skill, "waiting", said, reasons=[reason.code for reason in unmet])
    if blocks:
        return Line.of(skill, "waiting", " ".join(blocks.values()), reasons=blocks)
    if ask:
        return Line.of(skill, "asked", ask) if dry_run else _ask(skill, found)
    return Line.of(skill, "promoted", f"It goes to {found.to_state}.") if dry_run else _promote(skill, found)


def _promote(skill: Skill, found: Standing) -> Line:
    """The move and the baseline that it earns, or neither."""
    evidence = _evidence(skill, found)
    with transaction.atomic():
        baseline = baselines.earned(skill.current_version_id) if found.to_state == State.TRUSTED else None
        if baseline:
            evidence["baseline"] = asdict(baseline)
        transitions.move(skill, found.to_state, reason=Reason.GATE_PASSED, actor=ACTOR, evidence=evidence)
        if baseline:
            baselines.store(skill, baseline)
    return Line.of(skill, "promoted", f"It went to {found.to_state}: {found.progress}.")


def _ask(skill: Skill, found: Standing) -> Line:
    """A question to a person, once for each time that the skill stands here and was not refused.

    StaleState when the skill moved or somebody said no since it was looked at: nobody has to answer that any more.
    """
    with transaction.atomic():
        truth = Skill.objects.select_for_update(of=("self",)).get(pk=skill.pk)
        if (truth.state, truth.current_version_id) != (skill.state, skill.current_version_id):
            raise StaleState("The skill has moved or changed its version since it was looked at.")
        came_here = skill.transitions.order_by("-pk").values_list("pk", flat=True).first()
        said_no = _noes().filter(version_id=skill.current_version_id).count()
        if said_no != found.noes:
            raise StaleState("A reviewer has said no since it was looked at.")
        reviews.open_review(
            ReviewKind.PROMOTION,
            capability=skill.capability,
            version=skill.current_version,
            actor=ACTOR,
            summary=f"{skill.capability.name} has earned {STATES[found.to_state].label.lower()}: {found.progress}.",
            evidence=_evidence(skill, found),
            occasion=f"{found.to_state}:{came_here}:{said_no}",
        )
    return Line.of(skill, "asked", f"A person decides about {found.to_state}: {found.progress}.")


def _withdraw(skill: Skill) -> None:
    with transaction.atomic():
        why = "The newest evidence no longer passes the gate."
        questions.withdraw(skill.pk, kinds=[ReviewKind.PROMOTION], why=why, actor=ACTOR)


def _of_sandbox(newest: Sequence[windows.Unseen], limits: Knobs) -> Standing:
    rate = limits.sandbox_promotion_validity_rate
    verdict = sandbox_verdict(
        [one.valid for one in newest], min_runs=limits.sandbox_promotion_min_runs, validity_rate=rate
    )
    facts = verdict.evidence
    progress = f"{facts['n']} of {facts['needed']} finished runs, {facts['valid']} valid, needs a share of {rate}"
    return Standing(State.SHADOW_PRIMARY, verdict, progress)


def _of_live(newest: Sequence[windows.Judged], failures: tuple[int, int], limits: Knobs) -> Standing:
    rate = limits.shadow_primary_promotion_agreement_rate
    verdict = trust_verdict(
        [one.agreement for one in newest],
        *failures,
        min_runs=limits.shadow_primary_promotion_min_runs,
        agreement_rate=rate,
        max_failure_rate=limits.shadow_primary_promotion_max_failure_rate,
    )
    facts = verdict.evidence
    mean = share(facts["mean"])
    words = f", mean {shown(mean)}, needs {rate}" if mean is not None else f", needs a mean of {rate}"
    return Standing(State.TRUSTED, verdict, f"{facts['n']} of {facts['needed']}{words}")


def _refused(versions: Collection[UUID]) -> dict[UUID, tuple[datetime, int]]:
    """When a reviewer last refused to promote each version, and how often."""
    rows = _noes().filter(version_id__in=list(versions)).values_list("version_id")
    return {version: (when, noes) for version, when, noes in rows.annotate(Max("decided_at"), Count("pk"))}


def _gates(skills: Sequence[Skill]) -> dict[UUID, str]:
    """What the evidence pipeline said last about the files that each skill stands on."""
    newest = GateDecision.objects.filter(skill=OuterRef("pk"), digest=OuterRef("current_version__digest"))
    said = Subquery(newest.order_by("-id").values("verdict")[:1])
    rows = Skill.objects.filter(pk__in=[skill.pk for skill in skills]).order_by().annotate(said=said)
    return {pk: verdict or "" for pk, verdict in rows.values_list("pk", "said")}


def _noes() -> QuerySet[Review]:
    noes = Review.objects.filter(kind=ReviewKind.PROMOTION, state=ReviewState.REJECTED, decided_at__isnull=False)
    return noes.order_by()


def _asked(skills: Sequence[Skill]) -> set[UUID | None]:
    """Of which skills a person is being asked about their promotion."""
    waiting = Review.objects.open().filter(kind=ReviewKind.PROMOTION, skill__in=[skill.pk for skill in skills])
    return set(waiting.values_list("skill_id", flat=True))


def _evidence(skill: Skill, found: Standing) -> dict[str, Any]:
    version = skill.current_version
    assert version is not None
    return {
        **found.verdict.evidence,
        "to_state": found.to_state,
        "progress": found.progress,
        "version": version.number,
        "digest": version.digest,
    }
