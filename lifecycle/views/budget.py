"""The budget: limits and what is spent of them, by purpose and by day, and what skills save in return.

Here and not beside the ledger, because savings are the skills' business and the platform knows none.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from donna_skills import charts
from donna_skills.llm import selectors as money
from donna_skills.llm.port import Purpose
from donna_skills.templatetags import ui
from lifecycle import savings

DAYS = 30
PARTS = (
    ("Reference answers", "grey", (Purpose.NATIVE,)),
    ("Skills' steps", "accent", (Purpose.SKILL_STEP,)),
    ("Comparing and judging", "teal", (Purpose.SHADOW, Purpose.JUDGE)),
    ("Drafting, evolving, validating", "violet", (Purpose.DRAFT, Purpose.EVOLUTION, Purpose.VALIDATION)),
    ("Matching", "blue", (Purpose.MATCH,)),
)
"""The bars of the chart: a day's spending in few enough parts to tell apart."""


@login_required
def budget(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    summary = money.budget_summary(now)
    days = money.spending_by_day(now, days=DAYS)
    context = {
        "periods": [_period("Today", summary.day, summary), _period("This month", summary.month, summary)],
        "purposes": [{"label": Purpose(one.purpose).label, "row": one} for one in summary.by_purpose],
        "spent_anything": any(one.attempts for one in summary.by_purpose),
        "chart": _chart(days) if any(day.total_usd for day in days) else None,
        "savings": savings.of_skills(now),
        "warning_percent": round(summary.warning_share * 100),
        "reserve_percent": round(summary.live_reserve_share * 100),
    }
    return render(request, "lifecycle/budget.html", context)


def _period(heading: str, period: money.PeriodSummary, summary: money.BudgetSummary) -> dict[str, Any]:
    """A card: how far the period is, in the words that fit."""
    near = period.spent_usd >= period.limit_usd * Decimal(str(summary.warning_share))
    tone, word = ("red", "Used up") if period.paused else ("amber", "Nearly used up") if near else ("green", "Open")
    background_paused = not period.paused and period.background_remaining_usd <= 0
    return {"heading": heading, "row": period, "tone": tone, "word": word, "background_paused": background_paused}


def _chart(days: list[money.DaySpending]) -> charts.Chart:
    total = sum((day.total_usd for day in days), Decimal(0))
    dearest = max(days, key=lambda day: day.total_usd)
    most = f"the most on {dearest.day.day} {dearest.day:%b}, {ui.money(dearest.total_usd)}"
    return charts.Chart(
        id="spending",
        title=f"Spent by day, the last {len(days)} days (UTC)",
        summary=f"{ui.money(total)} in {len(days)} days; {most}.",
        kind="bar",
        unit="usd",
        stacked=True,
        labels=[f"{day.day.day} {day.day:%b}" for day in days],
        series=[
            charts.Series(
                label=label,
                tone=tone,
                values=[sum((day.by_purpose.get(one, Decimal(0)) for one in purposes), Decimal(0)) for day in days],
            )
            for label, tone, purposes in PARTS
        ],
    )
