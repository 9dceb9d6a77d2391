"""Badges and figures of automations: a status, a run's end, what an alert decided, and the strip of the last runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from automations import words
from automations.models import AlertDecision, Automation, AutomationRun, PauseReason, RunStatus, Status
from donna_skills.templatetags.ui import SHAPES, badge

register = template.Library()

TONES: dict[str, str] = {Status.ACTIVE: "green", Status.PAUSED: "amber", Status.ERROR: "red", Status.DELETED: "grey"}
RUN_TONES: dict[str, str] = {
    RunStatus.QUEUED: "grey",
    RunStatus.RUNNING: "blue",
    RunStatus.SUCCEEDED: "green",
    RunStatus.FAILED: "red",
    RunStatus.ESCALATED: "amber",
    RunStatus.SKIPPED_BUDGET: "amber",
    RunStatus.SKIPPED_OVERLAP: "grey",
    RunStatus.SKIPPED_MISSED: "grey",
    RunStatus.BLOCKED_MISSING_TOOL: "red",
    RunStatus.COST_EXCEEDED: "red",
    RunStatus.INTERRUPTED: "amber",
    RunStatus.CANCELLED: "grey",
}
ALERT_TONES: dict[str, str] = {
    AlertDecision.NONE: "grey",
    AlertDecision.OPENED: "amber",
    AlertDecision.CHANGED: "amber",
    AlertDecision.REPEATED: "amber",
    AlertDecision.RESOLVED: "green",
    AlertDecision.ERROR: "red",
}
_PAUSED_BY = {
    PauseReason.PERSON: "Paused",
    PauseReason.FAILURES: "Paused after failures",
    PauseReason.POLICY: "Paused by policy",
}


@register.simple_tag
def automation_badge(automation: Automation) -> SafeString:
    code = Status(automation.status)
    label = _PAUSED_BY.get(PauseReason(automation.pause_reason), code.label) if automation.pause_reason else code.label
    return badge(label, TONES[code], title=code.value)


@register.simple_tag
def automation_run_badge(run: AutomationRun) -> SafeString:
    code = RunStatus(run.status)
    return badge(code.label, RUN_TONES[code], title=code.value)


@register.simple_tag
def alert_badge(decision: str) -> SafeString:
    """Empty while nothing was asked."""
    if not decision:
        return badge("Not asked", "grey", title="No alert was set, or the run brought nothing to judge.")
    code = AlertDecision(decision)
    return badge(code.label, ALERT_TONES[code], title=code.value)


@register.simple_tag
def run_strip(runs: Sequence[AutomationRun]) -> SafeString:
    """The last runs as a row of shapes, the newest on the right, and in words for those who do not see it."""
    if not runs:
        return format_html('<span class="muted">{}</span>', "no runs yet")
    counted: dict[str, int] = {}
    for run in runs:
        label = RunStatus(run.status).label.lower()
        counted[label] = counted.get(label, 0) + 1
    said = ", ".join(f"{number} {label}" for label, number in counted.items())
    shapes = format_html_join(
        "",
        '<span class="tone-{}" title="{}">{}</span>',
        (
            (tone, RunStatus(run.status).label, SHAPES[tone])
            for run in reversed(runs)
            for tone in [RUN_TONES[run.status]]
        ),
    )
    return format_html(
        '<span class="nowrap small" role="img" aria-label="The last {} runs: {}">{}</span>', len(runs), said, shapes
    )


@register.filter
def span(seconds: int | None) -> str:
    """`15 min`, `12 h`."""
    return words.span(seconds)


@register.filter
def condition(conditions: object) -> str:
    """A condition in words."""
    return words.condition(conditions)


@register.filter
def run_took(run: AutomationRun) -> float | None:
    """Milliseconds from its start to its end, or until now."""
    if run.started_at is None:
        return None
    ended: datetime = run.finished_at or timezone.now()
    return max(0.0, (ended - run.started_at).total_seconds() * 1000)


@register.filter
def shown_local(when: datetime) -> str:
    """A time in its own zone, as in `Sat 21 Nov 2026, 08:00`; templates would turn it into UTC."""
    return f"{when:%a} {when.day} {when:%b %Y, %H:%M}"
