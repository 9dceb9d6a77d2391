"""The admin's window on automations: what they are, what each run did, and the few acts that services carry out."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.utils.safestring import SafeString
from unfold.enums import ActionVariant

from automations.models import (
    Automation,
    AutomationRun,
    AutomationShare,
    DrainSlot,
    FeedCursor,
    FollowUp,
    RunStatus,
    Status,
)
from automations.services import access, automations, settlement
from donna_skills.accounts.actors import Actor
from donna_skills.accounts.roles import Permission
from donna_skills.adminacts import Act, ActForm, Done
from donna_skills.adminbase import WindowAdmin, WindowInline, badge

TONES: dict[str, str] = {
    Status.ACTIVE: "green",
    Status.PAUSED: "amber",
    Status.ERROR: "red",
    Status.DELETED: "grey",
}
RUN_TONES: dict[str, str] = {
    RunStatus.QUEUED: "grey",
    RunStatus.RUNNING: "blue",
    RunStatus.SUCCEEDED: "green",
    RunStatus.FAILED: "red",
    RunStatus.ESCALATED: "amber",
    RunStatus.BLOCKED_MISSING_TOOL: "red",
    RunStatus.COST_EXCEEDED: "red",
    RunStatus.INTERRUPTED: "amber",
}


class NoteForm(ActForm):
    note = forms.CharField(required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 2}))


def _run(automation: Automation, by: Actor, data: dict[str, Any]) -> Done:
    run = automations.run_now(automation, actor=by)
    return Done(f"{automation} is queued for a run.", row=run)


def _pause(automation: Automation, by: Actor, data: dict[str, Any]) -> Done:
    return Done(f"{automations.pause(automation, actor=by, note=data['note'])} is paused.")


def _resume(automation: Automation, by: Actor, data: dict[str, Any]) -> Done:
    resumed = automations.resume(automation, actor=by)
    return Done(f"{resumed} goes on.")


def _delete(automation: Automation, by: Actor, data: dict[str, Any]) -> Done:
    return Done(f"{automations.delete(automation, actor=by)} is deleted.")


def _cancel(run: AutomationRun, by: Actor, data: dict[str, Any]) -> Done:
    settlement.cancel(run, actor=by)
    return Done("The run is cancelled.")


def _own(user: Any, automation: Automation) -> bool:
    return automation is not None and access.may_change(automation, Actor.person(user))


class ShareInline(WindowInline):
    model = AutomationShare
    fields = ("person", "group", "level")
    show_change_link = False


class FollowUpInline(WindowInline):
    model = FollowUp
    fk_name = "automation"
    fields = ("then",)
    show_change_link = False


@admin.register(Automation)
class AutomationAdmin(WindowAdmin):
    list_display = ("name", "owner", "capability", "trigger", "status_shown", "next_run_at", "last_run_at", "run_count")
    list_filter = ("status", "trigger", "pause_reason", "alert_open")
    list_select_related = ("owner", "capability")
    search_fields = ("name", "capability__name", "owner__username")
    search_help_text = "Name, capability, owner, or the id of an automation"
    audit_subject = "automation"
    inlines = (ShareInline, FollowUpInline)
    see_also = (("Runs", "automations.AutomationRun", "automation__id"),)
    fieldsets = (
        (None, {"fields": ("id", "name", "description", "owner", "capability", "status_shown", "pause_note")}),
        ("What", {"fields": ("inputs", "kept_state", "max_cost_per_run_usd", "retry_interrupted")}),
        (
            "When",
            {
                "fields": (
                    *("trigger", "schedule", "timezone", "spaced", "min_interval_seconds", "floor_seconds"),
                    *("floor_state", "preferred_from", "preferred_until", "jitter_seconds", "overlap_policy"),
                    *("catch_up_policy", "catch_up_window_seconds", "event_name", "event_filter", "next_occurrence"),
                    *("next_run_at", "last_start"),
                )
            },
        ),
        (
            "Alert",
            {
                "fields": (
                    *("alert_conditions", "alert_channels", "repeat_every_seconds", "cool_down_seconds"),
                    *("alert_open", "alert_content", "alert_told_at"),
                )
            },
        ),
        (
            "So far",
            {
                "fields": (
                    *("run_count", "failure_count", "last_run_at", "created_via", "revision", "created_at"),
                    "updated_at",
                )
            },
        ),
    )
    acts = (
        Act(
            name="run",
            label="Run automation",
            explain=lambda automation: "One run at once; its schedule stays as it is.",
            carry_out=_run,
            permission=Permission.OPERATE_AUTOMATIONS,
            also=_own,
            offered=lambda automation: automation.status != Status.DELETED,
            icon="play_arrow",
        ),
        Act(
            name="pause",
            label="Pause automation",
            explain=lambda automation: "Nothing more is started until it is resumed. A run that is on goes on.",
            carry_out=_pause,
            permission=Permission.OPERATE_AUTOMATIONS,
            also=_own,
            form=NoteForm,
            offered=lambda automation: automation.status == Status.ACTIVE,
            icon="pause",
        ),
        Act(
            name="resume",
            label="Resume automation",
            explain=lambda automation: "Failures are forgotten, and the next start is counted from now.",
            carry_out=_resume,
            permission=Permission.OPERATE_AUTOMATIONS,
            also=_own,
            offered=lambda automation: automation.status in {Status.PAUSED, Status.ERROR},
            icon="resume",
        ),
        Act(
            name="delete_automation",
            label="Delete automation",
            explain=lambda automation: "It never runs again. What it did stays readable.",
            carry_out=_delete,
            permission=Permission.OPERATE_AUTOMATIONS,
            also=_own,
            offered=lambda automation: automation.status != Status.DELETED,
            icon="delete",
            variant=ActionVariant.DANGER,
        ),
    )

    @admin.display(description="status", ordering="status")
    def status_shown(self, automation: Automation) -> SafeString:
        return badge(automation.status, automation.get_status_display(), TONES)


@admin.register(AutomationRun)
class AutomationRunAdmin(WindowAdmin):
    list_display = ("id", "automation", "scheduled_for", "trigger", "status_shown", "alert", "cost_usd", "finished_at")
    list_filter = ("status", "trigger", "alert")
    list_select_related = ("automation",)
    search_fields = ("automation__name",)
    search_ids = ("automation_id", "lifecycle_run_id")
    search_help_text = "Name of the automation, or the id of a run, an automation or a lifecycle's run"
    audit_subject = "automation_run"
    see_also = (("Lifecycle runs", "lifecycle.SkillRun", "automation_run_id"),)
    fieldsets = (
        (
            None,
            {"fields": ("id", "automation", "scheduled_for", "trigger", "requested_label", "status_shown", "reason")},
        ),
        ("Result", {"fields": ("inputs", "output", "error", "execution_path", "attempts", "lifecycle_run_id")}),
        ("Alert", {"fields": ("alert", "alert_reason", "trace", "alert_title", "alert_body")}),
        ("Cost and time", {"fields": ("cost_usd", "reserved_usd", "created_at", "started_at", "finished_at")}),
        (
            "Origin",
            {"fields": ("cause", "depth", "attempt", "payload", "missed", "alone", "not_before", "deadline_at")},
        ),
        ("Lease", {"fields": ("lease_owner", "lease_until")}),
    )
    acts = (
        Act(
            name="cancel",
            label="Cancel run",
            explain=lambda run: "Whoever works on it finds that it is no longer theirs.",
            carry_out=_cancel,
            permission=Permission.OPERATE_AUTOMATIONS,
            offered=lambda run: run.is_open,
            icon="cancel",
            variant=ActionVariant.DANGER,
        ),
    )

    @admin.display(description="status", ordering="status")
    def status_shown(self, run: AutomationRun) -> SafeString:
        return badge(run.status, run.get_status_display(), RUN_TONES)


@admin.register(AutomationShare)
class AutomationShareAdmin(WindowAdmin):
    list_display = ("automation", "person", "group", "level")
    list_select_related = ("automation", "person", "group")
    search_fields = ("automation__name", "person__username", "group__name")


@admin.register(FollowUp)
class FollowUpAdmin(WindowAdmin):
    list_display = ("automation", "then")
    list_select_related = ("automation", "then")
    search_fields = ("automation__name", "then__name")


@admin.register(DrainSlot)
class DrainSlotAdmin(WindowAdmin):
    list_display = ("number", "lease_owner", "lease_until")
    search_fields = ("lease_owner",)
    ordering = ("number",)


@admin.register(FeedCursor)
class FeedCursorAdmin(WindowAdmin):
    list_display = ("name", "seq")
    search_fields = ("name",)
    ordering = ("name",)
