"""Tokens: made once, checked in one query, rotated with an overlap, revoked at once."""

from __future__ import annotations

import sqlite3
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone

from donna_skills import errors
from donna_skills.accounts import tokens
from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import ApiToken, Scope, TokenKind, User
from donna_skills.audit.models import AuditEvent
from tests.accounts.people import SYSTEM, make_bot_token, make_own_token, make_person

MINUTE = timedelta(minutes=1)


def test_the_raw_token_opens_the_door_and_is_stored_nowhere(db: None) -> None:
    token, raw = make_bot_token("runs:write")
    assert raw.startswith(f"dsk_{token.prefix}_")
    assert tokens.authenticate(raw) == token
    row = ApiToken.objects.filter(pk=token.pk).values().get()
    secret = raw.rpartition("_")[2]
    assert not any(secret in str(value) for value in row.values())
    assert not any(secret in str(data) for data in AuditEvent.objects.values_list("data", flat=True))


@pytest.mark.parametrize(
    "raw", ["", "dsk_", "dsk_zz_1", "dsk_00000000_" + "0" * 48, "Ω" * 20, "dsk_00000000_" + "0" * 9_999]
)
def test_what_is_no_token_opens_nothing(db: None, raw: str) -> None:
    assert tokens.authenticate(raw) is None


