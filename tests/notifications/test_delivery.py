"""What is due goes out once, or later, or is kept for somebody to look at. Nothing is lost."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import User
from donna_skills.errors import Conflict
from donna_skills.jobs import services as jobs
from donna_skills.jobs.models import JobRun
from donna_skills.notifications import channels, delivery, events
from donna_skills.notifications.models import Channel, ChannelKind, Delivery, DeliveryStatus, Event, Notification
from tests.notifications.messages import queue, send
from tests.notifications.servers import Answer, HookServer, MailServer

pytestmark = pytest.mark.django_db

NOW = timezone.now  # deliveries are due at once, so that "now" is only ever moved forward

# -- webhooks --------------------------------------------------------------------------------------------------------


def test_a_webhook_is_signed_as_the_library_verifies_it(hook: Channel, hooks: HookServer, reviewer: User) -> None:
    queued = queue(reviewer)

    assert send() == {"sent": 1}

    request = hooks.requests[0]
    content = Webhook(hook.secrets[0]).verify(request.body, request.headers)
    assert content["type"] == "skill.flagged"
    assert content["data"]["payload"] == {"n": 18}
    assert content["data"]["notice"]["title"] == "Flagged: parse_task"
    assert content["data"]["event_id"] == str(queued.event_id)
    with pytest.raises(WebhookVerificationError):
        Webhook(channels.new_secret()).verify(request.body, request.headers)
    queued.refresh_from_db()
    assert (queued.status, queued.response_status, queued.lease_owner, queued.attempts) == ("sent", 204, "", 1)
    assert queued.sent_at is not None
    assert send() == {}


def test_while_a_secret_is_rotated_both_verify_and_afterwards_only_the_new_one(
    hook: Channel, hooks: HookServer, reviewer: User
) -> None:
    old = hook.secrets[0]
    new = channels.begin_rotation(hook, by=Actor.person(reviewer))
    queue(reviewer)
    send()
    request = hooks.requests[-1]
    assert len(request.headers["webhook-signature"].split()) == 2
    assert Webhook(old).verify(request.body, request.headers) == Webhook(new).verify(request.body, request.headers)
    with pytest.raises(Conflict, match="two secrets already"):
        channels.begin_rotation(hook, by=Actor.person(reviewer))

    channels.end_rotation(hook, by=Actor.person(reviewer))
    queue(reviewer)
    send()

    request = hooks.requests[-1]
    Webhook(new).verify(request.body, request.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(request.body, request.headers)


def test_a_failing_receiver_is_tried_again_with_the_same_id_and_the_same_text(
    hook: Channel, hooks: HookServer, reviewer: User
) -> None:
    queued = queue(reviewer)
    hooks.answers[:] = [Answer(500), Answer(503)]
    start = NOW()

    assert send(start) == {"queued": 1}
    queued.refresh_from_db()
    assert (queued.attempts, queued.response_status, queued.reason) == (1, 500, "The receiver answered 500.")
    assert queued.next_attempt_at == start + timedelta(seconds=30)
    assert send(start + timedelta(seconds=29)) == {}
    assert send(start + timedelta(seconds=30)) == {"queued": 1}
    assert send(start + timedelta(seconds=30 + 300)) == {"sent": 1}

    ids = {request.headers["webhook-id"] for request in hooks.requests}
    assert (len(hooks.requests), len(ids)) == (3, 1)
    assert len({request.body for request in hooks.requests}) == 1


def test_after_five_attempts_it_is_a_dead_letter_that_somebody_is_told_of_and_can_send_again(
    hook: Channel, hooks: HookServer, reviewer: User
) -> None:
    queued = queue(reviewer)
    hooks.answers[:] = [Answer(500)] * 5
    at = NOW()
    for _ in range(5):
        send(at)
        at += timedelta(hours=3)

    queued.refresh_from_db()
    assert (queued.status, queued.dead, queued.attempts) == (DeliveryStatus.FAILED, True, 5)
    assert queued.reason == "Given up after 5 attempts: The receiver answered 500."
    assert send(at) == {}
    assert Notification.objects.filter(person=reviewer, title="Messages on Rita's hook do not arrive").count() == 1

    delivery.redeliver(queued, by=Actor.person(reviewer))
    assert send() == {"sent": 1}

    queued.refresh_from_db()
    assert (queued.status, queued.dead, queued.attempts) == (DeliveryStatus.SENT, False, 1)
    with pytest.raises(Conflict, match="Only a delivery that was given up"):
        delivery.redeliver(queued, by=Actor.person(reviewer))


def test_what_the_receiver_asks_for_in_retry_after_is_waited_for(
    hook: Channel, hooks: HookServer, reviewer: User
) -> None:
    queued = queue(reviewer)
    hooks.answers[:] = [Answer(429, {"Retry-After": "900"})]
    start = NOW()

    send(start)

    queued.refresh_from_db()
    assert queued.next_attempt_at == start + timedelta(seconds=900)


def test_410_switches_the_channel_off_and_suppresses_what_waits_for_it(
    hook: Channel, hooks: HookServer, reviewer: User
) -> None:
    first, second = queue(reviewer), queue(reviewer)
    hooks.answers[:] = [Answer(410)]

    send()

    hook.refresh_from_db()
    first.refresh_from_db()
    second.refresh_from_db()
    assert (hook.enabled, hook.disabled_reason) == (False, "The receiver answered 410: it wants no more messages.")
    assert (first.status, first.dead, first.response_status) == (DeliveryStatus.FAILED, True, 410)
    assert (second.status, second.reason) == (DeliveryStatus.SUPPRESSED, "The channel is switched off.")
    assert len(hooks.requests) == 1
    assert Notification.objects.filter(person=reviewer, title__startswith="Messages on").exists()


def test_a_receiver_that_is_too_slow_is_tried_again(
    hook: Channel, hooks: HookServer, reviewer: User, monkeypatch: Any
) -> None:
    monkeypatch.setattr("donna_skills.notifications.senders.TIMEOUT_S", 0.3)
    queued = queue(reviewer)
    hooks.answers[:] = [Answer(204, wait_s=2)]

    assert send() == {"queued": 1}

    queued.refresh_from_db()
    assert "did not answer in time" in queued.last_error or "did not arrive in time" in queued.last_error


def test_a_redirect_is_not_followed(hook: Channel, hooks: HookServer, reviewer: User) -> None:
    queued = queue(reviewer)
    hooks.answers[:] = [Answer(307, {"Location": hooks.url + "/elsewhere"})]

    assert send() == {"queued": 1}

    queued.refresh_from_db()
    assert (len(hooks.requests), queued.response_status) == (1, 307)


def test_a_private_address_is_refused_at_once_and_not_tried_again(
    hook: Channel, hooks: HookServer, reviewer: User, settings: Any
) -> None:
    settings.WEBHOOK_ALLOW_HOSTS = []
    queued = queue(reviewer)

    assert send() == {"failed": 1}

    queued.refresh_from_db()
    assert (queued.dead, queued.attempts) == (True, 1)
    assert "private network" in queued.reason
    assert hooks.requests == []


def test_a_receiver_that_is_down_costs_one_attempt_a_round_and_others_are_served(
    reviewer: User, viewer: User, hook: Channel, hooks: HookServer, settings: Any
) -> None:
    settings.WEBHOOK_ALLOW_HOSTS = [*settings.WEBHOOK_ALLOW_HOSTS, "127.0.0.1:1"]
    down = Channel.objects.create(
        name="Down", person=viewer, kind=ChannelKind.WEBHOOK, target="http://127.0.0.1:1/", secrets=hook.secrets
    )
    for _ in range(3):
        queue(viewer)
    queue(reviewer)

    assert send() == {"queued": 1, "sent": 1}

    assert sorted(Delivery.objects.filter(channel=down).values_list("attempts", flat=True)) == [0, 0, 1]


# -- claims ----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_many_workers_send_each_message_once(hook: Channel, hooks: HookServer, reviewer: User, at_once: Any) -> None:
    for _ in range(12):
        queue(reviewer)

    at_once(lambda number: send())

    assert len(hooks.requests) == 12
    assert len({request.headers["webhook-id"] for request in hooks.requests}) == 12
    assert Delivery.objects.filter(status=DeliveryStatus.SENT, attempts=1).count() == 12


def test_a_delivery_whose_worker_was_killed_is_sent_when_its_lease_runs_out(
    hook: Channel, hooks: HookServer, reviewer: User
) -> None:
    queued = queue(reviewer)
    now = NOW()
    Delivery.objects.update(lease_owner="killed", lease_until=now + timedelta(seconds=60), attempts=1)

    assert send(now) == {}
    assert send(now + timedelta(seconds=61)) == {"sent": 1}

    queued.refresh_from_db()
    assert (queued.status, queued.attempts) == (DeliveryStatus.SENT, 2)


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_lost_its_delivery_does_not_settle_it(hook: Channel, hooks: HookServer, reviewer: User) -> None:
    queued = queue(reviewer)
    hooks.answers[:] = [Answer(500, wait_s=0.6)]
    outcome: list[dict[str, int]] = []

    def work() -> None:
        outcome.append(send())
        connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    while not hooks.requests:
        time.sleep(0.01)
    Delivery.objects.update(lease_owner="somebody else", status=DeliveryStatus.SENT)
    worker.join()

    queued.refresh_from_db()
    assert outcome == [{"taken_over": 1}]
    assert (queued.status, queued.lease_owner) == (DeliveryStatus.SENT, "somebody else")


def test_who_has_left_is_not_written_to(email: Channel, smtp: MailServer, reviewer: User) -> None:
    queued = queue(reviewer)
    User.objects.filter(pk=reviewer.pk).update(is_active=False)

    assert send() == {"suppressed": 1}

    queued.refresh_from_db()
    assert queued.reason == "The person has left."
    assert smtp.received == []


def test_what_waits_for_quiet_hours_to_end_goes_out_then(email: Channel, smtp: MailServer, reviewer: User) -> None:
    now = NOW()
    Channel.objects.update(quiet_from=(now - timedelta(hours=1)).time(), quiet_until=(now + timedelta(hours=1)).time())
    queue(reviewer)

    assert send(now) == {}
    assert send(now + timedelta(hours=1, seconds=1)) == {"sent": 1}


# -- the duty and its job --------------------------------------------------------------------------------------------


def test_the_duty_asks_for_one_job_and_only_where_something_is_due(
    hook: Channel, hooks: HookServer, reviewer: User, settings: Any
) -> None:
    settings.JOB_HANDLERS = {delivery.JOB_KIND: "donna_skills.notifications.delivery.work"}
    assert delivery.wake(NOW()) is None
    queue(reviewer)

    job = delivery.wake(NOW())
    assert job is not None
    assert delivery.wake(NOW()) == job

    done = jobs.run(job.pk)
    assert done is not None
    assert (done.status, done.report) == ("succeeded", {"sent": 1})
    assert delivery.wake(NOW()) is None
    assert JobRun.objects.count() == 1


def test_a_dead_channel_that_follows_everything_does_not_feed_itself(
    hooks: HookServer, allow: Any, admin: User, hook: Channel
) -> None:
    allow("127.0.0.1:1")
    Channel.objects.filter(pk=hook.pk).update(target="http://127.0.0.1:1/", event_kinds=["*"])
    with transaction.atomic():
        events.publish("skill.flagged", subject_type="skill", subject_id="7")
    at = NOW()
    for _ in range(12):
        send(at)
        at += timedelta(hours=3)

    assert Event.objects.count() == 2
    assert Delivery.objects.count() == 1
