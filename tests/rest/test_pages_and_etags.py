"""Lists by cursor, and conditional requests."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from django.core.exceptions import FieldDoesNotExist

from donna_skills.accounts.models import User
from donna_skills.rest import pages
from donna_skills.rest.pages import PageQuery
from tests.accounts.people import make_person
from tests.rest.conftest import Caller


@pytest.fixture
def crowd(db: None) -> list[User]:
    return [make_person(f"p{number}", first_name="ab"[number % 2]) for number in range(7)]


def walk(bot: Caller, path: str) -> list[str]:
    found: list[str] = []
    cursor = ""
    while cursor is not None:
        answer = bot.get(f"{path}&cursor={cursor}" if cursor else path)
        assert answer.status_code == 200 and answer.json()["count"] == 7
        found += [item["username"] for item in answer.json()["items"]]
        cursor = answer.json()["next"]
    return found


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8, 500])
@pytest.mark.parametrize("order", ["-id", "id", "-first_name", "first_name", "-date_joined", "username"])
def test_walking_the_pages_meets_each_once_in_order(bot: Caller, crowd: list[User], limit: int, order: str) -> None:
    in_order = User.objects.order_by(order, "-pk" if order.startswith("-") else "pk")
    wanted = list(in_order.values_list("username", flat=True))
    assert walk(bot, f"/people?limit={limit}&order={order}") == wanted


def test_a_row_that_comes_in_between_shifts_no_page(bot: Caller, crowd: list[User]) -> None:
    first = bot.get("/people?limit=3").json()
    make_person("latecomer")
    second = bot.get(f"/people?limit=3&cursor={first['next']}").json()
    assert [item["username"] for item in second["items"]] == ["p3", "p2", "p1"]


def test_an_empty_list_has_no_next(bot: Caller) -> None:
    assert bot.get("/people").json() == {"items": [], "count": 0, "next": None}


def test_any_page_is_two_queries(bot: Caller, crowd: list[User], django_assert_num_queries: Any) -> None:
    cursor = bot.get("/people?limit=2").json()["next"]
    with django_assert_num_queries(3):  # and the token
        bot.get(f"/people?limit=2&cursor={cursor}")


@pytest.mark.parametrize("limit", ["0", "501", "-1", "x", "1.5", ""])
def test_a_limit_out_of_range_is_422(bot: Caller, limit: str) -> None:
    answer = bot.get(f"/people?limit={limit}")
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (422, "limit")


def cursor_of(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "!!!!",
        "Ω",
        "a" * 999,
        cursor_of(1),
        cursor_of([]),
        cursor_of(["-id", 1, 2]),
        cursor_of(["-id", "x", "x"]),
        cursor_of(["id", "0190163d-8694-739b-aea5-966c26f8ad91", "0190163d-8694-739b-aea5-966c26f8ad91"]),
        cursor_of(["-id", "a\x00", "a\x00"]),
        base64.urlsafe_b64encode(b"\xff\xff").decode(),
    ],
)
def test_a_bad_cursor_is_422(bot: Caller, cursor: str) -> None:
    answer = bot.get(f"/people?cursor={cursor}")
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_cursor")


@pytest.mark.parametrize("value", ["2026-01-01", "2026-01-01T00:00:00", "nonsense", "99999-01-01T00:00:00Z", ""])
def test_a_cursor_with_a_bad_time_is_422(bot: Caller, value: str) -> None:
    cursor = cursor_of(["-date_joined", value, "0190163d-8694-739b-aea5-966c26f8ad91"])
    assert bot.get(f"/people?order=-date_joined&cursor={cursor}").json()["code"] == "bad_cursor"


def test_a_field_that_may_be_null_cannot_order_a_list() -> None:
    with pytest.raises(FieldDoesNotExist):
        pages.page(User.objects.all(), query=PageQuery(), order="last_login")


def test_what_the_caller_has_is_not_sent_again(bot: Caller) -> None:
    etag = bot.get("/documents/1")["ETag"]
    assert etag.startswith('"') and etag.endswith('"')
    for given in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        answer = bot.get("/documents/1", If_None_Match=given)
        assert (answer.status_code, answer.content, answer["ETag"]) == (304, b"", etag)
    assert bot.get("/documents/2", If_None_Match=etag).status_code == 200


def test_a_change_needs_the_version_that_it_is_made_against(bot: Caller) -> None:
    etag = bot.get("/documents/1")["ETag"]
    missing = bot.patch("/documents/1", {})
    assert (missing.status_code, missing.json()["code"]) == (428, "precondition_required")
    for stale in ('"other"', f"W/{etag}", etag.strip('"')):
        answer = bot.patch("/documents/1", {}, If_Match=stale)
        assert (answer.status_code, answer.json()["code"]) == (412, "precondition_failed")
    for good in (etag, f'"other", {etag}', "*"):
        assert bot.patch("/documents/1", {}, If_Match=good).status_code == 200
