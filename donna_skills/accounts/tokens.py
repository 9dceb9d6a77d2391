"""Tokens of people and bots: made, checked, rotated and revoked here and nowhere else.

A token reads `dsk_<prefix>_<secret>`. It is shown once, at its making; the database keeps the SHA-256 of the whole.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import OperationalError, connection, transaction
from django.db.models import Q
from django.utils import timezone

from donna_skills import errors
from donna_skills.accounts.actors import Actor, ActorKind
from donna_skills.accounts.models import ApiToken, Scope, TokenKind, User
from donna_skills.accounts.roles import Permission
from donna_skills.audit import services as audit
from donna_skills.lookups import UniqueLookup

_FORM = re.compile(r"dsk_[0-9a-f]{8}_[0-9a-f]{48}")
_USE_NOTED_EVERY = timedelta(minutes=1)
_by_digest = UniqueLookup(ApiToken, "digest")


def create(
    *,
    name: str,
    owner: User | None,
    scopes: Iterable[str],
    kind: TokenKind,
    person: User | None = None,
    expires_at: datetime | None = None,
    by: Actor,
) -> tuple[ApiToken, str]:
    """Make a token and return it with the raw text, which is never to be had again."""
    _require_may_make(by, kind=kind, person=person)
    token, raw = _new(
        name=name.strip(),
        owner=owner or person,
        scopes=sorted(set(scopes)),
        kind=TokenKind(kind),
        person=person,
        expires_at=expires_at,
        created_by=by.user,
    )
    _check(token)
    with transaction.atomic():
        token.save(force_insert=True)
        _audit("token.created", token, by=by)
    return token, raw


def authenticate(raw: str) -> ApiToken | None:
    """The live token behind this text, or None.

    One query for a bot and two for a person, and once a minute one more that notes the use.

    A bot's token lives on when its owner leaves; it belongs to the team, and an administrator revokes it. A person's
    token ends with the person's account.
    """
    if not _FORM.fullmatch(raw):
        return None
    digest = _digest(raw)
    token = _by_digest.get(digest)
    if token is None or not hmac.compare_digest(token.digest, digest):
        return None
    now = timezone.now()
    if not token.is_live(now):
        return None
    _note_use(token, now=now)
    return token


def rotate(token: ApiToken, *, by: Actor, overlap: timedelta) -> tuple[ApiToken, str]:
    """A new token for the same use; the old one opens the door until the overlap has passed.

    The new one lives as long as the old one was meant to, counted from now.
    """
    _require_may_make(by, kind=TokenKind(token.kind), person=token.person)
    if overlap < timedelta(0):
        raise errors.Invalid("The overlap cannot be negative.")
    now = timezone.now()
    if not token.is_live(now):
        raise errors.Conflict(f"The token {token} is revoked or expired: create a new one instead.")
    successor, raw = _new(
        name=token.name,
        owner=token.owner,
        scopes=list(token.scopes),
        kind=TokenKind(token.kind),
        person=token.person,
        expires_at=now + (token.expires_at - token.created_at) if token.expires_at else None,
        created_by=by.user,
    )
    with transaction.atomic():
        successor.save(force_insert=True)
        claimed = ApiToken.objects.filter(pk=token.pk, replaced_by__isnull=True, revoked_at__isnull=True).update(
            replaced_by=successor, overlap_until=now + overlap
        )
        if not claimed:
            raise errors.Conflict(f"The token {token} was replaced or revoked already.")
        _audit("token.rotated", token, by=by, replaced_by=str(successor.pk), overlap_s=int(overlap.total_seconds()))
    token.refresh_from_db()
    return successor, raw


def revoke(token: ApiToken, *, by: Actor) -> ApiToken:
    """End a token at once. Revoking twice changes nothing and keeps the first time."""
    _require_may_make(by, kind=TokenKind(token.kind), person=token.person)
    with transaction.atomic():
        if ApiToken.objects.filter(pk=token.pk, revoked_at__isnull=True).update(revoked_at=timezone.now()):
            _audit("token.revoked", token, by=by)
    token.refresh_from_db()
    return token


def may_manage(token: ApiToken, *, by: Actor) -> bool:
    """Whether `rotate` and `revoke` would let this one through."""
    return _may_make(by, kind=TokenKind(token.kind), person=token.person)


def _may_make(by: Actor, *, kind: TokenKind, person: User | None) -> bool:
    """The command line may; people may for themselves; for bots and for others it takes the permission; bots never."""
    if by.kind == ActorKind.SYSTEM or by.may(Permission.MANAGE_TOKENS):
        return True
    own = kind == TokenKind.PERSON and by.is_person and by.user is not None and by.user == person
    return bool(own and by.user and by.user.is_active)


def _require_may_make(by: Actor, *, kind: TokenKind, person: User | None) -> None:
    if not _may_make(by, kind=kind, person=person):
        raise errors.NotPermitted("Only somebody who may manage tokens can do this for a bot or for another person.")


def _new(**fields: object) -> tuple[ApiToken, str]:
    prefix = secrets.token_hex(4)
    raw = f"dsk_{prefix}_{secrets.token_hex(24)}"
    return ApiToken(prefix=prefix, digest=_digest(raw), **fields), raw


def _check(token: ApiToken) -> None:
    """What the database's constraints cannot say, as field errors."""
    if not token.scopes:
        raise errors.Invalid(f"A token needs at least one scope of: {', '.join(Scope.values)}.")
    if token.expires_at is not None and token.expires_at <= timezone.now():
        raise errors.Invalid("The token would be expired from the start: give a later time.")
    if (token.kind == TokenKind.PERSON) != (token.person is not None):
        raise errors.Invalid("A person's token names its person, and a bot's token names none.")
    try:
        token.full_clean(exclude=["person", "owner", "created_by", "replaced_by"], validate_unique=False)
    except ValidationError as invalid:
        found = [
            errors.FieldError(field, message)
            for field, messages in invalid.message_dict.items()
            for message in messages
        ]
        raise errors.Invalid(" ".join(error.message for error in found), errors=found) from None


def _digest(raw: str) -> str:
    return hashlib.sha256(raw.encode()).hexdigest()


def _note_use(token: ApiToken, *, now: datetime) -> None:
    """Write last_used_at at most once a minute, and rather not at all than wait for a lock."""
    stale = now - _USE_NOTED_EVERY
    if token.last_used_at is not None and token.last_used_at > stale:
        return
    due = ApiToken.objects.filter(Q(last_used_at__isnull=True) | Q(last_used_at__lte=stale), pk=token.pk)
    try:
        with _without_waiting(), transaction.atomic():
            free = due.select_for_update(skip_locked=True) if connection.vendor == "postgresql" else due
            ApiToken.objects.filter(pk__in=free.values("pk")).update(last_used_at=now)
    except OperationalError:
        return  # SQLite is busy with another writer: the next request notes it
    token.last_used_at = now


@contextmanager
def _without_waiting() -> Iterator[None]:
    """SQLite gives up at once where another writer is at work; PostgreSQL skips the locked row by itself."""
    if connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        (usual,) = cursor.fetchone()
        cursor.execute("PRAGMA busy_timeout = 0")
        try:
            yield
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {int(usual)}")


def _audit(action: str, token: ApiToken, *, by: Actor, **data: object) -> None:
    audit.record(
        action,
        actor=by,
        subject_type="token",
        subject_id=token.pk,
        data={
            "name": token.name,
            "prefix": token.prefix,
            "kind": str(token.kind),
            "scopes": token.scopes,
            "owner": str(token.owner_id or ""),
            "person": str(token.person_id or ""),
            "expires_at": token.expires_at,
            **data,
        },
    )
