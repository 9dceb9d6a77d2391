"""Channels: made by those they belong to, pointing at places that a server may write to, audited."""

from __future__ import annotations

from datetime import time
from typing import Any

import pytest

from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import User
from donna_skills.audit.models import AuditEvent
from donna_skills.errors import DonnaError, Invalid, NotPermitted
from donna_skills.notifications import channels
from donna_skills.notifications.models import Channel, ChannelKind, DeliveryStatus
from donna_skills.notifications.public_only import TargetRefused, public_connections_only
from tests.notifications.messages import queue, send
from tests.notifications.servers import Answer, HookServer

pytestmark = pytest.mark.django_db


def test_a_person_makes_a_channel_of_their_own(reviewer: User) -> None:
    channel, secret = channels.create(
        name="Mail", kind="email", target=" rita@example.org ", person=reviewer, by=Actor.person(reviewer)
    )

    assert (channel.target, channel.enabled, secret) == ("rita@example.org", True, "")
    event = AuditEvent.objects.get(action="channel.created")
    assert event.data == {"name": "Mail", "kind": "email", "to": "rita@example.org"}


@pytest.mark.parametrize(
    "values", [{"role": "reviewer"}, {"whose": "viewer"}, {"event_kinds": ["*"], "kind": "webhook"}]
)
def test_channels_of_others_and_those_that_follow_everything_take_the_permission(
    reviewer: User, viewer: User, admin: User, allow: Any, hooks: HookServer, values: dict[str, Any]
) -> None:
    allow(hooks.host)
    values = {"kind": "email", "name": "Mail", **values}
    if values["kind"] == "webhook":
        values["target"] = hooks.url
    else:
        values["target"] = "team@example.org"
    if "role" not in values:
        values["person"] = {"viewer": viewer}.get(values.pop("whose", ""), reviewer)

    with pytest.raises(NotPermitted):
        channels.create(**values, by=Actor.person(reviewer))
    with pytest.raises(NotPermitted):
        channels.create(**values, by=Actor.system("somebody"))

    assert channels.create(**values, by=Actor.person(admin))[0].pk


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"kind": "email", "target": "not an address"}, "target"),
        ({"kind": "pigeon", "target": "a@example.org"}, "kind"),
        ({"kind": "email", "target": "a@example.org", "event_kinds": ["*"]}, "event_kinds"),
        ({"kind": "email", "target": "a@example.org", "quiet_from": time(22)}, "quiet_until"),
        ({"kind": "email", "target": "a@example.org", "zone": "Mars/Olympus"}, "zone"),
        ({"kind": "email", "target": "a@example.org", "zone": "../../etc/passwd"}, "zone"),
        ({"kind": "email", "target": "a@example.org", "role": "king", "person": None}, "role"),
        ({"kind": "email", "target": "a@example.org", "role": "viewer"}, "person"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_field(admin: User, values: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        channels.create(**{"name": "x", "person": admin, **values}, by=Actor.person(admin))

    assert [error.path for error in refusal.value.errors] == [field]
    assert not Channel.objects.exists()


@pytest.mark.parametrize(
    "target",
    ["http://127.0.0.1/", "http://localhost:8000/", "http://[::1]/", "http://169.254.169.254/latest", "http://2130706433/",
     "http://10.0.0.1/", "ftp://example.org/", "http://user:pw@example.org/", "example.org"],
)  # fmt: skip
def test_a_webhook_points_at_the_internet_or_is_refused(reviewer: User, target: str) -> None:
    with pytest.raises(DonnaError):
        channels.create(name="x", kind="webhook", target=target, person=reviewer, by=Actor.person(reviewer))


@pytest.mark.parametrize(
    "target",
    ["syslog://", "windows://", "dbus://", "nonsense", "unknown://a/b", "discord://123456789/abcdef?template=/etc/passwd",
     "vapid://a@example.org?keyfile=/etc/passwd", ""],
)  # fmt: skip
def test_an_apprise_address_that_stays_on_the_machine_or_reads_its_files_is_refused(
    reviewer: User, target: str
) -> None:
    with pytest.raises(DonnaError) as refusal:
        channels.create(name="x", kind="apprise", target=target, person=reviewer, by=Actor.person(reviewer))

    assert "passwd" not in refusal.value.message


def test_an_apprise_message_arrives(reviewer: User, hooks: HookServer, allow: Any) -> None:
    allow(hooks.host)
    Channel.objects.create(
        name="Form", person=reviewer, kind=ChannelKind.APPRISE, target=f"json://{hooks.host}/in", disabled_reason=""
    )
    queue(reviewer)

    assert send() == {"sent": 1}

    assert "Flagged: parse_task" in hooks.requests[0].body
    assert "Agreement fell." in hooks.requests[0].body


@pytest.mark.parametrize("schema", ["json", "xml", "form", "gotify", "ntfy"])
def test_apprise_is_no_way_around_the_guard(reviewer: User, hooks: HookServer, schema: str) -> None:
    target = f"{schema}://{hooks.host}/AbCdEfGh1234567"
    Channel.objects.create(name="x", person=reviewer, kind=ChannelKind.APPRISE, target=target)
    queued = queue(reviewer)

    assert send() == {"failed": 1}

    queued.refresh_from_db()
    assert "private network" in queued.reason
    assert hooks.requests == []


def test_an_apprise_redirect_into_the_private_network_is_not_followed(
    reviewer: User, hooks: HookServer, allow: Any
) -> None:
    with HookServer() as inside:
        allow(hooks.host)
        hooks.answers[:] = [Answer(307, {"Location": inside.url})]
        Channel.objects.create(
            name="x", person=reviewer, kind=ChannelKind.APPRISE, target=f"json://{hooks.host}/in?redirect=yes"
        )
        queue(reviewer)

        assert "sent" not in send()

        assert len(hooks.requests) == 1
        assert inside.requests == []


def test_an_apprise_service_that_fails_is_tried_again_and_says_why(
    reviewer: User, hooks: HookServer, allow: Any
) -> None:
    allow(hooks.host)
    hooks.answers[:] = [Answer(500)]
    Channel.objects.create(name="x", person=reviewer, kind=ChannelKind.APPRISE, target=f"json://{hooks.host}/in")
    queued = queue(reviewer)

    assert send() == {"queued": 1}

    queued.refresh_from_db()
    assert "500" in queued.reason


def test_the_guard_ends_with_its_block_and_leaves_other_threads_alone(hooks: HookServer) -> None:
    import socket
    import threading

    address = ("127.0.0.1", int(hooks.host.rpartition(":")[2]))
    reached: list[bool] = []

    def connect() -> None:
        socket.create_connection(address, timeout=2).close()
        reached.append(True)

    with public_connections_only([]) as watch:
        with pytest.raises(TargetRefused):
            connect()
        other = threading.Thread(target=connect)
        other.start()
        other.join()
    assert watch.refused is not None
    connect()
    with public_connections_only([hooks.host]):
        connect()
    with public_connections_only(["127.0.0.1:1"]), pytest.raises(TargetRefused):
        connect()

    assert reached == [True, True, True]


def test_a_channel_is_switched_off_and_on_with_its_reason(reviewer: User, email: Channel) -> None:
    queued = queue(reviewer)

    channels.disable(email, reason="I am away.", by=Actor.person(reviewer))
    assert (email.enabled, email.disabled_reason) == (False, "I am away.")
    queued.refresh_from_db()
    assert (queued.status, queued.reason) == (DeliveryStatus.SUPPRESSED, "The channel is switched off.")

    channels.enable(email, by=Actor.person(reviewer))
    assert (email.enabled, email.disabled_reason) == (True, "")
    assert queue(reviewer).status == DeliveryStatus.QUEUED
    assert list(AuditEvent.objects.order_by("seq").values_list("action", flat=True)) == [
        "channel.disabled",
        "channel.enabled",
    ]


def test_nobody_switches_off_another_s_channel(viewer: User, email: Channel) -> None:
    with pytest.raises(NotPermitted):
        channels.disable(email, reason="no", by=Actor.person(viewer))

    email.refresh_from_db()
    assert email.enabled
