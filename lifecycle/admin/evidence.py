"""Divergences, corrections and fixtures: what a skill is held against."""

from __future__ import annotations

from django.contrib import admin
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from donna_skills.adminbase import WindowAdmin
from lifecycle.models import Correction, Divergence, Fixture, GateDecision
from lifecycle.templatetags.skills import verdict_badge


@admin.register(Divergence)
class DivergenceAdmin(WindowAdmin):
    list_display = ("id", "skill", "version", "status", "agreement", "run", "at")
    list_filter = ("status", ("skill", AutocompleteSelectFilter))
    list_filter_submit = True
    list_select_related = ("skill__capability", "version", "run__capability")
    search_fields = ("skill__capability__name", "rationale", "abstained_because")
    search_ids = ("run_id",)
    search_help_text = "Skill, rationale, or the id of a run"
    fieldsets = (
        (None, {"fields": ("id", "skill", "version", "run", "reference", "at")}),
        ("Judgement", {"fields": ("status", "agreement", "rationale", "abstained_because")}),
        ("Both answers", {"fields": ("output", "reference_output")}),
    )


@admin.register(Correction)
class CorrectionAdmin(WindowAdmin):
    list_display = ("id", "run", "field", "source", "by", "token", "at")
    list_filter = ("source",)
    list_select_related = ("run__capability", "by", "token")
    search_fields = ("field", "note", "run__capability__name")
    search_ids = ("run_id",)
    search_help_text = "Field, note, capability, or the id of a run"


@admin.register(Fixture)
class FixtureAdmin(WindowAdmin):
    list_display = ("name", "skill", "split", "source", "created_at")
    list_filter = ("split", "source")
    list_select_related = ("skill__capability",)
    search_fields = ("name", "skill__capability__name")
    search_help_text = "Name or skill"


@admin.register(GateDecision)
class GateDecisionAdmin(WindowAdmin):
    list_display = ("id", "skill", "digest_shown", "verdict_shown", "cost_usd", "at")
    list_filter = ("verdict", ("skill", AutocompleteSelectFilter))
    list_filter_submit = True
    list_select_related = ("skill__capability",)
    search_fields = ("skill__capability__name", "digest")
    search_help_text = "Skill or digest"
    fieldsets = (
        (None, {"fields": ("id", "skill", "verdict_shown", "digest", "at", "cost_usd")}),
        ("Why", {"fields": ("reasons_shown",)}),
        ("Gates", {"fields": ("gates",)}),
        ("What was looked at", {"fields": ("inputs_digest", "evidence", "schema_version")}),
    )

    @admin.display(description="verdict", ordering="verdict")
    def verdict_shown(self, decision: GateDecision) -> SafeString:
        return verdict_badge(decision.verdict)

    @admin.display(description="digest", ordering="digest")
    def digest_shown(self, decision: GateDecision) -> str:
        return decision.digest[:12]

    @admin.display(description="reasons")
    def reasons_shown(self, decision: GateDecision) -> SafeString | str:
        found = [(gate["gate"], reason["message"]) for gate in decision.gates for reason in gate["reasons"]]
        return format_html_join("", "<p>{}: {}</p>", found) or "Every gate passes."
