"""A client with a token, and a capability that the offline rules can answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from lifecycle.models import Skill
from lifecycle.services import seeds
from tests import builders


class Api:
    """Calls routes with one token, and reads JSON."""

    def __init__(self, secret: str) -> None:
        self.client, self.headers = Client(), builders.headers(secret)

    def get(self, path: str, **headers: str) -> Any:
        return self.client.get(f"/api/v1/{path}", headers={**self.headers, **headers})

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        raw = body if isinstance(body, bytes | str) else None
        kind = headers.pop("content_type", "application/json")
        data = {} if body is None else body
        given = {**self.headers, **headers}
        if raw is not None:
            return self.client.generic("POST", f"/api/v1/{path}", raw, content_type=kind, headers=given)
        return self.client.post(f"/api/v1/{path}", data, content_type=kind, headers=given)


@pytest.fixture
def api() -> Api:
    """A bot with every scope that a bot may have."""
    return Api(builders.bot_token()[1])


@pytest.fixture
def as_person() -> Callable[..., Api]:
    """A person's token, by role."""
    return lambda role: Api(builders.person_token(builders.person(role))[1])


@pytest.fixture
def parse_task() -> Skill:
    seeds.load()
    return Skill.objects.get(capability__name="parse_task")
