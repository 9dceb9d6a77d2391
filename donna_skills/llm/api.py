"""The route for money."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Schema

from donna_skills.accounts.models import Scope
from donna_skills.llm import selectors
from donna_skills.rest.auth import scope

router = Router(tags=["budget"])


class PeriodOut(Schema):
    key: str
    limit_usd: Decimal
    spent_usd: Decimal
    reserved_usd: Decimal
    remaining_usd: Decimal
    background_limit_usd: Decimal
    background_remaining_usd: Decimal
    paused: bool
    ends_at: datetime


class PurposeOut(Schema):
    purpose: str
    calls: int
    attempts: int
    failed_attempts: int
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal


class BudgetOut(Schema):
    day: PeriodOut
    month: PeriodOut
    warning_share: float
    live_reserve_share: float
    by_purpose: list[PurposeOut]


@router.get(
    "/budget",
    auth=scope(Scope.RUNS_READ),
    operation_id="get_budget",
    response=BudgetOut,
    summary="Limits, what is spent and held of them today and this month (UTC), and this month by purpose",
)
def get_budget(request: HttpRequest) -> Any:
    return selectors.budget_summary(timezone.now())
