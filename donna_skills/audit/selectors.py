"""Reads of the audit log for its page."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from django.db.models import Max, Q, QuerySet

from donna_skills.audit.models import AuditEvent


def events(
    *,
    actor_kind: str = "",
    subject_type: str = "",
    text: str = "",
    since: date | None = None,
    until: date | None = None,
) -> QuerySet[AuditEvent]:
    """Events, the newest first. `text` is the start of an action or of an actor's name, or a whole id of a subject or
    a request; `since` and `until` are UTC days, both included."""
    found = AuditEvent.objects.all()
    if actor_kind:
        found = found.filter(actor_kind=actor_kind)
    if subject_type:
        found = found.filter(subject_type=subject_type)
    if text:
        exact = Q(subject_id=text) | Q(request_id=text)
        found = found.filter(Q(action__istartswith=text) | Q(actor_label__istartswith=text) | exact)
    if since:
        found = found.filter(at__gte=_midnight(since))
    if until and until < date.max:
        found = found.filter(at__lt=_midnight(until + timedelta(days=1)))
    return found


def subject_types() -> list[str]:
    """What events are about, for the filter."""
    return list(AuditEvent.objects.order_by("subject_type").values_list("subject_type", flat=True).distinct())


def newest_seq() -> int:
    """The number of the newest event, 0 when there is none. Numbers have no gaps, so it is also how many there are."""
    return AuditEvent.objects.aggregate(newest=Max("seq"))["newest"] or 0


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=UTC)
