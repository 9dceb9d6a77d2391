"""A cap on what the model calls of one piece of work cost together, whichever steps, fallbacks and retries make them.

    with caps.capped(Decimal("2")) as cap:
        ...             # every `gateway.complete` in this thread
    cap.spent, cap.reached

The budget is about periods and everybody; this is about one run, in the thread that carries it out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from decimal import Decimal

from donna_skills.llm.port import ModelRefused


class CostCapReached(ModelRefused):
    """The call could cost more than is left; it was not made, and asking again cannot help."""

    code, title = "cost_cap_reached", "The work has cost what it may cost"


@dataclass
class Cap:
    limit_usd: Decimal
    spent: Decimal = Decimal(0)
    reached: bool = False

    @property
    def exceeded(self) -> bool:
        return self.reached or self.spent > self.limit_usd


_current: ContextVar[Cap | None] = ContextVar("cap", default=None)


@contextmanager
def capped(limit_usd: Decimal) -> Iterator[Cap]:
    """No call of this block starts when its estimate would pass the limit."""
    cap = Cap(limit_usd)
    token = _current.set(cap)
    try:
        yield cap
    finally:
        _current.reset(token)


def check(estimate_usd: Decimal) -> None:
    """Raise CostCapReached when a call with this estimate does not fit any more. What costs nothing always fits."""
    cap = _current.get()
    if cap is not None and estimate_usd and cap.spent + estimate_usd > cap.limit_usd:
        cap.reached = True
        raise CostCapReached(
            f"This work may cost {cap.limit_usd} USD, and has cost {cap.spent}: a call of up to {estimate_usd} USD "
            "was not made."
        )


def spend(cost_usd: Decimal) -> None:
    cap = _current.get()
    if cap is not None:
        cap.spent += cost_usd
