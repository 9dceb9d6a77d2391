"""Candidates: work that the reference model does again and again, found, refreshed, and dismissed.

The only writer of a candidate's status.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import BigIntegerField, Count, F, Q, QuerySet, Sum, Value
from django.db.models.functions import Cast, Round
from django.utils import timezone

from donna_skills.accounts.actors import Actor, ActorKind
from donna_skills.accounts.roles import Permission
from donna_skills.audit import services as audit
from donna_skills.errors import AlreadyDecided, FieldError, Invalid, NotPermitted, StaleState
from donna_skills.notifications import events, inbox
from lifecycle.configuration import knobs
from lifecycle.decisions import candidacy
from lifecycle.decisions.statistics import as_decimal, exact
from lifecycle.decisions.verdict import Verdict
from lifecycle.models import Candidate, CandidateStatus, CapabilityStatus, RunPath, RunStatus, Skill, SkillRun
from lifecycle.services import refusals, transitions, windows
from lifecycle.services.shapes import OutputShape
from lifecycle.services.sweeps import Line, Swept
from lifecycle.states import Reason, State

ACTOR = Actor.system("candidate detection")
UNSERVED = (State.CLAUDE_NATIVE, State.SKILL_CANDIDATE)
"""Where no version is being drafted, tried or served: what the reference costs here is what a skill could save."""

WINDOW = timedelta(days=30)
STALE_AFTER = timedelta(days=30)
DISMISSED_FOR = timedelta(days=90)
SKILL_COST_SHARE = Decimal("0.15")
"""What a skill is expected to cost of what the reference does, until it is measured."""

_SMALLEST_USD = Decimal("0.000001")
_MICROS = 1_000_000
_REFRESHED = ("expected_savings_usd", "volume", "mean_cost_usd", "repetitiveness", "evidence", "last_seen", "status")


@dataclass(frozen=True)
class Calls:
    """What the reference model did for one capability within the window."""

    volume: int = 0
    cost_micros: int = 0
    shapes: int = 0

    @property
    def mean_cost(self) -> Fraction:
        return Fraction(self.cost_micros, self.volume * _MICROS) if self.volume else Fraction(0)


def detect(now: datetime, *, dry_run: bool = False) -> Swept:
    """Look at the last 30 days of every active capability that no skill serves, some at a time.

    1. Open candidates whose skill has gone on to a draft are `drafted`.
    2. Count the reference's successful answers to requests, their cost and the shapes of their outputs.
    3. Where the expected savings reach the limit (inclusive): a new candidate, unless one is open or a dismissal holds.
       The skill becomes a candidate by its gate, with the figures as evidence, and authors and reviewers are told.
    4. The numbers of open candidates are refreshed; one whose savings have not reached the limit for 30 days is stale.

    Outcomes: found, refreshed, stale, dismissed, too_little, error. One statement counts the runs where they are, and
    three reads some 200 capabilities. Nothing with the master switch off; a dry run writes nothing.
    """
    swept, limits = Swept(), knobs()
    if not limits.enabled:
        return swept
    if not dry_run:
        _close_drafted()
    unserved = Skill.objects.for_page().filter(state__in=UNSERVED, capability__status=CapabilityStatus.ACTIVE)
    calls = _native_calls(unserved, now=now)
    for some in windows.in_chunks(list(unserved.order_by("pk").values_list("pk", flat=True))):
        skills = list(unserved.filter(pk__in=some).order_by("capability__name"))
        least = limits.auto_draft_min_expected_savings_usd
        night = _Night.of(skills, calls, now=now, least=least, dry_run=dry_run)
        for skill in skills:
            if night.has_something_about(skill):
                swept.add(skill, partial(night.decide, skill))
        night.store_refreshed()
    return swept


def dismiss(candidate: Candidate, *, by: Actor, reason: str = "", not_a_skill: bool = False) -> Candidate:
    """Say no to an open candidate for 90 days or, with `not_a_skill`, to its pattern for good.

    A reviewer's no also returns the skill to claude_native (manual_override). An author's or a bot's does not: neither
    may move a skill, so it stays a candidate by state, and detection finds nothing new until the dismissal ends.
    AlreadyDecided unless it is open; a pattern that is no skill takes a reviewer and a reason.
    """
    with refusals.recorded("candidate.dismiss", actor=by, subject_type="candidate", subject_id=candidate.pk):
        _check_dismissal(by, reason=reason, not_a_skill=not_a_skill)
        # Whoever moves a skill locks it first; detection, which opens candidates, does too.
        locked = Skill.objects.select_for_update(of=("self",)).select_related("capability")
        skill = locked.get(capability=candidate.capability_id)
        now = timezone.now()
        closed = (
            Candidate.objects.open()
            .filter(pk=candidate.pk)
            .update(
                status=CandidateStatus.DISMISSED,
                dismissed_at=now,
                dismissed_until=None if not_a_skill else now + DISMISSED_FOR,
                not_a_skill=not_a_skill,
                dismissed_by=by.user if by.is_person else None,
                token=by.token,
                reason=reason,
            )
        )
        candidate.refresh_from_db()
        if not closed:
            raise AlreadyDecided(f"This candidate is {candidate.get_status_display().lower()} already.")
        if skill.state == State.SKILL_CANDIDATE and by.may(Permission.DECIDE_REVIEWS):
            note = f"The candidate was dismissed. {reason}".strip()
            transitions.move(skill, State.CLAUDE_NATIVE, reason=Reason.MANUAL_OVERRIDE, actor=by, note=note)
        facts = {"capability": skill.capability.name, "reason": reason, "not_a_skill": not_a_skill}
        audit.record("candidate.dismissed", actor=by, subject_type="candidate", subject_id=candidate.pk, data=facts)
        events.publish("candidate.dismissed", subject_type="candidate", subject_id=candidate.pk, payload=facts)
    return Candidate.objects.for_page().get(pk=candidate.pk)


def drafted(candidate: Candidate) -> None:
    """Close an open candidate for which a draft has just been stored, in that transaction. AlreadyDecided otherwise."""
    if not Candidate.objects.open().filter(pk=candidate.pk).update(status=CandidateStatus.DRAFTED):
        candidate.refresh_from_db(fields=["status"])
        raise AlreadyDecided(f"This candidate is {candidate.get_status_display().lower()} already.")
    candidate.status = CandidateStatus.DRAFTED


def may_dismiss(actor: Actor) -> bool:
    """Authors and reviewers; a bot, since its token's scope was asked for at the door. A dismissal runs nothing."""
    if actor.kind == ActorKind.BOT:
        return True
    return actor.may(Permission.EDIT_SKILLS) or actor.may(Permission.DECIDE_REVIEWS)


