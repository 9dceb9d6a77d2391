"""Badges for the platform's own words: a job's status, a delivery's, a notice's level, a token's."""

from __future__ import annotations

from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.safestring import SafeString

from donna_skills.accounts.models import ApiToken
from donna_skills.jobs import selectors
from donna_skills.jobs.models import JobRun, JobStatus
from donna_skills.notifications.models import Delivery, DeliveryStatus, Level
from donna_skills.templatetags.ui import badge

register = template.Library()

JOB_TONES: dict[str, str] = {
    JobStatus.QUEUED: "grey",
    JobStatus.RUNNING: "blue",
    JobStatus.SUCCEEDED: "green",
    JobStatus.FAILED: "red",
    JobStatus.INTERRUPTED: "amber",
    JobStatus.CANCELLED: "grey",
}
DELIVERY_TONES: dict[str, str] = {
    DeliveryStatus.QUEUED: "blue",
    DeliveryStatus.SENT: "green",
    DeliveryStatus.FAILED: "red",
    DeliveryStatus.SUPPRESSED: "grey",
}
LEVEL_TONES: dict[str, str] = {Level.INFO: "grey", Level.SUCCESS: "green", Level.WARNING: "amber", Level.ERROR: "red"}


@register.simple_tag
def job_badge(status: str) -> SafeString:
    code = JobStatus(status)
    return badge(code.label, JOB_TONES[code], title=code.value)


@register.filter
def job_name(job: JobRun) -> str:
    return selectors.name(job.kind)


@register.filter
def asked_by(job: JobRun) -> str:
    """Who asked for it: a person by name, else the bot or the part of the system that did."""
    label = job.requested_label
    return label.removeprefix("person ") if job.requested_by_id else label or "the system"


@register.simple_tag
def delivery_badge(delivery: Delivery) -> SafeString:
    code = DeliveryStatus(delivery.status)
    if delivery.dead:
        return badge("Given up", "red", title="failed: it can be sent again")
    return badge(code.label, DELIVERY_TONES[code], title=code.value)


@register.simple_tag
def level_badge(level: str) -> SafeString:
    code = Level(level)
    return badge(code.label, LEVEL_TONES[code], title=code.value)


@register.simple_tag
def token_badge(token: ApiToken) -> SafeString:
    """Whether the token opens the door, and if not why."""
    now = timezone.now()
    if token.revoked_at:
        return badge("Revoked", "red")
    if token.expires_at and token.expires_at <= now:
        return badge("Expired", "grey")
    if token.overlap_until:
        return badge("Replaced", "amber" if token.is_live(now) else "grey")
    return badge("Live", "green") if token.is_live(now) else badge("Shut out", "grey")


@register.filter
def took(job: JobRun) -> float | None:
    """Milliseconds from its start to its end, or until now."""
    if job.started_at is None:
        return None
    ended: datetime = job.finished_at or timezone.now()
    return max(0.0, (ended - job.started_at).total_seconds() * 1000)
