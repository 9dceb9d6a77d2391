"""Money for model calls: held before a call, settled after it, over UTC days and months.

1. `reserve` writes the ledger row and holds the estimate in both periods, each by one conditional update
   (spent + reserved + estimate <= limit), in one transaction: any number of processes together never pass a limit.
   For background work the limit is lower: a share of each limit is kept for live traffic, so that a busy night cannot
   leave the day without models.
2. `settle` closes the row and turns the estimate into what the call really cost.
3. `reap` closes rows whose process died. Their estimate counts as spent: the provider may well have charged for them.

Whoever makes it true that a period nears its limit or pauses also tells people, once a period (see `notices`).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, Decimal

from django.db import transaction
from django.db.models import F

from donna_skills import configuration
from donna_skills.configuration import knob
from donna_skills.errors import BudgetPaused
from donna_skills.llm import notices
from donna_skills.llm.models import BudgetPeriod, CallStatus, ModelCall, to_micros
from donna_skills.llm.port import Purpose
from donna_skills.lookups import UniqueLookup

_HELD_BY_OTHERS_RETRY_S = 15
_REAP_BATCH = 500
_MICRO = Decimal("0.000001")
_PERIOD = UniqueLookup(BudgetPeriod, "key")

# What somebody waits for. Everything else is background work, which can be made up for tomorrow.
LIVE_PURPOSES = frozenset({Purpose.NATIVE, Purpose.SKILL_STEP, Purpose.MATCH})


@dataclass(frozen=True)
class Limits:
    """The `budget` section of config/skills.yaml."""

    daily_pause_threshold_usd: Decimal = knob(
        Decimal(20), low=0, high=1_000_000, help="At this much in a UTC day, model calls pause until the next one."
    )
    monthly_budget_usd: Decimal = knob(
        Decimal(100), low=0, high=10_000_000, help="At this much in a UTC month, model calls pause until the next one."
    )
    monthly_warning_pct: Decimal = knob(
        Decimal("0.90"), low=0, high=1, help="Share of either limit at which people are told."
    )
    live_reserve_pct: Decimal = knob(
        Decimal("0.30"), low=0, high=1, help="Share of either limit that background work cannot take."
    )


@dataclass(frozen=True)
class Period:
    """A UTC day or month, its key in the table, its limits (all spending counts towards each), and where people are
    told that it is nearly used up."""

    key: str
    name: str
    limit_usd: Decimal
    background_limit_usd: Decimal
    warning_usd: Decimal
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True)
class Closing:
    """How an attempt ended: the columns of its ledger row that are known only then."""

    status: CallStatus
    finished_at: datetime
    cost_usd: Decimal = Decimal(0)
    latency_ms: int | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    output: str = ""
    error_code: str = ""
    error: str = ""


def limits() -> Limits:
    return configuration.load(Limits, configuration.file("skills.yaml"), section="budget")


def reserve(call: ModelCall) -> None:
    """Write the unsaved ledger row and hold its estimate. Raises BudgetPaused, and then nothing is held or written,
    except the notice that calls pause.

    Durable, so that a caller inside a transaction of its own is told at once (RuntimeError): a model must never be
    waited for inside one, and a reservation that could still be rolled back would hold nothing.
    """
    with transaction.atomic(durable=True):
        refusal = _hold_all(call)
        if refusal is None:
            call.save(force_insert=True)
    if refusal is not None:
        raise refusal


def ensure_open(at: datetime) -> None:
    """Raise BudgetPaused when nothing is left of the day or the month for live traffic, before work begins.

    Reads, holds nothing."""
    for period in periods(at):
        found = _PERIOD.get(period.key)
        if found is not None and found.spent_usd >= period.limit_usd > 0:
            raise _paused(period, ModelCall(purpose=Purpose.NATIVE, started_at=at), spent=found.spent_usd)


def room(at: datetime) -> Decimal:
    """What live traffic may still hold in the tighter of the day and the month; below 0 when it is overspent.

    Reads, holds nothing."""
    left = []
    for period in periods(at):
        row = _PERIOD.get(period.key)
        left.append(period.limit_usd - (row.spent_usd + row.reserved_usd if row else Decimal(0)))
    return min(left)


def settle(call: ModelCall, closing: Closing) -> None:
    """Close the row; the reservation becomes the cost. A row that was reaped meanwhile is set right."""
    with transaction.atomic(durable=True):
        if _close(call, closing, expected=CallStatus.RESERVED):
            _move(call, reserved=-call.estimate_usd, spent=closing.cost_usd, at=closing.finished_at)
        elif _close(call, closing, expected=CallStatus.ABANDONED):
            _move(call, reserved=Decimal(0), spent=closing.cost_usd - call.estimate_usd, at=closing.finished_at)


def reap(now: datetime) -> int:
    """Close reservations whose time is over, at their estimate; the number of them."""
    overdue = ModelCall.objects.filter(status=CallStatus.RESERVED, expires_at__lt=now).order_by("expires_at")
    return sum(_abandon(call, now) for call in overdue[:_REAP_BATCH])


def periods(at: datetime) -> Iterator[Period]:
    """The month, then the day: everybody takes the two rows in this order, so that nobody waits in a circle."""
    known, today = limits(), at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    first = today.replace(day=1)
    next_first = (first + timedelta(days=32)).replace(day=1)
    for key, name, limit_usd, starts_at, ends_at in (
        (f"month:{first:%Y-%m}", "month", known.monthly_budget_usd, first, next_first),
        (f"day:{today:%Y-%m-%d}", "day", known.daily_pause_threshold_usd, today, today + timedelta(days=1)),
    ):
        yield Period(
            key=key,
            name=name,
            limit_usd=limit_usd,
            # Rounded down, so that background work never takes a part of a millionth from live traffic.
            background_limit_usd=(limit_usd * (1 - known.live_reserve_pct)).quantize(_MICRO, rounding=ROUND_DOWN),
            warning_usd=limit_usd * known.monthly_warning_pct,
            starts_at=starts_at,
            ends_at=ends_at,
        )


def _hold_all(call: ModelCall) -> BudgetPaused | None:
    """Hold the estimate in both periods or in none; the answer is why not."""
    held: list[str] = []
    for period in periods(call.started_at):
        if not _hold(period, call):
            if held and call.estimate_usd:
                BudgetPeriod.objects.filter(key__in=held).update(
                    reserved_micros=F("reserved_micros") - to_micros(call.estimate_usd)
                )
            return _refuse(period, call)
        held.append(period.key)
    return None


def _hold(period: Period, call: ModelCall) -> bool:
    """One conditional update; the row is made at the period's first call."""
    estimate, limit = to_micros(call.estimate_usd), to_micros(period.limit_usd)
    rows = BudgetPeriod.objects.filter(key=period.key)
    if not estimate:
        # What costs nothing holds nothing, so there is nothing to race for: reading is enough.
        found = rows.first()
        return found is None or found.spent_micros + found.reserved_micros <= limit
    allowed = to_micros(_allowed(period, call))
    affordable = rows.filter(spent_micros__lte=allowed - estimate - F("reserved_micros"))
    changes = {"reserved_micros": F("reserved_micros") + estimate, "limit_micros": limit}
    if affordable.update(**changes):
        return True
    BudgetPeriod.objects.bulk_create([BudgetPeriod(key=period.key, limit_micros=limit)], ignore_conflicts=True)
    return bool(affordable.update(**changes))


