"""Runs and their steps: what was asked, who answered, how, and at what cost."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.enums import ActionVariant

from donna_skills.accounts.actors import Actor
from donna_skills.accounts.roles import Permission
from donna_skills.adminacts import Act, Done
from donna_skills.adminbase import WindowAdmin, WindowInline
from donna_skills.templatetags import ui
from lifecycle.models import SkillRun, StepResult
from lifecycle.services import runs
from lifecycle.templatetags.skills import run_badge, step_badge


def _cancel(run: SkillRun, by: Actor, data: dict[str, Any]) -> Done:
    runs.call_off(run, by=by)
    return Done("The run is cancelled.")


class StepInline(WindowInline):
    model = StepResult
    fields = ("name", "kind", "status_shown", "took", "cost")
    readonly_fields = ("status_shown", "took", "cost")
    hide_title = True

    def get_queryset(self, request: Any) -> Any:
        return super().get_queryset(request).defer("output", "error")

    @admin.display(description="status")
    def status_shown(self, step: StepResult) -> SafeString:
        return step_badge(step.status)

    @admin.display(description="took")
    def took(self, step: StepResult) -> str:
        return ui.duration(step.latency_ms)

    @admin.display(description="cost")
    def cost(self, step: StepResult) -> str:
        return ui.money(step.cost_usd)


@admin.register(SkillRun)
class SkillRunAdmin(WindowAdmin):
    list_display = ("id", "capability", "version", "path", "status_shown", "cost_usd", "latency_ms", "created_at")
    list_filter = (("capability", AutocompleteSelectFilter), "status", "path", "degraded", "reported")
    list_filter_submit = True
    list_select_related = ("capability", "version")
    search_fields = ("capability__name", "external_id", "user_id")
    search_help_text = "Capability, external id, user, or the id of a run"
    audit_subject = "run"
    inlines = (StepInline,)
    see_also = (
        ("Divergence", "lifecycle.Divergence", "run__id"),
        ("Corrections", "lifecycle.Correction", "run__id"),
        ("Steps", "lifecycle.StepResult", "run__id"),
        ("Fallbacks", "lifecycle.SkillRun", "fallback_of__id"),
        ("Shadows", "lifecycle.SkillRun", "shadow_of__id"),
        ("Model calls", "llm.ModelCall", "run_id"),
    )
    fieldsets = (
        (None, {"fields": ("id", "capability", "skill", "version", "path", "state_at_run", "status_shown")}),
        ("Result", {"fields": ("inputs", "output", "error", "escalation_reason")}),
        ("Cost and time", {"fields": ("cost_usd", "latency_ms", "created_at", "started_at", "finished_at")}),
        ("Inside", {"fields": ("state", "tool_calls", "triage", "fallback_of", "shadow_of")}),
        (
            "Who asked",
            {"fields": ("token", "requested_by", "reported", "user_id", "external_id", "automation_run_id")},
        ),
        ("Lease", {"fields": ("lease_owner", "lease_until")}),
    )
    acts = (
        Act(
            name="cancel",
            label="Cancel run",
            explain=lambda run: "Whoever works on it stops; what it has cost until then stays in the ledger.",
            carry_out=_cancel,
            permission=Permission.RUN_SKILLS,
            offered=lambda run: run.is_open,
            icon="cancel",
            variant=ActionVariant.DANGER,
        ),
    )

    @admin.display(description="status", ordering="status")
    def status_shown(self, run: SkillRun) -> SafeString:
        return run_badge(run)


@admin.register(StepResult)
class StepResultAdmin(WindowAdmin):
    list_display = ("id", "run", "name", "index", "kind", "status_shown", "latency_ms", "cost_usd")
    list_filter = ("status", "kind")
    list_select_related = ("run__capability",)
    search_fields = ("name", "run__capability__name")
    search_ids = ("run_id",)
    search_help_text = "Name, capability, or the id of a run"
    fields = (
        "id", "run", "name", "index", "kind", "status_shown", "output", "error", "input_tokens", "output_tokens",
        "cost_usd", "latency_ms",
    )  # fmt: skip

    @admin.display(description="status", ordering="status")
    def status_shown(self, step: StepResult) -> SafeString:
        return step_badge(step.status)
