"""Ledger rows for tests of the budget: held, settled, and what they add up to."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from donna_skills.llm import budget
from donna_skills.llm.models import BudgetPeriod, CallStatus, ModelCall, PriceSource
from donna_skills.llm.port import Purpose
from tests.llm.race import NOON


def a_call(*, estimate: Decimal, at: datetime, purpose: Purpose = Purpose.NATIVE) -> ModelCall:
    """Unsaved: `budget.reserve` writes it."""
    return ModelCall(
        purpose=purpose,
        task_type="parse_task",
        alias="reasoner",
        provider="openai",
        model="large",
        prompt_digest="0" * 64,
        estimate_usd=estimate,
        price_source=PriceSource.CONFIGURED,
        started_at=at,
        expires_at=at + timedelta(minutes=2),
    )


def hold(estimate: str, *, at: datetime = NOON, purpose: Purpose = Purpose.NATIVE) -> ModelCall:
    call = a_call(estimate=Decimal(estimate), at=at, purpose=purpose)
    budget.reserve(call)
    return call


def close(call: ModelCall, cost: str, *, status: CallStatus = CallStatus.SUCCEEDED, at: datetime = NOON) -> None:
    budget.settle(call, budget.Closing(status=status, finished_at=at, cost_usd=Decimal(cost)))


def spend(cost: str, *, at: datetime = NOON, purpose: Purpose = Purpose.NATIVE) -> None:
    close(hold(cost, at=at, purpose=purpose), cost, at=at)


def figures(key: str) -> tuple[str, str]:
    """What the period has spent, and what it holds."""
    row = BudgetPeriod.objects.get(key=key)
    return f"{row.spent_usd:.2f}", f"{row.reserved_usd:.2f}"
