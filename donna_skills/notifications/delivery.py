"""Send what is due, and settle it. The only writer of a delivery once it is queued.

`wake` is the scheduler's duty: where something is due it asks for one job, and never for a second one. The job calls
`deliver_due` in a worker. A delivery is claimed by a lease before it is sent; one whose worker was killed is due again
when the lease runs out, with the same message id, so that a receiver can tell a repetition.
"""

from __future__ import annotations

import logging
import random
import time
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from donna_skills.accounts.actors import Actor
from donna_skills.accounts.roles import Permission
from donna_skills.audit import services as audit
from donna_skills.errors import Conflict
from donna_skills.jobs import leases
from donna_skills.jobs import services as jobs
from donna_skills.jobs.models import JobRun
from donna_skills.jobs.progress import Progress
from donna_skills.notifications import backoff, channels, events, inbox, senders
from donna_skills.notifications.models import Channel, Delivery, DeliveryStatus

logger = logging.getLogger(__name__)

JOB_KIND = "notifications.deliver"
TEST_KIND = "channel.tested"
_BUDGET_S = 240.0


def wake(now: datetime) -> JobRun | None:
    """A duty: have a worker send what is due."""
    if not due(now).exists():
        return None
    return jobs.enqueue(JOB_KIND, by=Actor.system("scheduler"), key=JOB_KIND)


def work(job: JobRun, progress: Progress) -> dict[str, Any]:
    """The job's handler."""
    return dict(deliver_due(timezone.now(), progress=progress))


def due(now: datetime) -> QuerySet[Delivery]:
    """What waits to be sent and is in nobody's hands."""
    free = Q(lease_until__isnull=True) | Q(lease_until__lt=now)
    return Delivery.objects.filter(free, status=DeliveryStatus.QUEUED, next_attempt_at__lte=now)


def deliver_due(
    now: datetime, *, progress: Progress | None = None, budget_s: float = _BUDGET_S, chance: float | None = None
) -> Mapping[str, int]:
    """Send everything that is due at `now`, the longest waiting first; the answer counts what became of it.

    A channel that fails is left alone for the rest of the round: a receiver that is down costs one time-out, not one
    for each message that waits for it. What `budget_s` leaves undone is due next time.
    """
    counts: Counter[str] = Counter()
    failing: set[UUID] = set()
    ends = time.monotonic() + budget_s
    while time.monotonic() < ends:
        waiting = due(now).exclude(channel__in=failing).order_by("next_attempt_at", "created_at")
        delivery = waiting.select_related("channel__person", "event").first()
        if delivery is None:
            break
        owner = leases.new_owner()
        if not _claim(delivery, owner=owner, now=now):
            continue
        outcome = _attempt(delivery, owner=owner, now=now, chance=random.random() if chance is None else chance)  # noqa: S311
        counts[outcome] += 1
        if outcome not in (DeliveryStatus.SENT, DeliveryStatus.SUPPRESSED):
            failing.add(delivery.channel_id)
        if progress:
            progress(counts.total(), counts.total(), f"{counts[DeliveryStatus.SENT]} sent")
    return counts


def redeliver(delivery: Delivery, *, by: Actor) -> Delivery:
    """Queue a given-up delivery anew, with all its attempts. It is for who manages the channel to ask for."""
    channels.require_manager(delivery.channel, by=by)
    with transaction.atomic():
        again = Delivery.objects.filter(pk=delivery.pk, dead=True, channel__enabled=True).update(
            status=DeliveryStatus.QUEUED, dead=False, attempts=0, next_attempt_at=timezone.now(), reason=""
        )
        if not again:
            raise Conflict("Only a delivery that was given up, on a channel that is switched on, can be sent again.")
        audit.record("delivery.redelivered", actor=by, subject_type="delivery", subject_id=delivery.pk)
        _ring()
    delivery.refresh_from_db()
    return delivery


def test(channel: Channel, *, by: Actor) -> Delivery:
    """Send a message that says that it is a test, at once and whatever the quiet hours; one on its way at a time."""
    channels.require_manager(channel, by=by)
    with transaction.atomic():
        locked = Channel.objects.select_for_update().get(pk=channel.pk)
        if not locked.enabled:
            raise Conflict("The channel is switched off: switch it on before you test it.")
        if Delivery.objects.filter(channel=locked, event__kind=TEST_KIND, status=DeliveryStatus.QUEUED).exists():
            raise Conflict("A test is on its way on this channel already.")
        facts = {"name": locked.name, "kind": locked.kind}
        audit.record(TEST_KIND, actor=by, subject_type="channel", subject_id=locked.pk, data=facts)
        # The event is in the feed for the receivers of everything; the channel itself is told by its own delivery.
        event = events.publish(TEST_KIND, subject_type="channel", subject_id=locked.pk, payload=facts)
        delivery = Delivery.objects.create(
            event=event,
            channel=locked,
            title=f"A test of {locked.name}"[: inbox.TITLE_LENGTH],
            body=f"{by.label} asked for it. Messages of Donna Skills reach you here.",
            next_attempt_at=event.at,
            created_at=event.at,
        )
        _ring()
    return delivery


