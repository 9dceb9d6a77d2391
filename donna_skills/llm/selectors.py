"""What people and bots read about model calls: set-based, whatever the ledger's size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import CharField, Count, Q, QuerySet, Sum
from django.db.models.functions import Cast, Substr

from donna_skills.llm import budget
from donna_skills.llm.models import BudgetPeriod, CallStatus, ModelCall
from donna_skills.llm.port import Purpose

_CENT_FRACTION = Decimal("0.000001")


@dataclass(frozen=True)
class PeriodSummary:
    key: str
    limit_usd: Decimal
    background_limit_usd: Decimal
    spent_usd: Decimal
    reserved_usd: Decimal
    starts_at: datetime
    ends_at: datetime

    @property
    def remaining_usd(self) -> Decimal:
        """What a call of live traffic can still reserve."""
        return max(Decimal(0), self.limit_usd - self.spent_usd - self.reserved_usd)

    @property
    def background_remaining_usd(self) -> Decimal:
        """What a call of background work can still reserve."""
        return max(Decimal(0), self.background_limit_usd - self.spent_usd - self.reserved_usd)

    @property
    def paused(self) -> bool:
        return self.spent_usd >= self.limit_usd


@dataclass(frozen=True)
class PurposeSummary:
    """One purpose in the current UTC month. `calls` counts questions, `attempts` what they took."""

    purpose: str
    calls: int
    attempts: int
    failed_attempts: int
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal


@dataclass(frozen=True)
class DaySpending:
    """What one UTC day cost, by purpose; a purpose without a call is missing."""

    day: date
    by_purpose: Mapping[str, Decimal]

    @property
    def total_usd(self) -> Decimal:
        return sum(self.by_purpose.values(), Decimal(0))


@dataclass(frozen=True)
class BudgetSummary:
    day: PeriodSummary
    month: PeriodSummary
    warning_share: float
    live_reserve_share: float
    by_purpose: tuple[PurposeSummary, ...]


def budget_summary(now: datetime) -> BudgetSummary:
    """The limits, what is spent and held of them in the current UTC day and month, and by purpose (two queries)."""
    known, (month, day) = budget.limits(), period_summaries(now)
    return BudgetSummary(
        day=day,
        month=month,
        warning_share=float(known.monthly_warning_pct),
        live_reserve_share=float(known.live_reserve_pct),
        by_purpose=_by_purpose(ModelCall.objects.filter(started_at__gte=month.starts_at)),
    )


def spending_by_day(now: datetime, *, days: int = 30) -> list[DaySpending]:
    """The last UTC days with today as the last of them, each by purpose; days without a call too. One query, on the
    index by time."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    first = today - timedelta(days=days - 1)
    # Both databases write a time in UTC as text that begins with its day, and cut it faster than they truncate it.
    day = Substr(Cast("started_at", CharField()), 1, 10)
    calls = ModelCall.objects.filter(started_at__gte=first, started_at__lt=today + timedelta(days=1))
    spent: dict[str, dict[str, Decimal]] = {}
    for row in calls.order_by().annotate(day=day).values("day", "purpose").annotate(cost=Sum("cost_usd")):
        spent.setdefault(row["day"], {})[row["purpose"]] = _money(row["cost"])
    dates = [(first + timedelta(days=number)).date() for number in range(days)]
    return [DaySpending(one, spent.get(one.isoformat(), {})) for one in dates]


def spent_on(purposes: Iterable[Purpose], *, since: datetime) -> Decimal:
    """What calls for these purposes have cost since then."""
    calls = ModelCall.objects.filter(purpose__in=list(purposes), started_at__gte=since)
    return _money(calls.aggregate(cost=Sum("cost_usd"))["cost"])


def period_summaries(now: datetime) -> tuple[PeriodSummary, PeriodSummary]:
    """The current UTC month and day without their purposes: one query on two rows, whatever the ledger's size."""
    month, day = budget.periods(now)
    rows = {row.key: row for row in BudgetPeriod.objects.filter(key__in=[month.key, day.key])}
    return _period(month, rows.get(month.key)), _period(day, rows.get(day.key))


def _period(period: budget.Period, row: BudgetPeriod | None) -> PeriodSummary:
    return PeriodSummary(
        key=period.key,
        limit_usd=period.limit_usd,
        background_limit_usd=period.background_limit_usd,
        spent_usd=row.spent_usd if row else Decimal(0),
        reserved_usd=row.reserved_usd if row else Decimal(0),
        starts_at=period.starts_at,
        ends_at=period.ends_at,
    )


def _by_purpose(calls: QuerySet[ModelCall]) -> tuple[PurposeSummary, ...]:
    """Every purpose, those without a call too, in the enum's order."""
    found = {
        row["purpose"]: row
        for row in calls.order_by()
        .values("purpose")
        .annotate(
            calls=Count("id", filter=Q(attempt=1)),
            attempts=Count("id"),
            failed=Count("id", filter=Q(status__in=[CallStatus.FAILED, CallStatus.ABANDONED])),
            read=Sum("input_tokens"),
            written=Sum("output_tokens"),
            cost=Sum("cost_usd"),
        )
    }
    return tuple(_purpose(purpose, found.get(purpose, {})) for purpose in Purpose.values)


def _purpose(purpose: str, row: Mapping[str, Any]) -> PurposeSummary:
    return PurposeSummary(
        purpose=purpose,
        calls=row.get("calls", 0),
        attempts=row.get("attempts", 0),
        failed_attempts=row.get("failed", 0),
        input_tokens=row.get("read") or 0,
        output_tokens=row.get("written") or 0,
        cost_usd=_money(row.get("cost")),
    )


def _money(summed: Any) -> Decimal:
    """SQLite sums decimals as floats: round what it gives back to the column's own places."""
    return Decimal(str(summed or 0)).quantize(_CENT_FRACTION)
