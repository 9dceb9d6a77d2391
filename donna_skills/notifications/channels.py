"""Channels: the ways out of the house. The only writer of Channel.

What a channel may point at is checked when it is saved, and again each time something is sent.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from datetime import time
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from donna_skills import netguard
from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import User
from donna_skills.accounts.roles import Permission, Role
from donna_skills.audit import services as audit
from donna_skills.errors import Conflict, FieldError, Invalid, NotPermitted
from donna_skills.notifications import apprise_urls, senders
from donna_skills.notifications.models import Channel, ChannelKind, Delivery, DeliveryStatus

MAX_SECRETS = 2


def create(
    *,
    name: str,
    kind: str,
    target: str,
    by: Actor,
    person: User | None = None,
    role: str = "",
    event_kinds: Sequence[str] = (),
    quiet_from: time | None = None,
    quiet_until: time | None = None,
    zone: str = "UTC",
) -> tuple[Channel, str]:
    """A new channel for a person or a role, and its signing secret where it is a webhook (shown this once).

    People make their own; one for a role, for somebody else, or one that follows kinds of events takes the permission
    to change settings.
    """
    _permit(by, person=person, event_kinds=event_kinds)
    _check(kind=kind, target=target, person=person, role=role, event_kinds=event_kinds)
    _check_hours(quiet_from, quiet_until, zone)
    secret = new_secret() if kind == ChannelKind.WEBHOOK else ""
    with transaction.atomic():
        channel = Channel.objects.create(
            name=name,
            kind=kind,
            target=target.strip(),
            person=person,
            role=role,
            event_kinds=list(event_kinds),
            secrets=[secret] if secret else [],
            quiet_from=quiet_from,
            quiet_until=quiet_until,
            zone=zone,
        )
        _record("channel.created", channel, by, to=channel.shown_target)
    return channel, secret


def begin_rotation(channel: Channel, *, by: Actor) -> str:
    """A second secret: from now on every message carries a signature of each, until `end_rotation`."""
    require_manager(channel, by=by)
    with transaction.atomic():
        locked = Channel.objects.select_for_update().get(pk=channel.pk)
        if locked.kind != ChannelKind.WEBHOOK:
            raise Conflict("Only webhooks have secrets.")
        if len(locked.secrets) >= MAX_SECRETS:
            raise Conflict("This channel has two secrets already: end that rotation first.")
        secret = new_secret()
        locked.secrets = [secret, *locked.secrets]
        locked.save(update_fields=["secrets"])
        _record("channel.rotation_begun", channel, by)
    channel.secrets = locked.secrets
    return secret


def end_rotation(channel: Channel, *, by: Actor) -> None:
    """Drop the older secret."""
    require_manager(channel, by=by)
    with transaction.atomic():
        locked = Channel.objects.select_for_update().get(pk=channel.pk)
        if len(locked.secrets) < MAX_SECRETS:
            raise Conflict("No rotation is going on for this channel.")
        locked.secrets = locked.secrets[:1]
        locked.save(update_fields=["secrets"])
        _record("channel.rotation_ended", channel, by)
    channel.secrets = locked.secrets


def enable(channel: Channel, *, by: Actor) -> None:
    """Switch a channel on again. What was queued meanwhile stays suppressed."""
    require_manager(channel, by=by)
    with transaction.atomic():
        if Channel.objects.filter(pk=channel.pk, enabled=False).update(enabled=True, disabled_reason=""):
            _record("channel.enabled", channel, by)
    channel.refresh_from_db()


def disable(channel: Channel, *, reason: str, by: Actor | None = None) -> None:
    """Switch a channel off, with the reason that people will read; what waits for it is suppressed.

    Without `by` it is the system that does it, after the receiver said that it is gone.
    """
    if by is not None:
        require_manager(channel, by=by)
    with transaction.atomic():
        if Channel.objects.filter(pk=channel.pk, enabled=True).update(enabled=False, disabled_reason=reason[:300]):
            _record("channel.disabled", channel, by or Actor.system("delivery"), reason=reason)
        Delivery.objects.filter(channel=channel, status=DeliveryStatus.QUEUED, lease_until__isnull=True).update(
            status=DeliveryStatus.SUPPRESSED, reason="The channel is switched off."
        )
    channel.refresh_from_db()


def set_quiet_hours(
    channel: Channel, *, quiet_from: time | None, quiet_until: time | None, zone: str, by: Actor
) -> None:
    """When messages wait, from now on; what waits already keeps its time."""
    require_manager(channel, by=by)
    _check_hours(quiet_from, quiet_until, zone)
    hours = {"quiet_from": quiet_from, "quiet_until": quiet_until, "zone": zone}
    with transaction.atomic():
        Channel.objects.filter(pk=channel.pk).update(**hours)
        told = {name: str(value or "") for name, value in hours.items()}
        _record("channel.quiet_hours_set", channel, by, **told)
    channel.refresh_from_db()


def may_manage(channel: Channel, *, by: Actor) -> bool:
    """Whose it is, or who may change settings; one that follows kinds of events is never only a person's own."""
    return _may(by, person=channel.person, event_kinds=channel.event_kinds)


def require_manager(channel: Channel, *, by: Actor) -> None:
    _permit(by, person=channel.person, event_kinds=channel.event_kinds)


def new_secret() -> str:
    """As Standard Webhooks writes them: `whsec_` and 32 random bytes in base64."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def _may(by: Actor, *, person: User | None, event_kinds: Sequence[str]) -> bool:
    own = by.is_person and person is not None and by.user == person and not event_kinds
    return own or by.may(Permission.MANAGE_SETTINGS)


def _permit(by: Actor, *, person: User | None, event_kinds: Sequence[str]) -> None:
    if not _may(by, person=person, event_kinds=event_kinds):
        raise NotPermitted("This channel belongs to others: it takes the permission to change settings.")


def _check(*, kind: str, target: str, person: User | None, role: str, event_kinds: Sequence[str]) -> None:
    if (person is None) == (not role):
        raise _invalid("person", "A channel belongs to one person or to one role.")
    if role and role not in Role.values:
        raise _invalid("role", f"There is no role {role!r}.")
    if kind not in ChannelKind.values:
        raise _invalid("kind", f"A channel is one of {', '.join(ChannelKind.values)}.")
    if event_kinds and kind != ChannelKind.WEBHOOK:
        raise _invalid("event_kinds", "Only webhooks follow kinds of events; people are told what concerns them.")
    if kind == ChannelKind.EMAIL:
        try:
            validate_email(target.strip())
        except ValidationError:
            raise _invalid("target", "This is not an e-mail address.") from None
    elif kind == ChannelKind.APPRISE:
        apprise_urls.service(target)
    else:
        netguard.check_target(target, senders.allowed_hosts())


def _check_hours(quiet_from: time | None, quiet_until: time | None, zone: str) -> None:
    if (quiet_from is None) != (quiet_until is None):
        raise _invalid("quiet_until", "Quiet hours have a beginning and an end.")
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise _invalid("zone", f"There is no time zone {zone!r}.") from None


def _invalid(field: str, message: str) -> Invalid:
    return Invalid(message, errors=[FieldError(field, message)])


def _record(action: str, channel: Channel, by: Actor, **data: str) -> None:
    content = {"name": channel.name, "kind": channel.kind, **data}
    audit.record(action, actor=by, subject_type="channel", subject_id=channel.pk, data=content)
