"""The page of channels: making one, testing it, its secrets and quiet hours, and sending the dead letters again."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import User
from donna_skills.audit.models import AuditEvent
from donna_skills.errors import Conflict, NotPermitted
from donna_skills.jobs.models import JobRun
from donna_skills.notifications import channels, delivery, quiet
from donna_skills.notifications.models import Channel, Delivery, DeliveryStatus, Event
from tests.notifications.servers import HookServer

pytestmark = pytest.mark.django_db
HOURS = {"quiet_from": "", "quiet_until": "", "zone": "UTC"}
POLLING = 'hx-trigger="every 2s"'


@pytest.fixture
def rita(client: Client, reviewer: User) -> Client:
    client.force_login(reviewer)
    return client


def act(channel: Channel, name: str) -> str:
    return f"/inbox/channels/{channel.pk}/{name}/"


def text(client: Client, path: str = "/inbox/channels/") -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def send() -> dict[str, int]:
    return dict(delivery.deliver_due(timezone.now(), chance=0.5))


def test_an_empty_page_says_how_to_begin(rita: Client) -> None:
    page = text(rita)
    assert "No channels yet" in page and "Messages that were given up" in page
    assert 'name="role"' not in page and 'name="event_kinds"' not in page


def test_a_person_makes_a_channel_of_their_own_whatever_the_form_says(rita: Client, reviewer: User) -> None:
    sent = {
        **HOURS,
        "name": "My mail",
        "kind": "email",
        "target": "rita@example.org",
        "role": "admin",
        "event_kinds": "*",
    }
    assert rita.post("/inbox/channels/new/", sent).status_code == 302
    made = Channel.objects.get()
    assert (made.person, made.role, made.event_kinds) == (reviewer, "", [])
    assert "My mail" in text(rita)


def test_who_manages_settings_makes_one_for_a_role(client: Client, admin: User) -> None:
    client.force_login(admin)
    sent = {**HOURS, "name": "All reviewers", "kind": "email", "target": "r@example.org", "role": "reviewer"}
    assert client.post("/inbox/channels/new/", sent).status_code == 302
    assert (Channel.objects.get().person, Channel.objects.get().role) == (None, "reviewer")
    assert "every reviewer" in text(client)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"target": "nobody"}, "This is not an e-mail address."),
        ({"name": ""}, "This field is required."),
        ({"kind": "webhook", "target": "http://127.0.0.1/hook"}, "private"),
        ({"quiet_from": "22:00"}, "Quiet hours have a beginning and an end."),
        ({"zone": "Mars/Base"}, "There is no time zone"),
        ({"quiet_from": "late"}, "Enter a valid time."),
    ],
)
def test_what_is_wrong_comes_back_with_what_was_typed(rita: Client, change: dict[str, str], sentence: str) -> None:
    sent = {**HOURS, "name": "Mine", "kind": "email", "target": "rita@example.org", **change}
    answer = rita.post("/inbox/channels/new/", sent)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert sentence in page
    assert 'role="alert"' in page or 'aria-invalid="true"' in page
    assert not Channel.objects.exists()


def test_a_webhooks_secret_is_shown_once_and_never_kept_by_a_cache(rita: Client, hooks: HookServer, allow: Any) -> None:
    allow(hooks.host)
    answer = rita.post("/inbox/channels/new/", {**HOURS, "name": "Hook", "kind": "webhook", "target": hooks.url})
    secret = Channel.objects.get().secrets[0]
    assert answer.status_code == 200 and secret in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    assert secret not in text(rita)

    rotated = rita.post(act(Channel.objects.get(), "begin-rotation")).content.decode()
    assert Channel.objects.get().secrets[0] in rotated and secret not in rotated
    assert rita.post(act(Channel.objects.get(), "begin-rotation")).status_code == 409
    assert rita.post(act(Channel.objects.get(), "end-rotation")).status_code == 302
    assert len(Channel.objects.get().secrets) == 1


def test_a_test_goes_out_at_once_and_the_card_shows_it_arrive(rita: Client, hook: Channel, hooks: HookServer) -> None:
    assert rita.get(act(hook, "test")).status_code == 405
    assert rita.post(act(hook, "test")).status_code == 302
    assert JobRun.objects.get().kind == delivery.JOB_KIND
    assert POLLING in text(rita, act(hook, "newest"))
    again = rita.post(act(hook, "test"))
    assert again.status_code == 409 and "on its way on this channel already" in again.content.decode()

    assert send() == {"sent": 1}
    newest = text(rita, act(hook, "newest"))
    assert POLLING not in newest and "Sent" in newest and "A test of Rita" in newest
    assert len(hooks.requests) == 1
    assert AuditEvent.objects.get(action="channel.tested").subject_id == str(hook.pk)
    assert Event.objects.get(kind="channel.tested").subject_id == str(hook.pk)


def test_a_test_does_not_wait_for_quiet_hours_nor_go_out_on_a_channel_that_is_off(
    reviewer: User, hook: Channel
) -> None:
    by = Actor.person(reviewer)
    now = timezone.now()
    Channel.objects.filter(pk=hook.pk).update(quiet_from="00:00", quiet_until="23:59")
    assert delivery.test(hook, by=by).next_attempt_at <= timezone.now()  # type: ignore[operator]
    channels.disable(hook, reason="Enough.", by=by)
    with pytest.raises(Conflict, match="switched off"):
        delivery.test(hook, by=by)
    assert Delivery.objects.get().status == DeliveryStatus.SUPPRESSED
    assert Delivery.objects.get().created_at >= now


def test_quiet_hours_are_set_and_taken_away(rita: Client, email: Channel) -> None:
    rita.post(act(email, "quiet-hours"), {"quiet_from": "22:00", "quiet_until": "07:00", "zone": "Europe/Prague"})
    email.refresh_from_db()
    assert (str(email.quiet_from), str(email.quiet_until), email.zone) == ("22:00:00", "07:00:00", "Europe/Prague")
    assert "22:00 to 07:00, Europe/Prague" in text(rita)
    assert AuditEvent.objects.get(action="channel.quiet_hours_set").data["quiet_from"] == "22:00:00"
    late = timezone.now().replace(hour=22, minute=30)
    assert quiet.release_at(late, quiet_from=email.quiet_from, quiet_until=email.quiet_until, zone=email.zone) > late

    for wrong in ({"quiet_from": "22:00"}, {"zone": "Mars/Base"}, {"quiet_from": "late", "quiet_until": "later"}):
        assert rita.post(act(email, "quiet-hours"), {**HOURS, **wrong}).status_code == 422
    assert rita.post(act(email, "quiet-hours"), HOURS).status_code == 302
    email.refresh_from_db()
    assert email.quiet_from is None


def test_a_channel_is_switched_off_with_a_reason_and_on_again(rita: Client, email: Channel) -> None:
    rita.post(act(email, "disable"), {"reason": "On holiday."})
    email.refresh_from_db()
    assert (email.enabled, email.disabled_reason) == (False, "On holiday.")
    assert "On holiday." in text(rita)
    rita.post(act(email, "enable"))
    email.refresh_from_db()
    assert email.enabled


def test_nobody_touches_a_channel_that_is_not_theirs(client: Client, viewer: User, hook: Channel) -> None:
    client.force_login(viewer)
    assert "Rita" not in text(client)
    for name in ("test", "enable", "disable", "begin-rotation", "end-rotation"):
        assert client.post(act(hook, name)).status_code == 403, name
    assert client.post(act(hook, "quiet-hours"), HOURS).status_code == 403
    assert client.get(act(hook, "newest")).status_code == 403
    assert client.post(act(hook, "explode")).status_code == 404
    assert not Delivery.objects.exists()
    hook.refresh_from_db()
    assert hook.enabled and len(hook.secrets) == 1


def dead(channel: Channel, reviewer: User) -> Delivery:
    letter = delivery.test(channel, by=Actor.person(reviewer))
    given_up = {"status": DeliveryStatus.FAILED, "dead": True, "attempts": 5, "reason": "The receiver answered 500."}
    Delivery.objects.filter(pk=letter.pk).update(**given_up)
    return letter


def test_a_dead_letter_is_sent_again_from_the_page_once(
    rita: Client, reviewer: User, hook: Channel, hooks: HookServer
) -> None:
    letter = dead(hook, reviewer)
    assert "The receiver answered 500." in text(rita)
    path = f"/inbox/deliveries/{letter.pk}/redeliver/"
    assert rita.post(path).status_code == 302
    assert rita.post(path).status_code == 409
    assert send() == {"sent": 1}
    assert "None. A message that five attempts" in text(rita)


def test_a_dead_letter_is_only_its_owners_to_send_again(
    client: Client, viewer: User, admin: User, reviewer: User, hook: Channel
) -> None:
    letter = dead(hook, reviewer)
    client.force_login(viewer)
    assert "The receiver answered 500." not in text(client)
    assert client.post(f"/inbox/deliveries/{letter.pk}/redeliver/").status_code == 403
    with pytest.raises(NotPermitted):
        delivery.redeliver(letter, by=Actor.person(viewer))
    letter.refresh_from_db()
    assert letter.dead
    assert delivery.redeliver(letter, by=Actor.person(admin)).status == DeliveryStatus.QUEUED


def test_the_number_of_queries_does_not_grow_with_the_channels(
    rita: Client, reviewer: User, django_assert_max_num_queries: Any
) -> None:
    by = Actor.person(reviewer)

    def queries(more: int) -> int:
        for _ in range(more):
            made, _ = channels.create(name="x", kind="email", target="a@example.org", by=by, person=reviewer)
            dead(made, reviewer)
        with django_assert_max_num_queries(16) as counted:
            assert rita.get("/inbox/channels/").status_code == 200
        return len(counted)

    assert queries(2) == queries(5)
