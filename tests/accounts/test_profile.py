"""The profile: what one may do, and tokens that are shown once, rotated and revoked."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from donna_skills.accounts import tokens
from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import ApiToken, Scope, TokenKind, User
from tests import builders

pytestmark = pytest.mark.django_db
RAW = re.compile(r"dsk_[0-9a-f]{8}_[0-9a-f]{48}")


@pytest.fixture
def author(db: None) -> User:
    return builders.person("author", name="anna")


@pytest.fixture
def anna(client: Client, author: User) -> Client:
    client.force_login(author)
    return client


def text(client: Client) -> str:
    answer = client.get("/profile/")
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def shown(answer: Any) -> str:
    """The raw token in the answer to a form, which no cache may keep."""
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    (raw,) = set(RAW.findall(answer.content.decode()))
    return str(raw)


def test_the_profile_says_what_one_may_do_and_how_to_begin(anna: Client) -> None:
    page = text(anna)
    assert "Can write drafts and edit skills" in page and "Can approve" not in page
    assert "No tokens yet" in page
    assert 'href="/profile/"' in anna.get("/jobs/").content.decode()
    anna.logout()
    assert anna.get("/profile/").url == "/login/?next=/profile/"


def test_a_token_is_shown_once_and_opens_the_door(anna: Client, author: User) -> None:
    sent = {"name": "laptop", "scopes": [Scope.RUNS_READ, Scope.SKILLS_READ], "expires_in_days": "30"}
    raw = shown(anna.post("/profile/tokens/", sent))
    token = ApiToken.objects.get()
    assert tokens.authenticate(raw) == token
    assert (token.person, token.owner, token.kind) == (author, author, TokenKind.PERSON)
    assert token.expires_at is not None and token.expires_at - timezone.now() > timedelta(days=29)
    page = text(anna)
    assert "laptop" in page and raw not in page and f"dsk_{token.prefix}_…" in page


@pytest.mark.parametrize(
    "change", [{"name": ""}, {"scopes": []}, {"scopes": ["all:everything"]}, {"expires_in_days": "0"}], ids=str
)
def test_what_is_wrong_comes_back_with_the_form(anna: Client, change: dict[str, Any]) -> None:
    sent = {"name": "laptop", "scopes": [Scope.RUNS_READ], "expires_in_days": "", **change}
    answer = anna.post("/profile/tokens/", sent)
    assert answer.status_code == 422
    assert "field-error" in answer.content.decode()
    assert not ApiToken.objects.exists()


def test_only_who_manages_tokens_makes_one_for_a_bot(client: Client, anna: Client) -> None:
    sent = {"name": "planner", "kind": "bot", "scopes": [Scope.RUNS_WRITE], "expires_in_days": ""}
    assert 'name="kind"' not in text(anna)
    anna.post("/profile/tokens/", sent)
    assert ApiToken.objects.get().kind == TokenKind.PERSON

    client.force_login(builders.person("admin"))
    shown(client.post("/profile/tokens/", sent))
    assert ApiToken.objects.filter(kind=TokenKind.BOT, person=None).count() == 1
    refused = client.post("/profile/tokens/", {**sent, "scopes": [Scope.REVIEWS_DECIDE]})
    assert refused.status_code == 422
    assert "A bot can never decide reviews" in refused.content.decode()


def test_a_rotated_token_has_a_successor_and_works_until_the_overlap_is_over(anna: Client, author: User) -> None:
    old, old_raw = builders.person_token(author, Scope.RUNS_READ)
    raw = shown(anna.post(f"/profile/tokens/{old.pk}/rotate/", {"overlap_hours": "2"}))
    assert tokens.authenticate(raw) is not None and tokens.authenticate(old_raw) is not None
    again = anna.post(f"/profile/tokens/{old.pk}/rotate/", {"overlap_hours": "2"})
    assert again.status_code == 409 and not RAW.search(again.content.decode())
    ApiToken.objects.filter(pk=old.pk).update(overlap_until=timezone.now())
    assert tokens.authenticate(old_raw) is None
    assert "Tokens that open no door any more" in text(anna)


@pytest.mark.parametrize("hours", ["", "-1", "many", "100000"])
def test_an_overlap_that_is_no_number_of_hours_changes_nothing(anna: Client, author: User, hours: str) -> None:
    old, _ = builders.person_token(author, Scope.RUNS_READ)
    assert anna.post(f"/profile/tokens/{old.pk}/rotate/", {"overlap_hours": hours}).status_code == 422
    assert ApiToken.objects.count() == 1


def test_a_revoked_token_is_shut_out_at_once_and_twice_is_harmless(anna: Client, author: User) -> None:
    token, raw = builders.person_token(author, Scope.RUNS_READ)
    assert anna.get(f"/profile/tokens/{token.pk}/revoke/").status_code == 405
    assert anna.post(f"/profile/tokens/{token.pk}/revoke/").status_code == 302
    assert anna.post(f"/profile/tokens/{token.pk}/revoke/").status_code == 302
    assert tokens.authenticate(raw) is None


def test_nobody_changes_a_token_of_somebody_else_nor_a_bots_without_the_permission(anna: Client, author: User) -> None:
    others, _ = builders.person_token(builders.person("admin"), Scope.RUNS_READ)
    bots, raw = builders.bot_token(Scope.RUNS_READ, owner=author)
    for act, sent in (("revoke", {}), ("rotate", {"overlap_hours": "1"})):
        assert anna.post(f"/profile/tokens/{others.pk}/{act}/", sent).status_code == 404
        assert anna.post(f"/profile/tokens/{bots.pk}/{act}/", sent).status_code == 403
    assert tokens.authenticate(raw) is not None
    page = text(anna)
    assert bots.name in page and f"/profile/tokens/{bots.pk}/revoke/" not in page
    assert tokens.may_manage(bots, by=Actor.person(author)) is False


def test_the_number_of_queries_does_not_grow_with_the_tokens(
    anna: Client, author: User, django_assert_max_num_queries: Any
) -> None:
    def queries(more: int) -> int:
        for _ in range(more):
            builders.person_token(author, Scope.RUNS_READ)
            revoked, _ = builders.person_token(author, Scope.RUNS_READ)
            tokens.revoke(revoked, by=Actor.person(author))
        with django_assert_max_num_queries(14) as counted:
            assert anna.get("/profile/").status_code == 200
        return len(counted)

    assert queries(2) == queries(5)