def may_rule_out(actor: Actor) -> bool:
    """Who may say that a pattern is no skill, for good."""
    return actor.may(Permission.DECIDE_REVIEWS)


def _check_dismissal(by: Actor, *, reason: str, not_a_skill: bool) -> None:
    if not may_dismiss(by):
        raise NotPermitted("Only authors and reviewers may dismiss candidates.")
    if not_a_skill and not may_rule_out(by):
        raise NotPermitted("Only a reviewer may say that a pattern is no skill for good.")
    if not_a_skill and not reason.strip():
        raise Invalid(
            "Say why this is no skill: it is never proposed again.", errors=[FieldError("reason", "must not be blank")]
        )


@dataclass
class _Night:
    """What is known about some skills tonight, and what is to be written at the end."""

    now: datetime
    least: float
    dry_run: bool
    calls: Mapping[UUID, Calls]
    open: dict[UUID, Candidate]
    held_capabilities: frozenset[UUID]
    held_patterns: frozenset[str]
    refreshed: list[Candidate]

    @classmethod
    def of(
        cls, skills: Sequence[Skill], calls: Mapping[UUID, Calls], *, now: datetime, least: float, dry_run: bool
    ) -> _Night:
        capabilities = [skill.capability_id for skill in skills]
        prints = {_fingerprint(skill) for skill in skills}
        waiting = Candidate.objects.open().filter(capability__in=capabilities)
        dismissed = Candidate.objects.filter(status=CandidateStatus.DISMISSED)
        held = dismissed.filter(
            Q(capability__in=capabilities) & (Q(not_a_skill=True) | Q(dismissed_until__gt=now))
            | Q(not_a_skill=True, fingerprint__in=prints)
        ).values_list("capability_id", "fingerprint", "not_a_skill")
        rows = list(held)
        return cls(
            now=now,
            least=least,
            dry_run=dry_run,
            calls=calls,
            open={candidate.capability_id: candidate for candidate in waiting},
            held_capabilities=frozenset(capability for capability, _, _ in rows),
            held_patterns=frozenset(fingerprint for _, fingerprint, for_good in rows if for_good),
            refreshed=[],
        )

    def has_something_about(self, skill: Skill) -> bool:
        return skill.capability_id in self.calls or skill.capability_id in self.open

    def decide(self, skill: Skill) -> Line:
        calls = self.calls.get(skill.capability_id, Calls())
        verdict = candidacy.candidate_verdict(
            calls.volume,
            calls.mean_cost,
            min_savings=self.least,
            overhead=SKILL_COST_SHARE,
            repetitive=candidacy.repetitiveness_of(distinct=calls.shapes, total=calls.volume),
        )
        candidate = self.open.get(skill.capability_id)
        if candidate is not None:
            return self._refresh(skill, candidate, calls, verdict)
        if not verdict.passed:
            said = " ".join(reason.message for reason in verdict.reasons)
            return Line.of(skill, "too_little", said, reasons=[reason.code for reason in verdict.reasons])
        if skill.capability_id in self.held_capabilities or _fingerprint(skill) in self.held_patterns:
            return Line.of(skill, "dismissed", "It was dismissed, and that still holds.")
        if not self.dry_run:
            _open(skill, self._figures(calls, verdict), now=self.now)
        return Line.of(skill, "found", _arithmetic(calls, verdict))

    def store_refreshed(self) -> None:
        """In one statement for some dozens; one that a person dismissed a moment ago keeps its dismissal."""
        if self.refreshed and not self.dry_run:
            Candidate.objects.open().bulk_update(self.refreshed, _REFRESHED)

    def _refresh(self, skill: Skill, candidate: Candidate, calls: Calls, verdict: Verdict) -> Line:
        for name, value in self._figures(calls, verdict).items():
            setattr(candidate, name, value)
        if verdict.passed:
            candidate.last_seen = max(candidate.last_seen, self.now)
        elif candidate.last_seen <= self.now - STALE_AFTER:
            candidate.status = CandidateStatus.STALE
        self.refreshed.append(candidate)
        return Line.of(
            skill,
            "stale" if candidate.status == CandidateStatus.STALE else "refreshed",
            _arithmetic(calls, verdict),
        )

    def _figures(self, calls: Calls, verdict: Verdict) -> dict[str, Any]:
        total = Decimal(calls.cost_micros) / _MICROS
        savings, mean = (_money(verdict.evidence[name]) for name in ("expected_savings_usd", "mean_cost_usd"))
        return {
            "expected_savings_usd": savings,
            "volume": calls.volume,
            "mean_cost_usd": mean,
            "repetitiveness": verdict.evidence["repetitiveness"],
            "evidence": {
                "since": (self.now - WINDOW).isoformat(),
                "until": self.now.isoformat(),
                "window_days": WINDOW.days,
                "volume": calls.volume,
                "cost_usd": str(total),
                "mean_cost_usd": str(mean),
                "skill_cost_percent": int(SKILL_COST_SHARE * 100),
                "skill_cost_usd": str(_money(total * SKILL_COST_SHARE)),
                "expected_savings_usd": str(savings),
                "min_expected_savings_usd": str(as_decimal(exact(self.least))),
                "shapes": calls.shapes,
                "repetitiveness": verdict.evidence["repetitiveness"],
            },
        }