def _ring() -> None:
    """Have a worker send what is due now rather than at the scheduler's next round."""
    jobs.enqueue(JOB_KIND, by=Actor.system("notifications"), key=JOB_KIND)


def _claim(delivery: Delivery, *, owner: str, now: datetime) -> bool:
    """One conditional update. The lease runs from the present, whatever `now` is being asked about."""
    until = max(now, timezone.now()) + timedelta(seconds=leases.lease_seconds())
    free = due(now).filter(pk=delivery.pk)
    return free.update(lease_owner=owner, lease_until=until, attempts=F("attempts") + 1) == 1


def _attempt(delivery: Delivery, *, owner: str, now: datetime, chance: float) -> str:
    """Send a claimed delivery outside any transaction, then settle it."""
    delivery.attempts += 1
    if why_not := _obstacle(delivery.channel):
        return _settle(delivery, owner, status=DeliveryStatus.SUPPRESSED, reason=why_not)
    try:
        with leases.renewing(Delivery, delivery.pk, owner):
            answered = senders.send(delivery)
    except senders.NotSent as error:
        return _failed(delivery, error, owner=owner, now=now, chance=chance)
    except Exception as error:
        # A library's surprise is a failed attempt of this one message; the others still go out.
        logger.exception("A delivery failed unexpectedly.", extra={"delivery": str(delivery.pk)})
        surprise = senders.NotSent(f"Unexpected: {type(error).__name__}: {error}")
        return _failed(delivery, surprise, owner=owner, now=now, chance=chance)
    return _settle(
        delivery, owner, status=DeliveryStatus.SENT, reason="", sent_at=timezone.now(), response_status=answered
    )


def _obstacle(channel: Channel) -> str:
    """What has changed since the message was queued, and means that it must not go out any more."""
    if not channel.enabled:
        return "The channel is switched off."
    if channel.person and not channel.person.is_active:
        return "The person has left."
    return ""


def _failed(delivery: Delivery, error: senders.NotSent, *, owner: str, now: datetime, chance: float) -> str:
    """Try again later, or give up; whoever says 410 is not written to any more."""
    wait = backoff.wait(delivery.attempts, chance=chance, asked_s=error.retry_after_s)
    told = {"last_error": error.message, "response_status": error.response_status}
    logger.info("A delivery was not sent.", extra={"delivery": str(delivery.pk), "why": error.message})
    if error.gone:
        channels.disable(delivery.channel, reason="The receiver answered 410: it wants no more messages.")
        return _give_up(delivery, owner, "The receiver answered 410, so the channel was switched off.", told)
    if error.final:
        return _give_up(delivery, owner, error.message, told)
    if wait is None:
        return _give_up(delivery, owner, f"Given up after {delivery.attempts} attempts: {error.message}", told)
    return _settle(
        delivery, owner, status=DeliveryStatus.QUEUED, reason=error.message, next_attempt_at=now + wait, **told
    )


def _give_up(delivery: Delivery, owner: str, reason: str, told: dict[str, Any]) -> str:
    """The dead letter, and a word to who may send it again: inside the house, where it cannot fail the same way."""
    with transaction.atomic():
        outcome = _settle(delivery, owner, status=DeliveryStatus.FAILED, reason=reason, dead=True, **told)
        if outcome != DeliveryStatus.FAILED:
            return outcome
        channel = delivery.channel
        notice = events.Notice(
            title=f"Messages on {channel.name} do not arrive",
            body=reason,
            level="warning",
            people=(channel.person,) if channel.person else (),
            permission="" if channel.person else Permission.MANAGE_SETTINGS,
        )
        # One line a day for a channel, however many of its messages are lost.
        key = f"channel.failing:{channel.pk}:{timezone.now():%Y-%m-%d}"
        events.publish(
            "channel.failing",
            subject_type="channel",
            subject_id=channel.pk,
            payload={"reason": reason},
            dedup_key=key,
            notify=notice,
        )
    return outcome


def _settle(delivery: Delivery, owner: str, *, status: DeliveryStatus, reason: str, **values: Any) -> str:
    """Write the outcome, unless somebody else holds the delivery by now."""
    mine = Delivery.objects.filter(pk=delivery.pk, lease_owner=owner)
    if mine.update(status=status, reason=reason[:300], **values, **leases.RELEASED):
        return status
    logger.warning("A delivery was taken over while it was being sent.", extra={"delivery": str(delivery.pk)})
    return "taken_over"
