"""Tell the people in charge of the budget, once a UTC day and once a month: it is nearly used up, and calls pause.

Both are claimed in the period's own row by a conditional update in the transaction that makes them true, so that
however many processes spend at once, one of them tells. A limit that is raised or lowered later in the same period
does not make anybody hear it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from donna_skills.accounts.roles import Permission
from donna_skills.llm.models import BudgetPeriod, to_micros
from donna_skills.notifications import events
from donna_skills.notifications.events import Notice
from donna_skills.notifications.models import Level

if TYPE_CHECKING:
    from donna_skills.llm.budget import Period

WARNING, PAUSED = "budget.warning", "budget.paused"


def after_spending(periods: Sequence[Period], *, at: datetime) -> None:
    """Money was spent in these periods: tell what has become true by it. One query where there is nothing to tell.

    The caller's transaction has just written the rows and so holds their locks. A period that has ended meanwhile
    pauses nobody any more.
    """
    rows = {row.key: row for row in BudgetPeriod.objects.filter(key__in=[period.key for period in periods])}
    for period in periods:
        row, limit = rows.get(period.key), to_micros(period.limit_usd)
        if row is None or period.ends_at <= at or not limit:
            continue
        if row.warned_at is None and row.spent_micros >= to_micros(period.warning_usd):
            _warn(period, row, at=at)
        if row.paused_at is None and row.spent_micros >= limit:
            _pause(period, row, spent_at_least=limit, because="", at=at)


def after_refusal(period: Period, row: BudgetPeriod, *, estimate_usd: Decimal, at: datetime) -> None:
    """A live call was refused because, with what is spent, its estimate would pass the limit."""
    if row.paused_at is None:
        because = f" A call that may cost {estimate_usd:.4f} USD was refused."
        too_much = to_micros(period.limit_usd) - to_micros(estimate_usd) + 1
        _pause(period, row, spent_at_least=too_much, because=because, at=at)


def _warn(period: Period, row: BudgetPeriod, *, at: datetime) -> None:
    if not BudgetPeriod.objects.filter(pk=row.pk, warned_at=None).update(warned_at=at):
        return
    notice = Notice(
        title=f"The budget of the {_label(period)} is nearly used up",
        body=f"{_figures(period, row)}. Model calls pause at the limit, until {_time(period.ends_at)}.",
        level=Level.WARNING,
        permission=Permission.MANAGE_SETTINGS,
    )
    _publish(WARNING, period, row, notice)


def _pause(period: Period, row: BudgetPeriod, *, spent_at_least: int, because: str, at: datetime) -> None:
    """The claim repeats the condition (in millionths): between the caller's read and this, the row may have changed."""
    unpaused = BudgetPeriod.objects.filter(pk=row.pk, paused_at=None, spent_micros__gte=spent_at_least)
    if not unpaused.update(paused_at=at):
        return
    notice = Notice(
        title=f"Model calls pause: the budget of the {_label(period)} is used up",
        body=f"{_figures(period, row)}.{because} Calls go on at {_time(period.ends_at)}, or with a higher limit in "
        "config/skills.yaml.",
        level=Level.ERROR,
        permission=Permission.MANAGE_SETTINGS,
    )
    _publish(PAUSED, period, row, notice)


def _publish(kind: str, period: Period, row: BudgetPeriod, notice: Notice) -> None:
    events.publish(
        kind,
        subject_type="budget_period",
        subject_id=period.key,
        payload={
            "period": period.key,
            "spent_usd": row.spent_usd,
            "limit_usd": period.limit_usd,
            "ends_at": period.ends_at,
        },
        dedup_key=f"{kind}:{period.key}",
        notify=notice,
    )


def _label(period: Period) -> str:
    """`day 2026-11-21`, `month 2026-11`."""
    return period.key.replace(":", " ")


def _figures(period: Period, row: BudgetPeriod) -> str:
    return f"{row.spent_usd:.2f} of {period.limit_usd:.2f} USD are spent"


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
