"""Attempts to write a first version by model: what each was given, what it wrote, and how it ended."""

from __future__ import annotations

from django.contrib import admin
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from donna_skills.adminbase import WindowAdmin
from lifecycle.models import DraftAttempt
from lifecycle.templatetags.skills import attempt_badge


@admin.register(DraftAttempt)
class DraftAttemptAdmin(WindowAdmin):
    list_display = ("id", "skill", "status_shown", "version", "cost_usd", "started_at", "finished_at")
    list_filter = ("status", ("skill", AutocompleteSelectFilter))
    list_filter_submit = True
    list_select_related = ("skill__capability", "version")
    search_fields = ("skill__capability__name",)
    search_ids = ("candidate_id", "version_id")
    search_help_text = "Capability, or the id of a candidate or a version"
    fieldsets = (
        (None, {"fields": ("id", "candidate", "skill", "status_shown", "cost_usd", "started_at", "finished_at")}),
        ("What came of it", {"fields": ("why_shown", "version", "decision")}),
        ("What it was given", {"fields": ("samples",)}),
        ("What the author wrote", {"fields": ("files", "reply")}),
    )

    @admin.display(description="status", ordering="status")
    def status_shown(self, attempt: DraftAttempt) -> SafeString:
        return attempt_badge(attempt.status)

    @admin.display(description="reasons")
    def why_shown(self, attempt: DraftAttempt) -> SafeString | str:
        found = [(reason["code"], reason["message"]) for reason in attempt.reasons]
        return format_html_join("", "<p>{}: {}</p>", found) or "Nothing was said against it."
