"""E-mail through a real SMTP conversation."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from donna_skills.accounts.models import User
from donna_skills.notifications.models import Channel, Delivery, DeliveryStatus
from tests.notifications.messages import queue, send
from tests.notifications.servers import MailServer

pytestmark = pytest.mark.django_db


def test_an_e_mail_says_what_happened_and_where_to_look(
    email: Channel, smtp: MailServer, reviewer: User, settings: Any
) -> None:
    settings.PUBLIC_URL = "https://skills.example.org"
    queued = queue(reviewer, title="Flagged:\nparse_task & more")

    assert send() == {"sent": 1}

    message = smtp.received[0]
    assert message["To"] == "rita@example.org"
    assert message["Subject"] == "Flagged: parse_task & more"
    assert str(queued.pk) in message["Message-ID"]
    text = message.get_payload()
    assert "Agreement fell." in text
    assert "https://skills.example.org/review/1/" in text


def test_a_mail_server_that_is_down_for_an_hour_gets_everything_afterwards(
    email: Channel, smtp: MailServer, reviewer: User
) -> None:
    titles = [f"Message {number}" for number in range(5)]
    for title in titles:
        queue(reviewer, title=title)
    smtp.stop()
    start = timezone.now()
    for minutes in range(0, 60, 5):
        send(start + timedelta(minutes=minutes))
    assert smtp.received == []
    assert not Delivery.objects.exclude(status=DeliveryStatus.QUEUED).exists()

    smtp.start()
    for minutes in range(60, 240, 5):
        send(start + timedelta(minutes=minutes))

    assert sorted(message["Subject"] for message in smtp.received) == titles
    assert not Delivery.objects.exclude(status=DeliveryStatus.SENT).exists()


def test_a_recipient_that_the_mail_server_does_not_know_is_given_up_at_once(
    email: Channel, smtp: MailServer, reviewer: User
) -> None:
    smtp.refuse = "550 no such user"
    queued = queue(reviewer)

    assert send() == {"failed": 1}

    queued.refresh_from_db()
    assert (queued.dead, queued.reason) == (True, "The mail server refused the recipient: no such user.")


def test_a_recipient_that_is_refused_for_now_is_tried_again(email: Channel, smtp: MailServer, reviewer: User) -> None:
    smtp.refuse = "450 mailbox busy"
    queue(reviewer)

    assert send() == {"queued": 1}
