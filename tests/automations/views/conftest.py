"""Somebody logged in, and an automation on a price to look at."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from automations.models import Automation
from donna_skills.accounts.models import User
from tests import builders
from tests.automations import made

HTMX = {"HX-Request": "true"}


@pytest.fixture
def owner(db: None) -> User:
    return builders.person("operator", name="olga")


@pytest.fixture
def operator(client: Client, owner: User) -> Client:
    client.force_login(owner)
    return client


@pytest.fixture
def jacket(owner: User) -> Automation:
    return made.automation(
        owner=owner,
        name="Jacket",
        capability_name=made.price_capability(),
        schedule="0 8 * * *",
        timezone="Europe/Prague",
        alert_conditions={"field": "price", "op": "<=", "value": 100},
    )


def as_person(role: str, **fields: Any) -> Client:
    found = Client()
    found.force_login(builders.person(role, **fields))
    return found


def words(response: Any) -> str:
    """The page's text on one line."""
    return " ".join(response.content.decode().split())
