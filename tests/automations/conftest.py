"""What the tests of automations share: a script of prices that begins empty."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.automations import made


@pytest.fixture(autouse=True)
def _no_prices_are_left_over() -> Iterator[None]:
    made.PRICES.clear()
    yield
    made.PRICES.clear()
