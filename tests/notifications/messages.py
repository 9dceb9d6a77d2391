"""Queue a message for one person, and send what is due."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from donna_skills.accounts.models import User
from donna_skills.notifications import delivery, events
from donna_skills.notifications.events import Notice
from donna_skills.notifications.models import Delivery


def queue(person: User, **values: Any) -> Delivery:
    notice = Notice(**{"title": "Flagged: parse_task", "body": "Agreement fell.", "url": "/review/1/", **values})
    with transaction.atomic():
        event = events.publish(
            "skill.flagged", subject_type="skill", subject_id="7", payload={"n": 18},
            notify=Notice(notice.title, notice.body, notice.url, notice.level, people=(person,)),
        )  # fmt: skip
    return Delivery.objects.get(event=event)


def send(at: datetime | None = None) -> dict[str, int]:
    return dict(delivery.deliver_due(at or timezone.now(), chance=0.5))
