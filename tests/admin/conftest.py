"""Somebody of each role at the admin's door."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from tests import builders


@pytest.fixture
def as_role(db: None) -> Callable[..., Client]:
    """A client logged in as somebody new with this role, who is staff unless told otherwise."""

    def log_in(role: str = "", *, is_staff: bool = True, is_superuser: bool = False) -> Client:
        client = Client()
        client.force_login(builders.person(role, is_staff=is_staff, is_superuser=is_superuser))
        return client

    return log_in


@pytest.fixture
def chief(as_role: Callable[..., Client]) -> Client:
    """A superuser: where even they cannot do something, nobody can."""
    return as_role(is_superuser=True)
