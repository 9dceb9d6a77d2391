"""The money ledger and the budget in the admin: to search and to read."""

from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString

from donna_skills.adminbase import WindowAdmin, badge
from donna_skills.llm.models import BudgetPeriod, CallStatus, ModelCall
from donna_skills.templatetags import ui

CALL_TONES: dict[str, str] = {
    CallStatus.RESERVED: "blue",
    CallStatus.SUCCEEDED: "green",
    CallStatus.FAILED: "red",
    CallStatus.ABANDONED: "amber",
}


@admin.register(ModelCall)
class ModelCallAdmin(WindowAdmin):
    list_display = (
        "id", "purpose", "task_type", "model", "status_badge", "attempt", "input_tokens", "output_tokens", "cost_usd",
        "latency_ms", "started_at",
    )  # fmt: skip
    list_filter = ("status", "purpose", "price_source")
    search_fields = ("model", "task_type", "alias", "error_code")
    search_ids = ("call_id", "run_id")
    search_help_text = "Model, task type, alias, error code, or the id of a call or a run"
    fieldsets = (
        (None, {"fields": ("id", "purpose", "task_type", "status_badge", "call_id", "attempt", "run_id")}),
        ("Model", {"fields": ("alias", "provider", "model")}),
        ("Money", {"fields": ("estimate_usd", "cost_usd", "price_source", "input_tokens", "output_tokens")}),
        ("Time", {"fields": ("started_at", "finished_at", "latency_ms", "expires_at")}),
        ("Words", {"fields": ("system", "prompt", "output", "prompt_digest", "error_code", "error")}),
    )

    @admin.display(description="status", ordering="status")
    def status_badge(self, call: ModelCall) -> SafeString:
        return badge(call.status, call.get_status_display(), CALL_TONES)


@admin.register(BudgetPeriod)
class BudgetPeriodAdmin(WindowAdmin):
    list_display = ("key", "spent", "reserved", "limit", "warned_at", "paused_at")
    search_fields = ("key",)
    search_help_text = "day:2026-11-21 or month:2026-11"
    fields = ("key", "spent", "reserved", "limit", "warned_at", "paused_at")

    @admin.display(description="spent", ordering="spent_micros")
    def spent(self, period: BudgetPeriod) -> str:
        return ui.money(period.spent_usd)

    @admin.display(description="reserved", ordering="reserved_micros")
    def reserved(self, period: BudgetPeriod) -> str:
        return ui.money(period.reserved_usd)

    @admin.display(description="limit", ordering="limit_micros")
    def limit(self, period: BudgetPeriod) -> str:
        return ui.money(period.limit_usd)
