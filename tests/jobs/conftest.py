from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from donna_skills.accounts.actors import Actor
from tests.jobs.handler_names import HANDLERS


@pytest.fixture
def by() -> Actor:
    return Actor.system("test")


@pytest.fixture(autouse=True)
def _handlers(settings: Any) -> None:
    settings.JOB_HANDLERS = HANDLERS


@pytest.fixture
def at_once() -> Callable[..., list[Any]]:
    """Run a function in several threads at the same time, each with a connection of its own; answers in order."""

    def run(function: Callable[[int], Any], *, threads: int = 4) -> list[Any]:
        def one(number: int) -> Any:
            try:
                return function(number)
            finally:
                connection.close()

        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(one, range(threads)))

    return run