def _native_calls(unserved: QuerySet[Skill], *, now: datetime) -> dict[UUID, Calls]:
    """The reference's successful answers to requests in the window; nothing for a capability without any.

    One statement for all of them, since SQLite reads the runs from end to end for it, and three numbers for each.

    Only runs of path native count, which are the answers that callers got: comparisons, sandbox and validation runs
    have paths of their own, and what the judge, the drafter and a skill's steps cost is in the ledger and in no run. An
    answer that stepped in for a failed skill is left out: a skill has not saved it. Costs are added as whole millionths
    of a dollar, because SQLite adds decimals as floats.
    """
    rows = (
        SkillRun.objects.filter(
            capability__in=unserved.order_by().values("capability"),
            path=RunPath.NATIVE,
            status=RunStatus.SUCCEEDED,
            fallback_of__isnull=True,
            created_at__gt=now - WINDOW,
            created_at__lte=now,
        )
        .order_by()
        .values("capability_id")
        .annotate(
            volume=Count("pk"),
            micros=Sum(Cast(Round(F("cost_usd") * Value(_MICROS)), BigIntegerField())),
            shapes=Count(OutputShape("output"), distinct=True),
        )
    )
    return {row["capability_id"]: Calls(row["volume"], int(row["micros"]), row["shapes"]) for row in rows}


