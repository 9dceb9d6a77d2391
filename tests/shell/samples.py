"""Rows that exist in memory only: enough of a world to render every page without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from django.core.paginator import Page, Paginator

from donna_skills.accounts.models import User
from lifecycle.models import (
    Capability,
    Correction,
    Fixture,
    Skill,
    SkillRun,
    SkillVersion,
    StateTransition,
    StepResult,
)
from lifecycle.states import State

NOW = datetime.now(tz=UTC)
HOSTILE = "<script>alert(1)</script> pay\u202elanigiro\u200b now"


def person(**fields: Any) -> User:
    return User(
        **{"username": "reviewer", "email": "reviewer@example.org", "is_superuser": True, "is_staff": True, **fields}
    )


def capability(name: str = "parse_task") -> Capability:
    return Capability(name=name, description="Turn a sentence into a task with a person, a day and a priority.")


def skill(name: str = "parse_task", state: str = State.TRUSTED, **fields: Any) -> Skill:
    made = Skill(capability=capability(name), state=state, state_entered_at=NOW - timedelta(days=3), **fields)
    if state not in {State.CLAUDE_NATIVE, State.SKILL_CANDIDATE}:
        made.current_version = version(made)
    return made


def version(of: Skill, number: int = 4, status: str = "released") -> SkillVersion:
    return SkillVersion(
        skill=of, number=number, digest="9f" * 32, author_kind="person", author=person(), status=status,
        changelog="Reads weekdays in any case.", created_at=NOW - timedelta(days=number),
    )  # fmt: skip


def run(**fields: Any) -> SkillRun:
    values = {
        "capability": capability(),
        "path": "skill",
        "status": "succeeded",
        "state_at_run": State.TRUSTED,
        "inputs": {"text": "call the mechanic monday about the brakes, urgent"},
        "output": {"title": "Call the mechanic about the brakes", "due": "2026-11-23", "priority": "high"},
        "cost_usd": Decimal("0.000412"),
        "latency_ms": 1240,
        "created_at": NOW - timedelta(minutes=7),
    }
    return SkillRun(**{**values, **fields})


def runs() -> list[SkillRun]:
    statuses = [
        "succeeded",
        "succeeded",
        "failed",
        "escalated",
        "running",
        "timed_out",
        "interrupted",
        "permission_blocked",
    ]
    return [
        run(
            status=status,
            path="native" if number % 3 == 2 else "skill",
            created_at=NOW - timedelta(minutes=number * 37),
        )
        for number, status in enumerate(statuses)
    ] + [run(degraded=True)]


def steps() -> list[StepResult]:
    return [
        StepResult(name="parse", kind="model", status="succeeded", index=0, output={"title": HOSTILE}, latency_ms=812,
                   input_tokens=412, output_tokens=61, cost_usd=Decimal("0.000412")),
        StepResult(name="look_up_person", kind="tool", status="skipped", index=1, latency_ms=2),
        StepResult(name="shape", kind="template", status="failed", index=2, error=HOSTILE, latency_ms=3),
    ]  # fmt: skip


def page(rows: list[Any], *, per_page: int = 50, number: int = 1) -> Page:
    return Paginator(rows, per_page).page(number)


def fields() -> list[dict[str, Any]]:
    return [
        {"name": "text", "label": "Text", "kind": "textarea", "required": True, "help": "What somebody said.",
         "choices": [], "value": "call the mechanic monday about the brakes, urgent", "error": ""},
        {"name": "language", "label": "Language", "kind": "select", "required": False, "help": "",
         "choices": ["en", "cs"], "value": "en", "error": ""},
        {"name": "limit", "label": "Limit", "kind": "integer", "required": False, "help": "", "choices": [],
         "value": "many", "error": "Limit must be a whole number."},
        {"name": "today", "label": "Today", "kind": "date", "required": True, "help": "", "choices": [],
         "value": "2026-11-21", "error": ""},
        {"name": "strict", "label": "Refuse what is unclear", "kind": "checkbox", "required": False,
         "help": "Escalate instead of guessing.", "choices": [], "value": True, "error": ""},
        {"name": "people", "label": "People", "kind": "json", "required": False, "help": "A list of names.",
         "choices": [], "value": '["Ann", "Ben"]', "error": ""},
    ]  # fmt: skip


def home(*, empty: bool = False) -> dict[str, Any]:
    steps_to_take = [
        {
            "title": "Try a skill",
            "text": "Type a sentence, and see what a skill makes of it.",
            "url": "/try/",
            "done": not empty,
        },
        {
            "title": "Look at its run",
            "text": "Every answer is kept: steps, tools, cost.",
            "url": "/runs/",
            "done": False,
        },
        {
            "title": "Connect a bot",
            "text": "Make a token, and paste one line of curl.",
            "url": "/skills/",
            "done": False,
        },
    ]
    rate = {"value": 0.9123, "n": 63, "lower": 0.84, "upper": 0.95}
    nothing = {"value": None, "n": 0, "lower": 0.0, "upper": 1.0}
    today = {
        "spent": Decimal(0 if empty else "3.10"),
        "limit": Decimal(20),
        "month": Decimal(0 if empty else "41.7"),
        "month_limit": Decimal(300),
        "days": [Decimal(0)] * 7 if empty else [Decimal(day) for day in (2, 3, 1, 4, 2, 0, 3)],
        "days_words": "Spent a day, the last 7 days",
        "runs": nothing if empty else {**rate, "n": 412},
        "saved": None if empty else Decimal("41.2"),
        "saved_days": 30,
    }
    drafts = {"count": 3, "text": "drafts", "oldest": NOW - timedelta(days=2), "url": "/review/?kind=draft"}
    slipping = {
        "name": "parse_task", "url": "/skills/parse_task/", "shape": "▲", "tone": "amber", "word": "", "agreement": rate
    }  # fmt: skip
    return {
        "next_steps": steps_to_take,
        "needs": {
            "count": 0 if empty else 3,
            "lines": [] if empty else [drafts],
            "to_fix": 0 if empty else 2,
            "may_decide": True,
            "next_url": "" if empty else "/review/",
        },
        "live": {
            "counts": [] if empty else [{"count": 5, "text": "trusted", "state": "trusted"}],
            "concerns": [] if empty else [slipping],
            "rest": [] if empty else ["All others steady."],
        },
        "today": today,
        "night": {"hour": 3},
        "lines": [],
        "moves": [] if empty else skill_page()["transitions"],
    }


def skill_row(one: Skill) -> dict[str, Any]:
    rate = {"value": 0.9123, "n": 30, "lower": 0.84, "upper": 0.95}
    agreement = {
        "points": (0.95, 0.93, 0.9),
        "in_words": "Mean agreement, 6 comparisons a point",
        "rate": rate,
        "trend": {"direction": "down"},
    }
    return {
        "skill": one,
        "succeeded": {**rate, "n": 412},
        "agreement": agreement if one.current_version else None,
        "last_move": skill_page()["transitions"][0],
    }


def try_it(*, answered: bool) -> dict[str, Any]:
    found = {
        "capabilities": [capability(), capability("classify_priority")],
        "capability": capability(),
        "fields": fields(),
    }
    if not answered:
        return found
    failed = run(status="failed", error=f"The step shape failed: {HOSTILE}", output=None)
    curl = 'curl http://127.0.0.1:8000/api/v1/runs \\\n  --data \'{"capability": "parse_task"}\''
    return {**found, "run": failed, "fallback": run(path="native"), "steps": steps(), "curl": curl}


def skill_page(state: str = State.SHADOW_PRIMARY) -> dict[str, Any]:
    one = skill(state=state)
    unmet = [{"code": "too_few_runs", "message": "12 of 30 compared runs are there."}]
    return {
        "skill": one,
        "versions": [version(one), version(one, 3, "superseded")],
        "transitions": [
            StateTransition(skill=one, from_state="sandbox", to_state="shadow_primary", reason="human_approval",
                            person=person(), note=HOSTILE, at=NOW - timedelta(days=3)),
            StateTransition(skill=one, from_state="draft", to_state="sandbox", reason="gate_passed",
                            actor_label="nightly", at=NOW - timedelta(days=5)),
        ],
        "runs": runs(),
        "fixtures": [
            Fixture(skill=one, name="mechanic_urgent", input={"text": HOSTILE}, split="train", source="package")
        ],
        "files": [
            {"path": "SKILL.md", "text": f"# parse_task\n\n{HOSTILE}\n"},
            {"path": "skill.yaml", "text": "name: parse_task\n"},
        ],
        "meaning": "It answers, and every answer is compared with the reference.",
        "curl": "curl http://127.0.0.1:8000/api/v1/runs",
        "comparisons": [],
        "outlook": {
            "why_not": {"next_state": State.TRUSTED, "progress": "12 of 30 comparisons", "unmet": unmet},
            "flag": "Would be flagged by a mean agreement below 0.82 in its newest 30 (its baseline is 0.93, n 100).",
        },
    }  # fmt: skip


def run_page() -> dict[str, Any]:
    one = run(external_id="chat-71", skill=skill(), version=version(skill()), error=HOSTILE)
    call = SimpleNamespace(
        get_purpose_display="Skill step",
        get_status_display="Succeeded",
        model="gpt-mini",
        alias="parser",
        input_tokens=412,
        output_tokens=61,
        latency_ms=803,
        cost_usd=Decimal("0.000412"),
    )
    return {
        "room": 5_000,
        "run": one,
        "steps": steps(),
        "tool_calls": [{"tool": "calendar_lookup", "arguments": {"day": "monday"}, "result": HOSTILE}],
        "corrections": [Correction(run=one, field="priority", original="high", corrected="low", source="api", at=NOW)],
        "fallback": run(path="native"),
        "shadowed_by": run(path="shadow"),
        "calls": [call],
    }


def run_filters() -> list[dict[str, Any]]:
    return [
        {
            "name": "status",
            "label": "Status",
            "value": "failed",
            "choices": [("succeeded", "Succeeded"), ("failed", "Failed")],
        },
        {
            "name": "path",
            "label": "Answered by",
            "value": "",
            "choices": [("skill", "Skill"), ("native", "Reference model")],
        },
    ]