def test_what_cannot_be_a_token_costs_no_query(db: None, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert tokens.authenticate("dsk_nonsense") is None


def test_checking_a_token_is_one_query_and_its_use_is_noted_at_most_once_a_minute(
    db: None, django_assert_num_queries: Any
) -> None:
    token, raw = make_bot_token()
    tokens.authenticate(raw)
    first_use = ApiToken.objects.get(pk=token.pk).last_used_at
    assert first_use is not None
    with django_assert_num_queries(1):
        tokens.authenticate(raw)
    assert ApiToken.objects.get(pk=token.pk).last_used_at == first_use
    ApiToken.objects.filter(pk=token.pk).update(last_used_at=first_use - 2 * MINUTE)
    tokens.authenticate(raw)
    noted = ApiToken.objects.get(pk=token.pk).last_used_at
    assert noted is not None and noted >= first_use


def test_an_expired_token_opens_nothing(db: None) -> None:
    token, raw = make_bot_token(expires_at=timezone.now() + MINUTE)
    assert tokens.authenticate(raw) == token
    ApiToken.objects.filter(pk=token.pk).update(expires_at=timezone.now())
    assert tokens.authenticate(raw) is None


def test_a_persons_token_ends_with_the_account_and_a_bots_does_not(anna: User) -> None:
    _, own = make_own_token(anna)
    _, bot = make_bot_token(owner=anna)
    User.objects.filter(pk=anna.pk).update(is_active=False)
    assert tokens.authenticate(own) is None
    assert tokens.authenticate(bot) is not None


def test_revoking_ends_a_token_at_once_and_twice_is_once(db: None) -> None:
    token, raw = make_bot_token()
    first = tokens.revoke(token, by=SYSTEM).revoked_at
    assert tokens.authenticate(raw) is None
    assert tokens.revoke(token, by=SYSTEM).revoked_at == first
    assert AuditEvent.objects.filter(action="token.revoked").count() == 1


def test_after_a_rotation_both_tokens_work_until_the_overlap_is_over(anna: User) -> None:
    token, raw = make_bot_token("runs:read", "runs:write", owner=anna, expires_at=timezone.now() + timedelta(days=30))
    successor, new_raw = tokens.rotate(token, by=SYSTEM, overlap=timedelta(hours=1))
    assert (successor.name, successor.scopes, successor.owner) == (token.name, token.scopes, anna)
    assert successor.expires_at is not None and successor.expires_at > timezone.now() + timedelta(days=29)
    assert tokens.authenticate(raw) == token and tokens.authenticate(new_raw) == successor
    ApiToken.objects.filter(pk=token.pk).update(overlap_until=timezone.now())
    assert tokens.authenticate(raw) is None and tokens.authenticate(new_raw) == successor


def test_a_token_is_rotated_once(db: None) -> None:
    token, _ = make_bot_token()
    stale = ApiToken.objects.get(pk=token.pk)
    tokens.rotate(token, by=SYSTEM, overlap=MINUTE)
    with pytest.raises(errors.Conflict):
        tokens.rotate(stale, by=SYSTEM, overlap=MINUTE)
    assert ApiToken.objects.count() == 2
    assert AuditEvent.objects.filter(action="token.created").count() == 1


def test_a_revoked_token_is_not_rotated(db: None) -> None:
    token, _ = make_bot_token()
    with pytest.raises(errors.Conflict):
        tokens.rotate(tokens.revoke(token, by=SYSTEM), by=SYSTEM, overlap=MINUTE)
    with pytest.raises(errors.Invalid):
        tokens.rotate(token, by=SYSTEM, overlap=-MINUTE)


def test_a_bot_can_never_get_the_scope_to_decide(anna: User) -> None:
    with pytest.raises(errors.Invalid, match="never decide"):
        make_bot_token("runs:read", Scope.REVIEWS_DECIDE, owner=anna)
    token, _ = make_own_token(anna, Scope.REVIEWS_DECIDE)
    assert token.scopes == ["reviews:decide"]


@pytest.mark.parametrize(
    "fields",
    [
        {"scopes": []},
        {"scopes": ["runs:everything"]},
        {"name": "  "},
        {"name": "x" * 101},
        {"expires_at": timezone.now() - MINUTE},
        {"kind": TokenKind.PERSON},
    ],
)
def test_a_token_that_makes_no_sense_is_refused(anna: User, fields: dict[str, Any]) -> None:
    usual = {"name": "planner", "owner": anna, "scopes": ["runs:read"], "kind": TokenKind.BOT, "by": SYSTEM}
    with pytest.raises(errors.Invalid):
        tokens.create(**{**usual, **fields})
    assert not ApiToken.objects.exists()
    assert not AuditEvent.objects.exists()


def test_people_make_tokens_for_themselves_and_administrators_for_bots_and_others(
    anna: User, administrator: User
) -> None:
    def make(by: Actor, kind: TokenKind, person: User | None) -> ApiToken:
        return tokens.create(name="t", owner=anna, scopes=["runs:read"], kind=kind, person=person, by=by)[0]

    own = make(Actor.person(anna), TokenKind.PERSON, anna)
    assert own.created_by == anna
    bot = make(Actor.person(administrator), TokenKind.BOT, None)
    make(Actor.person(administrator), TokenKind.PERSON, anna)
    for by, kind, person in (
        (Actor.person(anna), TokenKind.BOT, None),
        (Actor.person(anna), TokenKind.PERSON, administrator),
        (Actor.bot(bot), TokenKind.BOT, None),
        (Actor.bot(bot), TokenKind.PERSON, anna),
    ):
        with pytest.raises(errors.NotPermitted):
            make(by, kind, person)
    with pytest.raises(errors.NotPermitted):
        tokens.revoke(bot, by=Actor.person(anna))
    tokens.revoke(own, by=Actor.person(anna))


def test_each_change_of_a_token_is_audited(anna: User) -> None:
    token, _ = make_bot_token(owner=anna)
    successor, _ = tokens.rotate(token, by=SYSTEM, overlap=MINUTE)
    tokens.revoke(successor, by=SYSTEM)
    assert list(AuditEvent.objects.order_by("seq").values_list("action", "subject_id")) == [
        ("token.created", str(token.pk)),
        ("token.rotated", str(token.pk)),
        ("token.revoked", str(successor.pk)),
    ]


@pytest.mark.django_db(transaction=True)
def test_a_busy_database_does_not_keep_a_token_waiting() -> None:
    token, raw = make_bot_token()
    with _other_writer(token):
        began = timezone.now()
        assert tokens.authenticate(raw) == token
        assert timezone.now() - began < timedelta(seconds=2)
    assert ApiToken.objects.get(pk=token.pk).last_used_at is None
    tokens.authenticate(raw)
    assert ApiToken.objects.get(pk=token.pk).last_used_at is not None


class _other_writer:
    """Holds the write lock (SQLite) or the token's row (PostgreSQL) from another connection."""

    def __init__(self, token: ApiToken) -> None:
        self._token, self._held, self._release = token, threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._hold)

    def __enter__(self) -> None:
        self._thread.start()
        assert self._held.wait(10)

    def __exit__(self, *_exc: object) -> None:
        self._release.set()
        self._thread.join()

    def _hold(self) -> None:
        if connection.vendor == "sqlite":
            raw = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
            raw.execute("BEGIN IMMEDIATE")
            self._held.set()
            self._release.wait(30)
            raw.execute("ROLLBACK")
            raw.close()
            return
        with transaction.atomic():
            ApiToken.objects.select_for_update().get(pk=self._token.pk)
            self._held.set()
            self._release.wait(30)
        connection.close()