def _open(skill: Skill, figures: dict[str, Any], *, now: datetime) -> Candidate:
    """The skill's move where it has not been made, the row, the audit row and the event: all of it, or nothing."""
    evidence = figures["evidence"]
    try:
        with transaction.atomic():
            truth = Skill.objects.select_for_update(of=("self",)).get(pk=skill.pk)
            if truth.state != skill.state:
                raise StaleState("The skill has moved on since it was looked at.")
            if skill.state == State.CLAUDE_NATIVE:
                note = "The reference model does this often enough to be worth a skill."
                transitions.move(
                    skill, State.SKILL_CANDIDATE, reason=Reason.GATE_PASSED, actor=ACTOR, note=note, evidence=evidence
                )
            candidate = Candidate.objects.create(
                capability=skill.capability, fingerprint=_fingerprint(skill), first_seen=now, last_seen=now, **figures
            )
            facts = {"capability": skill.capability.name, **evidence}
            audit.record("candidate.found", actor=ACTOR, subject_type="candidate", subject_id=candidate.pk, data=facts)
            _announce(candidate, skill)
    except IntegrityError:
        raise StaleState("Another run of the detection found it a moment ago.") from None
    return candidate


def _announce(candidate: Candidate, skill: Skill) -> None:
    """Tell who may write the draft and who will decide about it, once for each candidate."""
    saved = f"${candidate.expected_savings_usd:,.2f}"
    notice = events.Notice(
        title=f"A skill for {skill.capability.name} would save about {saved} in 30 days",
        body=f"The reference model answered {candidate.volume:,} calls for ${candidate.evidence['cost_usd']}.",
        url="/candidates/",
        permission=Permission.EDIT_SKILLS,
        people=tuple(inbox.recipients(events.Notice(title="", permission=Permission.DECIDE_REVIEWS))),
    )
    events.publish(
        "candidate.found",
        subject_type="candidate",
        subject_id=candidate.pk,
        payload={
            "capability": skill.capability.name,
            "expected_savings_usd": candidate.evidence["expected_savings_usd"],
            "volume": candidate.volume,
            "mean_cost_usd": candidate.evidence["mean_cost_usd"],
            "repetitiveness": candidate.repetitiveness,
        },
        dedup_key=f"candidate:{candidate.pk}",
        notify=notice,
    )


def _close_drafted() -> None:
    """A version has come about, written by whomever: there is nothing left to draft."""
    Candidate.objects.open().exclude(capability__skill__state__in=UNSERVED).update(status=CandidateStatus.DRAFTED)


def _fingerprint(skill: Skill) -> str:
    return candidacy.pattern_fingerprint(skill.capability.description)


def _arithmetic(calls: Calls, verdict: Verdict) -> str:
    saved, mean = verdict.evidence["expected_savings_usd"], verdict.evidence["mean_cost_usd"]
    return f"{calls.volume} calls at {mean:.4f} USD would save {saved:.2f} USD."


def _money(amount: Decimal) -> Decimal:
    return amount.quantize(_SMALLEST_USD)
