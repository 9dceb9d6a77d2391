"""The change feed over HTTP: in order, nothing twice, nothing skipped."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from donna_skills.accounts import tokens
from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import Scope, TokenKind, User
from donna_skills.notifications import events

pytestmark = pytest.mark.django_db


def bearer(*scopes: Scope) -> dict[str, str]:
    owner, _ = User.objects.get_or_create(username="owner")
    _, raw = tokens.create(name="bot", owner=owner, scopes=list(scopes), kind=TokenKind.BOT, by=Actor.system("test"))
    return {"Authorization": f"Bearer {raw}"}


def publish(number: int) -> None:
    with transaction.atomic():
        events.publish("skill.state_changed", subject_type="skill", subject_id="7", payload={"number": number})


def read(client: Client, **query: Any) -> dict[str, Any]:
    response = client.get("/api/v1/events", query, headers=bearer(Scope.EVENTS_READ))
    assert response.status_code == 200, response.content
    return response.json()


def test_a_bot_reads_on_from_where_it_was(client: Client) -> None:
    for number in range(5):
        publish(number)

    first = read(client, limit=2)
    second = read(client, limit=2, after=first["next"])
    third = read(client, limit=2, after=second["next"])

    numbers = [item["payload"]["number"] for page in (first, second, third) for item in page["items"]]
    assert numbers == [0, 1, 2, 3, 4]
    assert [page["count"] for page in (first, second, third)] == [5, 3, 1]
    assert first["items"][0].keys() == {"id", "cursor", "kind", "subject_type", "subject_id", "payload", "at"}


def test_at_the_end_the_cursor_stays_and_finds_what_comes_next(client: Client) -> None:
    publish(1)
    end = read(client)["next"]

    nothing = read(client, after=end)
    assert nothing == {"items": [], "count": 0, "next": end}

    publish(2)
    assert [item["payload"]["number"] for item in read(client, after=nothing["next"])["items"]] == [2]


def test_an_empty_feed_has_no_cursor(client: Client) -> None:
    assert read(client) == {"items": [], "count": 0, "next": None}


@pytest.mark.parametrize("query", [{"after": "x"}, {"after": "ZXZlbnQ6LTE"}, {"after": "é"}, {"after": "ZXZlbnQ6OTk5OTk5OTk5OTk5OTk5OTk5OTk5"}, {"limit": 0}, {"limit": 501}, {"limit": "many"}])  # fmt: skip  # noqa: E501
def test_a_cursor_or_limit_that_is_none_is_refused(client: Client, query: dict[str, Any]) -> None:
    response = client.get("/api/v1/events", query, headers=bearer(Scope.EVENTS_READ))

    assert response.status_code == 422
    assert response["Content-Type"] == "application/problem+json"


def test_the_feed_takes_its_scope(client: Client) -> None:
    assert client.get("/api/v1/events").status_code == 401
    assert client.get("/api/v1/events", headers=bearer(Scope.RUNS_READ)).status_code == 403


def test_a_page_costs_the_same_number_of_queries_whatever_its_size(
    client: Client, django_assert_num_queries: Any
) -> None:
    for number in range(30):
        publish(number)
    headers = bearer(Scope.EVENTS_READ)
    client.get("/api/v1/events", headers=headers)

    for limit in (1, 30):
        with django_assert_num_queries(3):
            client.get("/api/v1/events", {"limit": limit}, headers=headers)
