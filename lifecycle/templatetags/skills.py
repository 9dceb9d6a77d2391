"""Badges for the lifecycle's own words: a skill's state, a run's status and path, a version's status."""

from __future__ import annotations

from django import template
from django.utils.safestring import SafeString

from donna_skills.templatetags.ui import badge, spelt_out
from lifecycle.models import (
    AttemptStatus,
    CandidateStatus,
    CapabilityStatus,
    GateVerdict,
    Review,
    ReviewState,
    RiskTier,
    RunPath,
    RunStatus,
    SkillRun,
    StepStatus,
    VersionStatus,
)
from lifecycle.states import STATES, State

register = template.Library()

RUN_TONES: dict[str, str] = {
    RunStatus.QUEUED: "grey",
    RunStatus.RUNNING: "blue",
    RunStatus.SUCCEEDED: "green",
    RunStatus.FAILED: "red",
    RunStatus.ESCALATED: "amber",
    RunStatus.TIMED_OUT: "red",
    RunStatus.PERMISSION_BLOCKED: "red",
    RunStatus.CANCELLED: "grey",
    RunStatus.INTERRUPTED: "amber",
}
STEP_TONES: dict[str, str] = {
    StepStatus.SUCCEEDED: "green",
    StepStatus.FAILED: "red",
    StepStatus.SKIPPED: "grey",
    StepStatus.DEGRADED: "amber",
    StepStatus.ESCALATED: "amber",
    StepStatus.TIMED_OUT: "red",
    StepStatus.PERMISSION_BLOCKED: "red",
}
VERSION_TONES: dict[str, str] = {
    VersionStatus.DRAFT: "blue",
    VersionStatus.APPROVED: "violet",
    VersionStatus.RELEASED: "green",
    VersionStatus.REJECTED: "red",
    VersionStatus.SUPERSEDED: "grey",
    VersionStatus.REVOKED: "red",
}
CAPABILITY_TONES: dict[str, str] = {CapabilityStatus.ACTIVE: "green", CapabilityStatus.PENDING_REVIEW: "amber"}
CANDIDATE_TONES: dict[str, str] = {
    CandidateStatus.NEW: "blue",
    CandidateStatus.DRAFTED: "green",
    CandidateStatus.DISMISSED: "grey",
    CandidateStatus.STALE: "grey",
}
ATTEMPT_TONES: dict[str, str] = {
    AttemptStatus.RUNNING: "blue",
    AttemptStatus.ACCEPTED: "green",
    AttemptStatus.REFUSED: "red",
    AttemptStatus.BUDGET_STOPPED: "amber",
    AttemptStatus.MODEL_ERROR: "amber",
}
VERDICT_TONES: dict[str, str] = {GateVerdict.PASS: "green", GateVerdict.HOLD: "amber", GateVerdict.BLOCK: "red"}
RISK_TONES: dict[int, str] = {RiskTier.HIGH: "red", RiskTier.MEDIUM: "amber", RiskTier.LOW: "grey"}
REVIEW_TONES: dict[str, str] = {
    ReviewState.OPEN: "blue",
    ReviewState.APPROVED: "green",
    ReviewState.REJECTED: "red",
    ReviewState.CHANGES_REQUESTED: "amber",
    ReviewState.SUPERSEDED: "grey",
}


@register.simple_tag
def state_badge(state: str) -> SafeString:
    """A skill's state in the words of states.py, with the code name on hover."""
    code = State(state)
    look = STATES[code]
    return badge(look.label, look.tone, shape=look.shape, title=f"{code.value}: {look.meaning}")


@register.simple_tag
def run_badge(run: SkillRun) -> SafeString:
    """How a run stands; one that ended well on its fallback says so."""
    status = RunStatus(run.status)
    if run.degraded and status == RunStatus.SUCCEEDED:
        return badge(
            "Succeeded, degraded", "amber", title="succeeded: something had to be left out or done another way."
        )
    return badge(status.label, RUN_TONES[status], title=status.value)


@register.simple_tag
def step_badge(status: str) -> SafeString:
    code = StepStatus(status)
    return badge(code.label, STEP_TONES[code], title=code.value)


@register.simple_tag
def version_badge(status: str) -> SafeString:
    code = VersionStatus(status)
    return badge(code.label, VERSION_TONES[code], title=code.value)


@register.simple_tag
def capability_badge(status: str) -> SafeString:
    code = CapabilityStatus(status)
    return badge(code.label, CAPABILITY_TONES[code], title=code.value)


@register.simple_tag
def attempt_badge(status: str) -> SafeString:
    """How an attempt to write a version ended."""
    code = AttemptStatus(status)
    return badge(code.label, ATTEMPT_TONES[code], title=code.value)


@register.simple_tag
def candidate_badge(status: str) -> SafeString:
    code = CandidateStatus(status)
    return badge(code.label, CANDIDATE_TONES[code], title=code.value)


@register.filter
def path_words(path: str) -> str:
    """Who answered: the skill, the reference model, or one of them unseen."""
    return str(RunPath(path).label)


@register.simple_tag
def verdict_badge(verdict: str) -> SafeString:
    """What the gates say about a version's files; nothing said yet has its own words."""
    if not verdict:
        return badge("Not checked yet", "grey", title="No gate has looked at these files.")
    code = GateVerdict(verdict)
    return badge(code.label, VERDICT_TONES[code], title=code.value)


@register.simple_tag
def risk_badge(review: Review) -> SafeString:
    """How much can go wrong, with the reasons on hover."""
    tier = RiskTier(review.risk)
    why = " ".join(str(reason["message"]) for reason in review.risk_reasons) or "Nothing in it adds to the risk."
    return badge(f"{tier.label} risk", RISK_TONES[tier], title=spelt_out(why))


@register.simple_tag
def review_badge(state: str) -> SafeString:
    code = ReviewState(state)
    return badge(code.label, REVIEW_TONES[code], title=code.value)