def test_the_command_prints_the_token_alone_on_the_last_line(administrator: User, capsys: Any) -> None:
    call_command("create_api_token", "mail assistant", "--scope", "runs:read", "runs:write", "--expires-days", "7")
    raw = capsys.readouterr().out.splitlines()[-1]
    token = tokens.authenticate(raw)
    assert token is not None and token.owner == administrator and token.kind == TokenKind.BOT
    assert token.scopes == ["runs:read", "runs:write"] and token.expires_at is not None


def test_the_command_makes_a_persons_own_token(anna: User, capsys: Any) -> None:
    call_command("create_api_token", "laptop", "--scope", "reviews:decide", "--scope", "runs:read", "--person", "anna")
    token = tokens.authenticate(capsys.readouterr().out.strip())
    assert token is not None and token.person == anna == token.owner


def test_the_command_works_before_anybody_has_an_account(db: None, capsys: Any) -> None:
    call_command("create_api_token", "first", "--scope", "runs:write")
    token = tokens.authenticate(capsys.readouterr().out.strip())
    assert token is not None and token.owner is None


@pytest.mark.parametrize(
    "arguments",
    [
        ["x", "--scope", "nonsense"],
        ["x", "--scope", "reviews:decide"],
        ["x", "--scope", "runs:read", "--person", "nobody"],
        ["x", "--scope", "runs:read", "--owner", "nobody"],
        ["x", "--scope", "runs:read", "--expires-days", "0"],
        ["x", "--scope", "runs:read", "--expires-days", "99999999999"],
    ],
)
def test_the_command_refuses_with_a_sentence(db: None, arguments: list[str]) -> None:
    with pytest.raises(CommandError) as refused:
        call_command("create_api_token", *arguments)
    assert len(str(refused.value)) > 10
    assert not ApiToken.objects.exists()


def test_demo_users_are_one_per_role_and_made_once(db: None, capsys: Any) -> None:
    make_person("admin", "admin")
    for _ in range(2):
        call_command("create_demo_users", "--force")
    assert set(User.objects.values_list("username", flat=True)) == {"viewer", "operator", "author", "reviewer", "admin"}
    assert User.objects.get(username="reviewer").check_password("donna-demo")
    assert list(User.objects.get(username="reviewer").groups.values_list("name", flat=True)) == ["reviewer"]
    assert "was there already" in capsys.readouterr().out


def test_demo_users_are_refused_where_others_could_log_in(db: None, monkeypatch: Any) -> None:
    monkeypatch.delenv("DONNA_DEMO", raising=False)
    with pytest.raises(CommandError, match="known password"):
        call_command("create_demo_users")
    monkeypatch.setenv("DONNA_DEMO", "1")
    call_command("create_demo_users")
    assert User.objects.count() == 5
