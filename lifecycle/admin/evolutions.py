"""Attempts to evolve skills: what each saw, what it said, and what the gates said to it."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from donna_skills.adminbase import WindowAdmin, block
from lifecycle.models import Evolution


@admin.register(Evolution)
class EvolutionAdmin(WindowAdmin):
    list_display = ("id", "skill", "status", "from_version", "to_version", "cost_usd", "started_at", "finished_at")
    list_filter = ("status",)
    list_select_related = ("skill__capability", "from_version", "to_version")
    search_fields = ("skill__capability__name", "diagnosis", "changelog")
    search_help_text = "Skill, diagnosis or changelog"
    fieldsets = (
        (None, {"fields": ("id", "skill", "status", "from_version", "to_version", "degraded_by")}),
        ("What it says", {"fields": ("diagnosis_shown", "changelog_shown", "targeted", "reply_shown")}),
        ("What the gates say", {"fields": ("reasons", "decision", "review", "cost_usd")}),
        ("What it was given", {"fields": ("samples", "holdout", "statistics", "started_at", "finished_at")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Evolution]:
        found = super().get_queryset(request)
        return found.defer("reply", "files") if request.resolver_match and not request.resolver_match.kwargs else found

    @admin.display(description="diagnosis")
    def diagnosis_shown(self, row: Evolution) -> SafeString | str:
        return block(row.diagnosis)

    @admin.display(description="changelog")
    def changelog_shown(self, row: Evolution) -> SafeString | str:
        return block(row.changelog)

    @admin.display(description="reply")
    def reply_shown(self, row: Evolution) -> SafeString | str:
        return block(row.reply or "")
