"""One attempt at a draft, claimed and on its way: from the author's reply to a version under review, or to why not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from donna_skills.accounts.actors import Actor
from donna_skills.accounts.roles import Permission
from donna_skills.audit import services as audit
from donna_skills.errors import StaleState
from donna_skills.jobs import leases
from donna_skills.llm import ledger
from donna_skills.notifications import events, inbox
from lifecycle.configuration import knobs
from lifecycle.decisions import drafting as rules
from lifecycle.decisions.verdict import Reason
from lifecycle.models import (
    AttemptStatus,
    AuthorKind,
    Candidate,
    DraftAttempt,
    GateDecision,
    Skill,
    SkillVersion,
)
from lifecycle.services import authoring, candidates, drafting, evidence, skills

ACTOR = Actor.system("drafting")
Progress = Callable[[int, int, str], None]

_LEAST_FIXTURES = 3
_STAGES = 100
_ASKED, _READ, _JUDGED = 5, 30, 95


class Work:
    """One claimed attempt on its way; it writes the row only while the row is its own."""

    def __init__(self, attempt: DraftAttempt, candidate: Candidate, actor: Actor, progress: Progress | None) -> None:
        self.attempt, self.candidate, self.actor, self.progress = attempt, candidate, actor, progress
        self.skill = attempt.skill
        self._rows = DraftAttempt.objects.filter(
            pk=attempt.pk, status=AttemptStatus.RUNNING, lease_owner=attempt.lease_owner
        )

    def carry_out(self) -> None:
        reply = self.attempt.reply
        if reply is None:
            self._tell(0, "The author reads the samples")
            reply = authoring.storable(drafting.ask(self.attempt))
            self._keep(reply=reply)
        self._tell(_ASKED, "Reading what the author wrote")
        try:
            least = min(_LEAST_FIXTURES, len(self.attempt.samples))
            written = authoring.read(reply, least_fixtures=least)
        except authoring.Unusable as error:
            self.end(AttemptStatus.REFUSED, error.reasons)
            return
        self._keep(files=dict(written.files))
        self._tell(_READ, "Holding the package against the gates")
        rate = knobs().auto_draft_fixture_pass_rate
        decision = evidence.evaluate(
            self.skill, written.content, actor=ACTOR, fixture_rate=rate, progress=self._part(_READ, _JUDGED)
        )
        figures = fixture_figures(decision)
        verdict = rules.acceptable(decision.verdict, figures.get("passed"), figures.get("total"), required=rate)
        if not verdict.passed:
            self.end(_refusal(decision, figures), [*verdict.reasons, *_reasons(decision)], decision=decision)
            return
        self._tell(_JUDGED, "Asking a reviewer")
        self._accept(written, decision)

    def end(
        self,
        status: AttemptStatus,
        reasons: Sequence[Reason],
        *,
        decision: GateDecision | None = None,
        version: SkillVersion | None = None,
    ) -> bool:
        """Settle the row and say so in the audit log and the feed; False when it is no longer this worker's."""
        cost = self._cost(decision)
        facts = {
            "capability": self.skill.capability.name,
            "candidate_id": str(self.candidate.pk),
            "status": status,
            "version": version.number if version else None,
            "verdict": decision.verdict if decision else None,
            "reasons": [reason.code for reason in reasons[: authoring.MOST_REASONS]],
            "cost_usd": str(cost),
        }
        with transaction.atomic():
            ended = self._rows.update(
                status=status,
                reasons=authoring.as_rows(reasons),
                decision=decision,
                version=version,
                cost_usd=cost,
                finished_at=timezone.now(),
                **leases.RELEASED,
            )
            if not ended:
                return False
            kind, about = f"draft.{status}", "draft_attempt"
            audit.record(kind, actor=self.actor, subject_type=about, subject_id=self.attempt.pk, data=facts)
            events.publish(
                kind,
                subject_type=about,
                subject_id=self.attempt.pk,
                payload=facts,
                dedup_key=f"draft:{self.attempt.pk}",
                notify=self._notice(version),
            )
        return True

    def let_go(self) -> None:
        """Give the lease up, so that the next one who asks goes on from here at once."""
        self._rows.update(lease_until=timezone.now())

    def _accept(self, written: authoring.Written, decision: GateDecision) -> None:
        """The version, its state, its review, the candidate and the attempt: all of it, or nothing."""
        figures = fixture_figures(decision)
        waiting = [reason.message for reason in _reasons(decision)]
        with transaction.atomic():
            skill = Skill.objects.select_for_update(of=("self",)).for_page().get(pk=self.skill.pk)
            candidate = Candidate.objects.get(pk=self.candidate.pk)
            if skill.state not in candidates.UNSERVED:
                raise StaleState(f"The skill went to {skill.state} while its draft was written.")
            candidates.drafted(candidate)
            skills.set_human_gate(skill, True, actor=ACTOR)
            version, _ = skills.store_draft(
                skill,
                files=written.content,
                actor=self.actor,
                author_kind=AuthorKind.AUTO_DRAFT,
                moved_by=ACTOR,
                because=f"was drafted from {len(self.attempt.samples)} recorded answers and got past the gates",
                changelog=written.changelog or "Drafted from recorded answers of the reference model.",
                summary=summary(candidate, figures, waiting),
                evidence={
                    "attempt_id": str(self.attempt.pk),
                    "candidate_id": str(candidate.pk),
                    "decision_id": str(decision.pk),
                    "verdict": decision.verdict,
                    "waiting_for": waiting,
                    "fixtures": {"passed": figures.get("passed"), "total": figures.get("total")},
                    "samples": [sample["run_id"] for sample in self.attempt.samples],
                    "savings": candidate.evidence,
                },
            )
            if not self.end(AttemptStatus.ACCEPTED, _reasons(decision), decision=decision, version=version):
                raise StaleState("Another worker has taken this draft up meanwhile.")

    def _notice(self, version: SkillVersion | None) -> events.Notice | None:
        """Authors hear of a new draft; those who decide are asked by the review itself."""
        if version is None:
            return None
        name = self.skill.capability.name
        asked = {user.pk for user in inbox.recipients(events.Notice(title="", permission=Permission.DECIDE_REVIEWS))}
        authors = inbox.recipients(events.Notice(title="", permission=Permission.EDIT_SKILLS))
        return events.Notice(
            title=f"A skill for {name} was drafted",
            body=f"Version {version.number} waits for a reviewer.",
            url=f"/skills/{name}/",
            people=tuple(user for user in authors if user.pk not in asked),
        )

    def _keep(self, **values: Any) -> None:
        if not self._rows.update(**values):
            raise StaleState("Another worker has taken this draft up meanwhile.")

    def _cost(self, decision: GateDecision | None) -> Decimal:
        """Of the author's calls and of the gates; a decision that was made for an earlier attempt cost nothing now."""
        own = ledger.cost_of(self.attempt.pk)
        if decision is None or DraftAttempt.objects.filter(decision=decision).exists():
            return own
        return own + decision.cost_usd

    def _tell(self, done: int, message: str) -> None:
        if self.progress is not None:
            self.progress(done, _STAGES, message)

    def _part(self, start: int, end: int) -> Progress:
        def tell(done: int, total: int, message: str) -> None:
            self._tell(start + (end - start) * min(done, total) // max(total, 1), message)

        return tell


def summary(candidate: Candidate, figures: dict[str, Any], waiting: Sequence[str]) -> str:
    """ "Fixtures 5/5. Saves about $17 a month (200 calls × $0.10 less 15 %)." and what the gates still wait for."""
    savings, mean = candidate.expected_savings_usd, candidate.mean_cost_usd.quantize(Decimal("0.0001")).normalize()
    each = f"{mean:f}" if mean.as_tuple().exponent < -2 else f"{mean:.2f}"  # type: ignore[operator]
    said = (
        f"Fixtures {figures.get('passed')}/{figures.get('total')}. Saves about ${savings:,.0f} a month "
        f"({candidate.volume:,} calls × ${each} less {candidate.evidence.get('skill_cost_percent', 15)} %)."
    )
    return f"{said} The gates wait: {waiting[0]}" if waiting else said


def fixture_figures(decision: GateDecision) -> dict[str, Any]:
    """What the fixtures gate counted; nothing where the pipeline did not come to it."""
    return next((dict(gate.get("figures") or {}) for gate in decision.gates if gate.get("gate") == "fixtures"), {})


def _reasons(decision: GateDecision) -> list[Reason]:
    """What blocks first, then what holds, each in the gates' order."""
    said = [reason for gate in decision.gates for reason in gate.get("reasons", [])]
    said.sort(key=lambda reason: reason["status"] != "BLOCK")
    return [Reason(reason["code"], reason["message"]) for reason in said]


def _refusal(decision: GateDecision, figures: dict[str, Any]) -> AttemptStatus:
    """What is missing because the budget or a model gave out is nobody's refusal."""
    if any(reason.code == "BUDGET_PAUSED" for reason in _reasons(decision)):
        return AttemptStatus.BUDGET_STOPPED
    unanswered = decision.verdict == "HOLD" and bool(figures.get("unanswered") or not figures)
    return AttemptStatus.MODEL_ERROR if unanswered else AttemptStatus.REFUSED
