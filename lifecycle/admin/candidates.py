"""Candidates: the finding with its figures, and the no to it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.utils.safestring import SafeString
from unfold.enums import ActionVariant

from donna_skills.accounts.actors import Actor
from donna_skills.accounts.roles import Permission, may
from donna_skills.adminacts import Act, ActForm, Done
from donna_skills.adminbase import WindowAdmin
from lifecycle.models import Candidate, CandidateStatus
from lifecycle.services import candidates
from lifecycle.templatetags.skills import candidate_badge


class DismissForm(ActForm):
    reason = forms.CharField(required=False, max_length=4000, widget=forms.Textarea(attrs={"rows": 2}))
    not_a_skill = forms.BooleanField(
        required=False,
        label="This is no skill",
        help_text="Never propose this pattern again. Takes a reviewer and a reason.",
    )


def _dismiss(candidate: Candidate, by: Actor, data: dict[str, Any]) -> Done:
    dismissed = candidates.dismiss(candidate, by=by, reason=data["reason"], not_a_skill=data["not_a_skill"])
    return Done(f"{dismissed} is dismissed.")


@admin.register(Candidate)
class CandidateAdmin(WindowAdmin):
    list_display = ("id", "capability", "status_shown", "expected_savings_usd", "volume", "mean_cost_usd", "last_seen")
    list_filter = ("status", "not_a_skill")
    list_select_related = ("capability",)
    search_fields = ("capability__name", "fingerprint", "reason")
    search_help_text = "Capability, fingerprint or reason"
    fieldsets = (
        (None, {"fields": ("id", "capability", "status_shown", "fingerprint", "first_seen", "last_seen")}),
        ("Figures", {"fields": ("expected_savings_usd", "volume", "mean_cost_usd", "repetitiveness", "evidence")}),
        (
            "Dismissal",
            {"fields": ("dismissed_at", "dismissed_until", "not_a_skill", "dismissed_by", "token", "reason")},
        ),
    )
    acts = (
        Act(
            name="dismiss",
            label="Dismiss candidate",
            explain=lambda candidate: f"{candidate.capability} is not proposed again for 90 days.",
            carry_out=_dismiss,
            permission=Permission.EDIT_SKILLS,
            also=lambda user, candidate: may(user, Permission.DECIDE_REVIEWS),
            form=DismissForm,
            offered=lambda candidate: candidate.status == CandidateStatus.NEW,
            icon="close",
            variant=ActionVariant.DANGER,
        ),
    )

    @admin.display(description="status", ordering="status")
    def status_shown(self, candidate: Candidate) -> SafeString:
        return candidate_badge(candidate.status)
