"""What pages and routes read: one function a page, a constant number of queries each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from lifecycle.decisions.statistics import wilson_interval
from lifecycle.decisions.verdict import Reason
from lifecycle.models import (
    Capability,
    Divergence,
    GateDecision,
    GateVerdict,
    Review,
    ReviewState,
    RunPath,
    Skill,
    SkillRun,
    SkillVersion,
)
from lifecycle.services import promotions
from lifecycle.states import State

BESIDE = (RunPath.SHADOW, RunPath.VALIDATION)
"""Paths that are no request of anybody's: comparisons and validation."""


@dataclass(frozen=True)
class WhyNot:
    """The next state that a skill can earn, and what is still missing for it; nothing missing means that it is due."""

    next_state: State | None
    unmet: tuple[Reason, ...]
    progress: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {
            "next_state": self.next_state,
            "progress": self.progress,
            "unmet": [{"code": reason.code, "message": reason.message} for reason in self.unmet],
        }


@dataclass(frozen=True)
class Rate:
    """A share with its n and its 95 % Wilson interval; `value` is None where there is nothing to count."""

    value: float | None
    n: int
    lower: float
    upper: float

    @classmethod
    def of(cls, successes: int, n: int) -> Rate:
        lower, upper = wilson_interval(successes, n)
        return cls(value=successes / n if n else None, n=n, lower=lower, upper=upper)


def skill_list(*, state: str = "", capability: str = "", text: str = "") -> QuerySet[Skill]:
    found = Skill.objects.for_page()
    if state:
        found = found.filter(state=state)
    if capability:
        found = found.filter(capability__name=capability)
    if text:
        found = found.filter(Q(capability__name__icontains=text) | Q(capability__description__icontains=text))
    return found


def run_list(
    *,
    status: str = "",
    capability: str = "",
    skill_id: Any = None,
    path: str = "",
    since: datetime | None = None,
) -> QuerySet[SkillRun]:
    """Runs newest first, without the large columns' help: a list shows what a row is, its page shows all of it."""
    found = SkillRun.objects.for_page()
    if status:
        found = found.filter(status=status)
    if capability:
        found = found.filter(capability__name=capability)
    if skill_id:
        found = found.filter(skill_id=skill_id)
    if path:
        found = found.filter(path=path)
    if since:
        found = found.filter(created_at__gte=since)
    return found


def why_not(skill: Skill) -> WhyNot:
    """What keeps a skill from its next level of trust, in words and as codes, by the verdicts that the gates give;
    six queries at most. Where alternatives are left, each of them is enough."""
    state = State(skill.state)
    if state in promotions.NEXT and skill.current_version_id:
        found = promotions.standing(skill)
        return WhyNot(found.to_state, (*found.verdict.reasons, *found.blocks(skill)), found.progress)
    if state == State.DRAFT:
        return WhyNot(State.SANDBOX, (_before_sandbox(skill),))
    waiting = {
        State.CLAUDE_NATIVE: (State.SKILL_CANDIDATE, Reason("no_version", "No version has been handed in or drafted.")),
        State.SKILL_CANDIDATE: (State.DRAFT, Reason("no_version", "No version has been handed in or drafted.")),
        State.FLAGGED_FOR_REVIEW: (
            State(skill.flagged_from or State.TRUSTED),
            Reason("needs_decision", "A reviewer has to save or degrade it."),
        ),
        State.DEGRADED: (State.DRAFT, Reason("no_version", "A better version has to be handed in or evolved.")),
    }
    if state not in waiting:
        return WhyNot(next_state=None, unmet=())
    to_state, missing = waiting[state]
    return WhyNot(next_state=to_state, unmet=(missing,))


def _before_sandbox(skill: Skill) -> Reason:
    """What a draft needs: another version where this one can never be approved, else a person's word."""
    newest = GateDecision.objects.filter(skill=skill, digest=OuterRef("digest")).order_by("-id").values("verdict")
    sent_back = Review.objects.filter(version=OuterRef("pk"), state=ReviewState.CHANGES_REQUESTED)
    version = SkillVersion.objects.filter(current_of=skill)
    found = version.annotate(said=Subquery(newest[:1]), sent_back=Exists(sent_back)).values_list("said", "sent_back")
    verdict, changes = found.first() or (None, False)
    if verdict == GateVerdict.BLOCK:
        return Reason("gate_blocked", "The gates block this version; another one has to be handed in.")
    if changes:
        return Reason("changes_requested", "A reviewer sent this version back; another one has to be handed in.")
    return Reason("needs_approval", "A reviewer has to approve the version.")


def comparison_of(run: SkillRun) -> Divergence | None:
    """What was found when the answer was laid beside the reference's: of this run, or of the one that it ran beside."""
    beside = Q(run=run.pk) | Q(reference=run.pk)
    return Divergence.objects.filter(beside).select_related("version", "run", "reference").first()


def recent_runs(*, limit: int = 10, **filters: Any) -> list[SkillRun]:
    found = SkillRun.objects.for_page().filter(**filters).exclude(path__in=BESIDE)
    return list(found.defer("inputs", "state", "output", "tool_calls", "triage").order_by("-id")[:limit])


def text_files(version: SkillVersion | None) -> list[dict[str, str]]:
    """Path and text of each file of a version; a file that is no text says so."""
    if version is None:
        return []
    shown = []
    for path, content in version.files.order_by("path").values_list("path", "content"):
        try:
            text = bytes(content).decode("utf-8")
        except UnicodeDecodeError:
            text = f"({len(content)} bytes that are no text)"
        shown.append({"path": path, "text": text})
    return shown


def active_capabilities() -> list[Capability]:
    return list(Capability.objects.active().order_by("name"))
