"""The home page: what needs me, how the skills do, what it costs, and where a newcomer starts."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from donna_skills.accounts.models import ApiToken
from donna_skills.accounts.roles import Permission, may
from donna_skills.llm.selectors import period_summaries
from lifecycle import selectors
from lifecycle.models import SkillRun


@login_required
def home(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    month, day = period_summaries(now)
    counts = selectors.home_counts()
    context = {
        "next_steps": _next_steps(request),
        "needs_you": _needs(request, counts),
        "skills": [_skill_line(health) for health in selectors.live_skills(now)],
        "runs": selectors.recent_runs(),
        "today": asdict(selectors.runs_today(now)),
        "spend": {
            "today": day.spent_usd,
            "limit": day.limit_usd,
            "month": month.spent_usd,
            "month_limit": month.limit_usd,
        },
    }
    return render(request, "lifecycle/home.html", context)


def _next_steps(request: HttpRequest) -> list[dict[str, Any]]:
    """Three steps for a newcomer, until somebody has tried a skill here and a bot has called."""
    own = SkillRun.objects.filter(requested_by_id=request.user.pk).order_by("-id").values_list("pk", flat=True).first()
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
            "the page of a tried skill shows.",
            "url": "/api/v1/docs",
            "done": called,
        },
    ]
    return [] if own and called else steps


def _needs(request: HttpRequest, counts: dict[str, int]) -> list[dict[str, Any]]:
    needs = []
    if counts["waiting"] and may(request.user, Permission.DECIDE_REVIEWS):
        url = reverse("review_queue")
        text = "review waits for a decision" if counts["waiting"] == 1 else "reviews wait for a decision"
        needs.append({"count": counts["waiting"], "text": text, "url": url})
    if counts["flagged"]:
        text = "skill is flagged" if counts["flagged"] == 1 else "skills are flagged"
        needs.append(
            {"count": counts["flagged"], "text": text, "url": reverse("skill_list") + "?state=flagged_for_review"}
        )
    return needs


def _skill_line(health: selectors.SkillHealth) -> dict[str, Any]:
    skill = health.skill
    return {
        "name": skill.capability.name,
        "state": skill.state,
        "paused": skill.paused,
        "version": skill.current_version.number if skill.current_version else None,
        "runs_7d": health.runs_7d,
        "ok_rate": asdict(health.ok_rate),
        "url": reverse("skill_detail", args=[skill.capability.name]),
    }
