"""People of each role."""

from __future__ import annotations

import pytest

from donna_skills.accounts.models import User
from tests.accounts.people import make_person


@pytest.fixture
def anna(db: None) -> User:
    return make_person("anna")


@pytest.fixture
def administrator(db: None) -> User:
    return make_person("root", "admin")
