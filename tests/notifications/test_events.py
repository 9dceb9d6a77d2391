"""What happened, and who is told: once, and only if it is true."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.db.transaction import TransactionManagementError
from django.utils import timezone

from donna_skills.accounts.models import User
from donna_skills.accounts.roles import Permission
from donna_skills.notifications import events, inbox, selectors
from donna_skills.notifications.events import Notice
from donna_skills.notifications.models import (
    Channel,
    ChannelKind,
    Delivery,
    DeliveryStatus,
    Event,
    Notification,
    Way,
)

pytestmark = pytest.mark.django_db

FOR_REVIEWERS = Notice(
    title="A draft waits for you",
    body="parse_task has a first draft.",
    url="/review/1/",
    permission=Permission.DECIDE_REVIEWS,
)


def publish(kind: str = "draft.created", **values: Any) -> Event:
    with transaction.atomic():
        return events.publish(kind, **{"subject_type": "skill", "subject_id": 7, **values})


def test_an_event_has_the_next_number_and_a_payload_of_plain_json() -> None:
    first = publish(payload={"cost": Decimal("0.10"), "by": None})
    second = publish()

    assert (first.seq, second.seq) == (1, 2)
    assert Event.objects.get(pk=first.pk).payload == {"cost": "0.10", "by": None}
    assert first.subject_id == "7"


@pytest.mark.django_db(transaction=True)
def test_publishing_outside_a_transaction_is_refused() -> None:
    with pytest.raises(TransactionManagementError):
        events.publish("draft.created", subject_type="skill", subject_id="7")


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_was_never_told(reviewer: User, email: Channel) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        events.publish("draft.created", subject_type="skill", subject_id="7", notify=FOR_REVIEWERS)
        raise ZeroDivisionError

    assert not Event.objects.exists()
    assert not Notification.objects.exists()
    assert not Delivery.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_numbers_have_no_gaps_however_many_publish_at_once(at_once: Any) -> None:
    at_once(lambda number: [publish(payload={"by": number}) for _ in range(5)], threads=4)

    assert list(Event.objects.values_list("seq", flat=True)) == list(range(1, 21))


@pytest.mark.django_db(transaction=True)
def test_a_reader_of_the_feed_skips_nothing_while_others_publish(at_once: Any) -> None:
    seen: list[int] = []

    def read_or_write(number: int) -> None:
        for _ in range(15):
            if number:
                publish()
            else:
                seen.extend(event.seq for event in selectors.feed(seen[-1] if seen else 0, 100))

    at_once(read_or_write, threads=4)
    seen.extend(event.seq for event in selectors.feed(seen[-1] if seen else 0, 100))

    assert seen == list(range(1, 46))


def test_everybody_with_the_permission_and_everybody_named_is_told_once(reviewer: User, viewer: User) -> None:
    gone = User.objects.create_user("gone", is_active=False)
    publish(notify=Notice(title="Look", permission=Permission.DECIDE_REVIEWS, people=(viewer, reviewer, gone)))

    assert set(Notification.objects.values_list("person__username", flat=True)) == {"rita", "vera"}
    assert selectors.unread(reviewer) == 1


def test_an_unchanged_thing_never_notifies_twice(reviewer: User, email: Channel) -> None:
    events_made = {publish(dedup_key="draft:7:HOLD", payload={"why": "n"}, notify=FOR_REVIEWERS).pk for _ in range(3)}

    assert len(events_made) == 1
    assert Notification.objects.count() == 1
    assert Delivery.objects.count() == 1


def test_a_changed_reason_under_the_same_key_updates_quietly(reviewer: User, email: Channel) -> None:
    publish(dedup_key="draft:7:HOLD", payload={"n": 18}, notify=Notice("Held", "n is 18", people=(reviewer,)))
    inbox.mark_read(reviewer)
    before = Notification.objects.get()

    publish(dedup_key="draft:7:HOLD", payload={"n": 19}, notify=Notice("Held", "n is 19", people=(reviewer,)))

    line = Notification.objects.get()
    assert (line.body, line.read_at, line.pk) == ("n is 19", before.read_at, before.pk)
    assert line.updated_at > before.updated_at
    assert selectors.unread(reviewer) == 0
    assert [event.payload["n"] for event in Event.objects.all()] == [18, 19]
    # It is told once, and says what is true when it goes out.
    assert Delivery.objects.get().body == "n is 19"


def test_a_role_s_channel_hears_of_a_key_once_too(reviewer: User) -> None:
    Channel.objects.create(name="Reviewers", role="reviewer", kind=ChannelKind.APPRISE, target="tgram://123:abc/1")

    publish(dedup_key="k", payload={"n": 1}, notify=FOR_REVIEWERS)
    publish(dedup_key="k", payload={"n": 2}, notify=FOR_REVIEWERS)

    assert Delivery.objects.count() == 1


def test_another_key_notifies_again_and_no_key_always_does(reviewer: User) -> None:
    for key in ("draft:7:HOLD", "draft:7:PASS", "", ""):
        publish(dedup_key=key, notify=FOR_REVIEWERS)

    assert selectors.unread(reviewer) == 4


def test_who_comes_later_is_told_of_what_is_still_true(reviewer: User, viewer: User) -> None:
    publish(dedup_key="k", notify=Notice("Look", people=(reviewer,)))
    publish(dedup_key="k", notify=Notice("Look", people=(reviewer, viewer)))

    assert (selectors.unread(reviewer), selectors.unread(viewer)) == (1, 1)
    assert Event.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_publishing_the_same_at_once_tells_once(reviewer: User, email: Channel, at_once: Any) -> None:
    at_once(lambda number: publish(dedup_key="k", payload={"n": 1}, notify=FOR_REVIEWERS), threads=6)

    assert (Event.objects.count(), Notification.objects.count(), Delivery.objects.count()) == (1, 1, 1)


def test_marking_read_touches_the_person_s_own_lines_only(reviewer: User, viewer: User) -> None:
    publish(notify=Notice("One", people=(reviewer, viewer)))
    publish(notify=Notice("Two", people=(reviewer, viewer)))
    other = Notification.objects.filter(person=viewer).first()
    mine = Notification.objects.filter(person=reviewer).first()
    assert other and mine

    assert inbox.mark_read(reviewer, ids=[mine.pk, other.pk]) == 1
    assert (selectors.unread(reviewer), selectors.unread(viewer)) == (1, 2)
    assert inbox.mark_read(reviewer) == 1
    assert inbox.mark_read(reviewer) == 0


def test_who_wants_no_line_in_the_inbox_has_no_badge(reviewer: User) -> None:
    inbox.prefer(reviewer, way=Way.INBOX, enabled=False, event_kind="draft.created")

    publish("draft.created", notify=FOR_REVIEWERS)
    publish("skill.flagged", notify=FOR_REVIEWERS)

    assert selectors.unread(reviewer) == 1


def test_a_message_that_was_switched_off_is_suppressed_with_its_reason(reviewer: User, email: Channel) -> None:
    inbox.prefer(reviewer, way=Way.EMAIL, enabled=False)
    inbox.prefer(reviewer, way=Way.EMAIL, enabled=True, event_kind="skill.flagged")

    publish("draft.created", notify=FOR_REVIEWERS)
    publish("skill.flagged", notify=FOR_REVIEWERS)

    off, on = Delivery.objects.order_by("event__seq")
    assert (off.status, off.reason) == (DeliveryStatus.SUPPRESSED, "Switched off: no E-mail for draft.created.")
    assert on.status == DeliveryStatus.QUEUED


def test_a_channel_gets_an_event_once_for_whatever_reason(admin: User) -> None:
    channel = Channel.objects.create(
        name="Both", person=admin, kind=ChannelKind.WEBHOOK, target="https://example.org", event_kinds=["*"]
    )

    publish(notify=Notice("Look", people=(admin,)))

    assert [delivery.channel for delivery in Delivery.objects.all()] == [channel]


@pytest.mark.parametrize(
    ("kinds", "hears"),
    [(["*"], True), (["draft.*"], True), (["draft.created"], True), (["skill.*"], False), ([], False)],
)
def test_a_webhook_follows_the_kinds_that_it_names(kinds: list[str], hears: bool) -> None:
    Channel.objects.create(
        name="Bots", role="admin", kind=ChannelKind.WEBHOOK, target="https://example.org", event_kinds=kinds
    )

    publish("draft.created")

    assert Delivery.objects.exists() is hears


def test_a_channel_is_not_told_about_itself(admin: User) -> None:
    channel = Channel.objects.create(
        name="All", role="admin", kind=ChannelKind.WEBHOOK, target="https://example.org", event_kinds=["*"]
    )

    publish("channel.failing", subject_type="channel", subject_id=channel.pk)

    assert not Delivery.objects.exists()


def test_a_channel_that_is_switched_off_gets_nothing(reviewer: User, email: Channel) -> None:
    Channel.objects.update(enabled=False)

    publish(notify=FOR_REVIEWERS)

    assert not Delivery.objects.exists()


def test_quiet_hours_hold_back_and_never_drop(reviewer: User, email: Channel) -> None:
    now = timezone.now()
    quiet_until = (now + timedelta(hours=2)).time().replace(second=0, microsecond=0)
    Channel.objects.update(quiet_from=(now - timedelta(hours=1)).time(), quiet_until=quiet_until)

    publish(notify=FOR_REVIEWERS)

    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.reason) == (DeliveryStatus.QUEUED, "Held back until the quiet hours end.")
    assert delivery.next_attempt_at is not None
    assert timedelta(hours=1, minutes=58) < delivery.next_attempt_at - now <= timedelta(hours=2)


def test_a_long_title_is_cut_and_not_refused(reviewer: User, email: Channel) -> None:
    publish(notify=Notice("x" * 500, people=(reviewer,)))

    assert len(Notification.objects.get().title) == 200
    assert len(Delivery.objects.get().title) == 200


def test_telling_fifty_people_is_a_constant_number_of_queries(django_assert_max_num_queries: Any) -> None:
    people = tuple(User.objects.bulk_create(User(username=f"person{number}") for number in range(50)))
    Channel.objects.bulk_create(
        Channel(name="Mail", person=person, kind=ChannelKind.EMAIL, target="a@example.org") for person in people
    )

    with django_assert_max_num_queries(18):
        publish(dedup_key="k", notify=Notice("Look", people=people))

    assert Delivery.objects.count() == 50
