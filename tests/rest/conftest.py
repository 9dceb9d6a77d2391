"""A caller with a bot's token, in front of the small API of tests/rest/urls.py."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client

from donna_skills.accounts.models import ApiToken
from tests.accounts.people import make_bot_token
from tests.rest import urls


class Caller:
    def __init__(self, token: ApiToken, raw: str) -> None:
        self.token, self.raw = token, raw
        self.client = Client(headers={"Authorization": f"Bearer {raw}"}, raise_request_exception=False)

    def get(self, path: str, **headers: str) -> Any:
        return self.client.get(f"/api/v1{path}", headers=_named(headers))

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.send("post", path, body, **headers)

    def patch(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.send("patch", path, body, **headers)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        send = getattr(self.client, method)
        return send(f"/api/v1{path}", raw, content_type="application/json", headers=_named(headers))


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


@pytest.fixture(autouse=True)
def _small_api(settings: LazySettings) -> None:
    settings.ROOT_URLCONF = "tests.rest.urls"
    urls.fails.clear()


@pytest.fixture
def bot(db: None) -> Caller:
    return Caller(*make_bot_token("runs:read", "runs:write"))
