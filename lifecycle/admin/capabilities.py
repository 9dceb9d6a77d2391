"""Capabilities: the contract is read-only, its description and examples are for authors to improve."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.utils.safestring import SafeString

from donna_skills.accounts.actors import Actor
from donna_skills.accounts.roles import Permission
from donna_skills.adminacts import Act, ActForm, Done
from donna_skills.adminbase import WindowAdmin, badge
from lifecycle.models import Capability
from lifecycle.services import capabilities
from lifecycle.templatetags.skills import CAPABILITY_TONES


class DescribeForm(ActForm):
    description = forms.CharField(max_length=4000, widget=forms.Textarea(attrs={"rows": 4}))
    examples = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 6}),
        help_text="Phrases that ask for it, one a line; they help to find the right capability for a text.",
    )

    def clean_examples(self) -> list[str]:
        return [line.strip() for line in self.cleaned_data["examples"].splitlines() if line.strip()]


def _present(capability: Capability) -> dict[str, Any]:
    return {"description": capability.description, "examples": "\n".join(map(str, capability.examples))}


def _describe(capability: Capability, by: Actor, data: dict[str, Any]) -> Done:
    capabilities.describe(capability, description=data["description"], examples=data["examples"], actor=by)
    return Done(f"{capability.name} is described anew.")


@admin.register(Capability)
class CapabilityAdmin(WindowAdmin):
    list_display = ("name", "description", "status_badge", "trigger_type", "updated_at")
    list_filter = ("status", "trigger_type")
    search_fields = ("name", "description")
    see_also = (
        ("Skill", "lifecycle.Skill", "capability__id"),
        ("Runs", "lifecycle.SkillRun", "capability__id"),
        ("Reviews", "lifecycle.Review", "capability__id"),
    )
    fieldsets = (
        (None, {"fields": ("id", "name", "description", "examples", "status_badge", "trigger_type")}),
        ("Contract", {"fields": ("input_schema", "output_schema", "granted_tools")}),
        ("Dates", {"fields": ("created_at", "updated_at")}),
    )
    acts = (
        Act(
            name="describe",
            label="Edit description",
            explain=lambda capability: "Name and schemas stay as they are: they are the contract that callers rely on.",
            carry_out=_describe,
            permission=Permission.EDIT_SKILLS,
            form=DescribeForm,
            initial=_present,
            icon="edit",
        ),
    )

    @admin.display(description="status", ordering="status")
    def status_badge(self, capability: Capability) -> SafeString:
        return badge(capability.status, capability.get_status_display(), CAPABILITY_TONES)
