"""schemathesis against the live server: whatever it thinks up for a route, the description allows the answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.conf import LazySettings
from django.core.servers.basehttp import WSGIRequestHandler
from pytest_django.live_server_helper import LiveServer
from schemathesis.checks import CheckContext
from schemathesis.engine import events, from_schema

from lifecycle.services import seeds
from tests import builders

# What any server may say of a request that is not HTTP enough to reach a route.
BEFORE_ANY_ROUTE = {400, 405, 408, 411}
CONFIG: dict[str, Any] = {
    "seed": 20_261_120,
    "request-timeout": 30,
    "continue-on-failure": True,
    "cache": {"enabled": False},
    "generation": {"deterministic": True, "max-examples": 6, "no-shrink": True, "database": "none"},
    "phases": {"stateful": {"max-steps": 4, "generation": {"max-examples": 12}}},
    # Cursors, packages and a capability's own schemas are ruled by more than their type.
    "checks": {"positive_data_acceptance": {"enabled": False}},
    "operations": [
        {
            "include-operation-id": "get_ready",
            "checks": {"not_a_server_error": {"expected-statuses": ["200", "4xx", "503"]}},
        }
    ],
}


@schemathesis.check
def names_every_status(ctx: CheckContext, response: schemathesis.Response, case: schemathesis.Case) -> None:
    """`default` stands for what nobody foresaw: a status that a route is seen to answer is named by the route."""
    named = set(case.operation.definition.raw["responses"])
    if str(response.status_code) not in named and response.status_code not in BEFORE_ANY_ROUTE:
        raise AssertionError(f"{case.operation.label} answers {response.status_code}, which it does not name.")


@schemathesis.serializer("application/x-ndjson")
def as_lines(ctx: schemathesis.SerializationContext, value: Any) -> dict[str, Any]:
    return {"data": value if isinstance(value, bytes) else str(value).encode(errors="surrogatepass")}


@pytest.mark.django_db(transaction=True)
def test_no_request_gets_an_answer_that_the_description_does_not_allow(
    live_server: LiveServer, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
):
    settings.API_RATE_PER_MINUTE = 1_000_000
    # The test server writes headers and body apart; without this each answer waits 40 ms for the reader's nod.
    monkeypatch.setattr(WSGIRequestHandler, "disable_nagle_algorithm", True)
    seeds.load()
    config = schemathesis.Config.from_dict({**CONFIG, "headers": builders.headers(builders.bot_token()[1])})
    api = schemathesis.openapi.from_url(f"{live_server.url}/api/v1/openapi.json", config=config)

    called: set[str | None] = set()
    failures: list[str] = []
    for event in from_schema(api).execute():
        if isinstance(event, events.ScenarioFinished):
            called |= {event.label} if event.recorder.interactions else set()
            failures += _failures(event)
        elif isinstance(event, events.NonFatalError | events.FatalError):
            failures.append(str(event))
    assert not failures, "\n\n".join(failures)
    assert called >= {result.ok().label for result in api.get_all_operations()}


def _failures(event: events.ScenarioFinished) -> Iterator[str]:
    for checks in event.recorder.checks.values():
        for check in checks:
            if found := check.failure_info:
                yield "\n".join(
                    [f"{event.label}: {found.failure.title}", found.failure.message[:1_000], found.code_sample]
                )
