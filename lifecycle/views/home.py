"""The home page: what needs me, how the skills do, what it costs, what the night found, and where a newcomer starts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any, cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from donna_skills import panels
from donna_skills.accounts.models import ApiToken, User
from donna_skills.accounts.roles import Permission, may
from donna_skills.llm import selectors as money
from donna_skills.templatetags import ui
from lifecycle import home_selectors, savings
from lifecycle.configuration import knobs
from lifecycle.models import ReviewKind, SkillRun
from lifecycle.states import SERVING, STATES, State

KINDS = {
    ReviewKind.DRAFT: ("draft", "drafts"),
    ReviewKind.PROMOTION: ("promotion", "promotions"),
    ReviewKind.FLAG: ("flagged skill", "flagged skills"),
    ReviewKind.EVOLUTION: ("evolved version", "evolved versions"),
    ReviewKind.ROLLBACK: ("rollback", "rollbacks"),
    ReviewKind.CAPABILITY: ("capability", "capabilities"),
    ReviewKind.FOLLOW_UP: ("follow-up", "follow-ups"),
}
DAYS = 7
"""Of the small line of spending."""


@login_required
def home(request: HttpRequest) -> HttpResponse:
    now, user = timezone.now(), cast(User, request.user)
    context = {
        "next_steps": _next_steps(user),
        "needs": _needs(user, now),
        "live": _live(),
        "today": _today(now),
        "night": _night(now),
        "lines": panels.lines(user, now),
        "moves": home_selectors.lately(),
        "may_audit": may(user, Permission.VIEW_AUDIT),
    }
    return render(request, "lifecycle/home.html", context)


def _next_steps(user: User) -> list[dict[str, Any]]:
    """Three steps for a newcomer, until somebody has tried a skill here and a bot has called."""
    own = SkillRun.objects.filter(requested_by_id=user.pk).order_by("-id").values_list("pk", flat=True).first()
    called = ApiToken.objects.filter(last_used_at__isnull=False).exists()
    steps = [
        {
            "title": "Try a skill",
            "text": "Give parse_task a sentence and see it become a task. It takes a few seconds and no key.",
            "url": reverse("try_skill"),
            "done": own is not None,
        },
        {
            "title": "Look at its run",
            "text": "Every answer is kept: what was asked, each step, which model, what it cost.",
            "url": reverse("run_detail", args=[own]) if own else reverse("run_list"),
            "done": False,
        },
        {
            "title": "Connect a bot",
            "text": "Make a token (manage.py create_api_token NAME --scope runs:write), and paste the curl line that "
            "the page of a skill shows.",
            "url": "/api/v1/docs",
            "done": called,
        },
    ]
    return [] if own and called else steps


def _needs(user: User, now: datetime) -> dict[str, Any]:
    """What waits, by kind; who may not decide is told so, and may look."""
    found, queue = home_selectors.questions(user, now), reverse("review_queue")
    lines = [
        {
            "count": one.count,
            "text": KINDS[one.kind][one.count != 1],
            "oldest": one.oldest,
            "url": f"{queue}?kind={one.kind}",
        }
        for one in found.waiting
    ]
    next_url = reverse("review_detail", args=[found.next_id]) if found.next_id else ""
    return {
        "count": found.count,
        "lines": lines,
        "to_fix": found.to_fix,
        "may_decide": may(user, Permission.DECIDE_REVIEWS),
        "next_url": next_url,
    }


def _live() -> dict[str, Any]:
    found = home_selectors.live()
    counted = [
        {"count": found.counts[state], "text": STATES[state].label.lower(), "state": state}
        for state in (State.TRUSTED, State.SHADOW_PRIMARY, State.SANDBOX, *home_selectors.TROUBLED)
        if found.counts.get(state)
    ]
    return {
        "counts": counted,
        "concerns": [_concern(one) for one in found.named],
        "rest": list(_rest(found)),
    }


def _concern(one: home_selectors.Concern) -> dict[str, Any]:
    """A shape, a name and the word that says what is the matter."""
    skill, state = one.skill, State(one.skill.state)
    word, tone = "paused", "amber"
    if state not in SERVING:
        word, tone = STATES[state].label.lower(), STATES[state].tone
    elif one.agreement is not None:
        word = ""
    return {
        "name": skill.capability.name,
        "url": reverse("skill_detail", args=[skill.capability.name]),
        "shape": ui.SHAPES[tone],
        "tone": tone,
        "word": word,
        "agreement": one.agreement.rate if one.agreement else None,
    }


def _rest(found: home_selectors.Live) -> Iterator[str]:
    """The others in a sentence each."""
    if found.concerns > len(found.named):
        yield f"{found.concerns - len(found.named)} more need a look."
    if found.steady:
        others = "All others" if found.concerns else "All"
        yield f"{others} steady." if not found.unknown else f"{found.steady} steady."
    if found.unknown:
        yield f"{found.unknown} with too few comparisons to tell."
    if found.unwatched:
        yield f"{found.unwatched} longer in their state not looked at here."


def _today(now: datetime) -> dict[str, Any]:
    month, day = money.period_summaries(now)
    days = [one.total_usd for one in money.spending_by_day(now, days=DAYS)]
    return {
        "spent": day.spent_usd,
        "limit": day.limit_usd,
        "month": month.spent_usd,
        "month_limit": month.limit_usd,
        "days": days,
        "days_words": f"Spent a day, the last {DAYS} days: {', '.join(ui.money(one) for one in days)}",
        "runs": asdict(home_selectors.runs_today(now)),
        "saved": savings.net_lately(now),
        "saved_days": savings.WINDOW.days,
    }


def _night(now: datetime) -> dict[str, Any]:
    """One line of figures, and where its report is."""
    found = home_selectors.last_night(now)
    if found is None:
        return {"hour": knobs().nightly_run_hour_utc}
    job = found.job
    counts = [
        _counted(found.candidates, "candidate", "candidates"),
        _counted(found.drafts, "draft", "drafts"),
        _counted(found.flags, "flag", "flags"),
        *([_counted(found.evolved, "evolved version", "evolved versions")] if found.evolved else []),
        *([_counted(found.promoted, "promotion", "promotions")] if found.promoted else []),
        ui.money(found.cost_usd),
    ]
    trouble = []
    if found.failed:
        trouble.append(f"{_counted(found.failed, 'step', 'steps')} failed")
    if found.errors:
        trouble.append(f"{_counted(found.errors, 'skill', 'skills')} could not be looked at")
    if not job.is_open and not trouble and job.status != "succeeded":
        trouble.append(f"ended as {job.get_status_display().lower()}")
    return {
        "job": job,
        "is_recent": found.is_recent,
        "milliseconds": found.seconds * 1000,
        "counts": ", ".join(counts),
        "trouble": "; ".join(trouble),
        "url": reverse("job_detail", args=[job.pk]),
    }


def _counted(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
