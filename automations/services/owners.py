"""What the owner of an automation is told: that it is paused, in error, or may start less often. Each thing once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import F

from automations.models import Automation, PauseReason, Status
from automations.services import rhythms
from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import User
from donna_skills.audit import services as audit
from donna_skills.notifications import events
from donna_skills.notifications.models import Level

SYSTEM = Actor.system("automations")


def pause_after_failures(automation: Automation, *, failures: int, why: str, now: datetime) -> bool:
    """Pause an active automation that has failed too often in a row; False when somebody was faster.

    Inside the transaction that settles the last failure.
    """
    note = f"It has failed {failures} times in a row. The last time: {why}"[:2000]
    active = Automation.objects.filter(pk=automation.pk, status=Status.ACTIVE)
    columns = {"status": Status.PAUSED, "pause_reason": PauseReason.FAILURES, "pause_note": note}
    if not active.update(**columns, **rhythms.NOTHING_DUE, revision=F("revision") + 1, updated_at=now):
        return False
    tell(
        "automation.paused",
        automation,
        title=f"{automation.name} is paused: it failed {failures} times in a row",
        body=f"{note}\nResume it when the cause is mended.",
        level=Level.ERROR,
        facts={"reason": PauseReason.FAILURES, "failures": failures},
    )
    return True


def set_in_error(automation: Automation, *, why: str, now: datetime) -> None:
    """An automation whose next start cannot be worked out any more."""
    active = Automation.objects.filter(pk=automation.pk).exclude(status__in=[Status.DELETED, Status.ERROR])
    columns = {"status": Status.ERROR, "pause_reason": "", "pause_note": why[:2000], **rhythms.NOTHING_DUE}
    if active.update(**columns, revision=F("revision") + 1, updated_at=now):
        tell(
            "automation.in_error",
            automation,
            title=f"{automation.name} cannot be scheduled any more",
            body=f"{why}\nChange its schedule or time zone, and it goes on.",
            level=Level.ERROR,
            facts={"why": why},
        )


def tell(
    kind: str,
    automation: Automation,
    *,
    title: str,
    body: str,
    level: Level,
    facts: dict[str, Any],
    dedup_key: str = "",
) -> None:
    """One event, one audit row, and a line for the owner."""
    content = {"name": automation.name, **facts}
    audit.record(kind, actor=SYSTEM, subject_type="automation", subject_id=automation.pk, data=content)
    events.publish(
        kind,
        subject_type="automation",
        subject_id=automation.pk,
        payload=content,
        dedup_key=dedup_key,
        notify=events.Notice(title=title, body=body, url=address(automation), level=level, people=people([automation])),
    )


def people(automations: Sequence[Automation]) -> tuple[User, ...]:
    """The owners, each once."""
    return tuple(User.objects.filter(pk__in={automation.owner_id for automation in automations}))


def address(automation: Automation) -> str:
    return f"/automations/{automation.pk}/"