def _allowed(period: Period, call: ModelCall) -> Decimal:
    """How much of the period a call may fill. What costs nothing takes nothing away from live traffic."""
    live = call.purpose in LIVE_PURPOSES or not call.estimate_usd
    return period.limit_usd if live else period.background_limit_usd


def _refuse(period: Period, call: ModelCall) -> BudgetPaused:
    """The refusal; and where what is spent keeps a live call out, the period pauses, and people hear of it.

    A call that is dearer than the whole limit pauses nothing: cheaper ones go on.
    """
    found = BudgetPeriod.objects.filter(key=period.key).first()
    spent = found.spent_usd if found else Decimal(0)
    kept_out = 0 < call.estimate_usd <= period.limit_usd < spent + call.estimate_usd
    if found is not None and kept_out and call.purpose in LIVE_PURPOSES:
        notices.after_refusal(period, found, estimate_usd=call.estimate_usd, at=call.started_at)
    return _paused(period, call, spent=spent)


def _paused(period: Period, call: ModelCall, *, spent: Decimal) -> BudgetPaused:
    """Where only calls under way stand in the way, it may go on in seconds; otherwise when the period ends."""
    allowed = _allowed(period, call)
    background = allowed < period.limit_usd
    if spent < allowed and spent + call.estimate_usd <= allowed:
        share = f", of which background work may take {allowed:.2f} USD" if background else ""
        return BudgetPaused(
            f"Calls under way hold the rest of this {period.name}'s budget of {period.limit_usd} USD{share}. "
            "Try again soon.",
            retry_after_s=_HELD_BY_OTHERS_RETRY_S,
        )
    goes_on = f"go on at {period.ends_at:%Y-%m-%d %H:%M} UTC, or with a"
    if background and spent + call.estimate_usd <= period.limit_usd:
        message = (
            f"Background work may take {allowed:.2f} USD of this {period.name}'s budget of {period.limit_usd} USD, and "
            f"{spent:.2f} USD are spent: the rest is kept for live traffic. Background calls {goes_on} lower "
            "live_reserve_pct in config/skills.yaml."
        )
    else:
        message = (
            f"This {period.name}'s budget of {period.limit_usd} USD does not allow this call: {spent:.2f} USD are "
            f"spent. Model calls {goes_on} higher limit in config/skills.yaml."
        )
    return BudgetPaused(message, retry_after_s=max(1, math.ceil((period.ends_at - call.started_at).total_seconds())))


def _abandon(call: ModelCall, now: datetime) -> bool:
    closing = Closing(
        status=CallStatus.ABANDONED,
        finished_at=now,
        cost_usd=call.estimate_usd,
        error_code="abandoned",
        error="The process that made this call ended before it was answered. Its estimate counts as spent.",
    )
    with transaction.atomic(durable=True):
        claimed = _close(call, closing, expected=CallStatus.RESERVED)
        if claimed:
            _move(call, reserved=-call.estimate_usd, spent=call.estimate_usd, at=now)
    return claimed


def _close(call: ModelCall, closing: Closing, *, expected: CallStatus) -> bool:
    return bool(ModelCall.objects.filter(pk=call.pk, status=expected).update(**dataclasses.asdict(closing)))


def _move(call: ModelCall, *, reserved: Decimal, spent: Decimal, at: datetime) -> None:
    """In the periods in which the call started, whatever the clock says now."""
    if not reserved and not spent:
        return
    touched = list(periods(call.started_at))
    for period in touched:
        BudgetPeriod.objects.filter(key=period.key).update(
            reserved_micros=F("reserved_micros") + to_micros(reserved),
            spent_micros=F("spent_micros") + to_micros(spent),
        )
    if spent > 0:
        notices.after_spending(touched, at=at)
