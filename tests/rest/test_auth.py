"""Only a live token with the right scope opens a route, within its rate."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client

from donna_skills.accounts import tokens
from donna_skills.accounts.models import ApiToken, Scope
from donna_skills.rest import auth, rates
from tests.accounts.people import SYSTEM, make_bot_token, make_own_token, make_person
from tests.rest.conftest import Caller


def test_a_bots_token_makes_a_bot_the_actor(bot: Caller) -> None:
    answer = bot.get("/whoami")
    assert answer.status_code == 200
    assert answer.json() == {"actor": f"bot planner (dsk_{bot.token.prefix})", "token": str(bot.token.pk)}


def test_a_persons_token_makes_the_person_the_actor(db: None) -> None:
    caller = Caller(*make_own_token(make_person("anna")))
    assert caller.get("/whoami").json()["actor"].startswith("person anna (dsk_")


def test_checking_the_token_is_the_only_query_and_opens_no_session(bot: Caller, django_assert_num_queries: Any) -> None:
    bot.get("/whoami")
    with django_assert_num_queries(1):
        answer = bot.get("/whoami")
    assert not answer.cookies


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic abc",
        "dsk_1",
        "Bearer dsk_nonsense",
        "Bearer dsk_00000000_" + "0" * 48,
        "Bearer Ω",
    ],
)
def test_no_token_or_a_bad_one_is_401_with_the_scheme(db: None, header: str) -> None:
    answer = Client(headers={"Authorization": header} if header else None).get("/api/v1/whoami")
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] in {"unauthenticated", "invalid_token"}


def test_a_revoked_token_is_401(bot: Caller) -> None:
    tokens.revoke(bot.token, by=SYSTEM)
    assert bot.get("/whoami").json()["code"] == "invalid_token"


def test_a_session_does_not_open_the_api(db: None) -> None:
    client = Client()
    client.force_login(make_person("chief", is_superuser=True, is_staff=True))
    assert client.get("/api/v1/whoami").status_code == 401


def test_a_missing_scope_is_403_and_says_which(bot: Caller) -> None:
    answer = bot.post("/decide", {})
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")
    assert "reviews:decide" in answer.json()["detail"]


def test_a_bot_does_not_decide_even_if_its_row_says_so(bot: Caller) -> None:
    ApiToken.objects.filter(pk=bot.token.pk).update(scopes=["reviews:decide"])
    assert bot.post("/decide", {}).json()["code"] == "missing_scope"


def test_a_person_with_the_scope_gets_to_the_route(db: None) -> None:
    caller = Caller(*make_own_token(make_person("anna"), Scope.REVIEWS_DECIDE))
    assert caller.post("/decide", {}).status_code == 200


def test_an_unknown_scope_fails_when_the_route_is_written() -> None:
    with pytest.raises(ValueError, match="runs:everything"):
        auth.scope("runs:everything")
    assert auth.scope("runs:read") is auth.scope("runs:read")


def test_every_answer_says_how_much_of_the_rate_is_left(bot: Caller, settings: LazySettings) -> None:
    settings.API_RATE_PER_MINUTE = 100
    left = [int(bot.get(path)["RateLimit-Remaining"]) for path in ("/whoami", "/documents/nonsense", "/people?limit=0")]
    assert left in ([99, 98, 97], [99, 98, 99], [99, 99, 98])  # the clock minute may turn in between
    answer = bot.get("/whoami")
    assert answer["RateLimit-Limit"] == "100"
    assert 1 <= int(answer["RateLimit-Reset"]) <= 60


def test_too_many_requests_are_429_with_the_time_to_wait(bot: Caller, settings: LazySettings, monkeypatch: Any) -> None:
    monkeypatch.setattr(rates.time, "time", lambda: 1_000_000_030.0)
    settings.API_RATE_PER_MINUTE = 2
    answers = [bot.get("/whoami") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["code"] == "rate_limited"
    assert answers[2]["Retry-After"] == answers[2]["RateLimit-Reset"] == "50"
    assert answers[2]["RateLimit-Remaining"] == "0"
    other = Caller(*make_bot_token("runs:read"))
    assert other.get("/whoami").status_code == 200


def test_the_next_minute_starts_anew(bot: Caller, settings: LazySettings, monkeypatch: Any) -> None:
    settings.API_RATE_PER_MINUTE = 1
    monkeypatch.setattr(rates.time, "time", lambda: 1_000_000_030.0)
    assert [bot.get("/whoami").status_code for _ in range(2)] == [200, 429]
    monkeypatch.setattr(rates.time, "time", lambda: 1_000_000_090.0)
    assert bot.get("/whoami").status_code == 200
