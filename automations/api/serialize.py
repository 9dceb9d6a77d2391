"""From rows to what the API gives: one function a shape. What `for_page` joins is loaded."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from automations import selectors
from automations.decisions import schedule
from automations.decisions.schedule import InvalidSchedule
from automations.models import Automation, AutomationRun

_OWN = (
    *("id", "name", "description", "inputs", "trigger", "timezone", "spaced", "min_interval_seconds"),
    *("preferred_from", "preferred_until", "jitter_seconds", "overlap_policy", "catch_up_policy"),
    *("catch_up_window_seconds", "retry_interrupted", "event_filter", "alert_conditions", "alert_channels"),
    *("repeat_every_seconds", "cool_down_seconds", "max_cost_per_run_usd", "status", "pause_note", "created_via"),
    *("revision", "floor_seconds", "next_run_at", "last_run_at", "run_count", "failure_count", "kept_state"),
    *("created_at", "updated_at"),
)
_OF_RUN = (
    *("id", "automation_id", "scheduled_for", "trigger", "status", "reason", "missed", "lifecycle_run_id", "attempt"),
    *("inputs", "output", "error", "cost_usd", "alert_reason", "alert_title", "created_at", "started_at"),
    "finished_at",
)


def automation_out(automation: Automation) -> dict[str, Any]:
    """AutomationOut; the owner, the capability and the follow-ups are loaded."""
    return {
        **{name: getattr(automation, name) for name in _OWN},
        "owner": automation.owner.get_username(),
        "capability_name": automation.capability.name,
        "schedule": automation.schedule or None,
        "schedule_in_words": in_words(automation),
        "event_name": automation.event_name or None,
        "pause_reason": automation.pause_reason or None,
        "alerting": automation.alert_open,
        "follow_ups": [one.then_id for one in automation.follow_ups.all()],
    }


def automation_detail_out(automation: Automation, now: datetime) -> dict[str, Any]:
    shares = automation.shares.select_related("person", "group")
    return {
        **automation_out(automation),
        "floor_reason": selectors.floor_of(automation).reason,
        "next_starts": [one.utc for one in selectors.next_starts(automation, now)],
        "shares": [
            {
                "person": one.person.get_username() if one.person else None,
                "group": one.group.name if one.group else None,
                "level": one.level,
            }
            for one in shares
        ],
    }


def run_out(run: AutomationRun) -> dict[str, Any]:
    return {
        **{name: getattr(run, name) for name in _OF_RUN},
        "requested_by": run.requested_label,
        "execution_path": run.execution_path or None,
        "alert": run.alert or None,
    }


def run_detail_out(run: AutomationRun) -> dict[str, Any]:
    own = ("attempts", "trace", "alert_body", "payload", "depth")
    return {**run_out(run), **{name: getattr(run, name) for name in own}}


def in_words(automation: Automation) -> str | None:
    """The schedule as one says it; None where there is none, or its zone is gone from this machine."""
    try:
        return schedule.in_words(automation.schedule, automation.timezone) if automation.schedule else None
    except InvalidSchedule:
        return None
