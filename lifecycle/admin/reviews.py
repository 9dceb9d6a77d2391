"""Reviews: the question as it was put, and the two answers to it, each bound to the digest that was shown."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.utils.safestring import SafeString
from unfold.enums import ActionVariant

from donna_skills.accounts.actors import Actor
from donna_skills.accounts.roles import Permission
from donna_skills.adminacts import Act, ActForm, Done
from donna_skills.adminbase import WindowAdmin, badge, block
from lifecycle.admin.skills import file_content
from lifecycle.models import Review, ReviewKind, ReviewState
from lifecycle.services import reviews, versions
from lifecycle.states import STATES, State

ABOUT = "admin/lifecycle/review_subject.html"
REVIEW_TONES: dict[str, str] = {
    ReviewState.OPEN: "blue",
    ReviewState.APPROVED: "green",
    ReviewState.REJECTED: "red",
    ReviewState.SUPERSEDED: "grey",
}


class ApproveForm(ActForm):
    comment = forms.CharField(required=False, max_length=4000, widget=forms.Textarea(attrs={"rows": 2}))
    keep_gate = forms.BooleanField(
        required=False,
        label="Ask me again before each promotion",
        help_text="Otherwise later promotions may follow from the gates alone.",
    )
    seen_digest = forms.CharField(widget=forms.HiddenInput)


class RejectForm(ActForm):
    reason = forms.CharField(
        max_length=4000, widget=forms.Textarea(attrs={"rows": 3}), help_text="The next draft learns from it."
    )
    seen_digest = forms.CharField(widget=forms.HiddenInput)


def _approve(review: Review, by: Actor, data: dict[str, Any]) -> Done:
    assert by.user is not None
    decided = reviews.approve(
        review, by=by.user, comment=data["comment"], seen_digest=data["seen_digest"], keep_gate=data["keep_gate"]
    )
    return Done(f"{decided} is approved.")


def _reject(review: Review, by: Actor, data: dict[str, Any]) -> Done:
    assert by.user is not None
    decided = reviews.reject(review, by=by.user, reason=data["reason"], seen_digest=data["seen_digest"])
    return Done(f"{decided} is rejected.")


def _approving(review: Review) -> str:
    if review.kind == ReviewKind.CAPABILITY:
        return f"{review.capability} becomes active: bots may ask for it."
    if review.kind == ReviewKind.DRAFT and review.version is not None:
        meaning = STATES[State.SANDBOX].meaning
        return f"Version {review.version.number} of {review.capability} goes to the sandbox. {meaning}"
    if review.kind == ReviewKind.PROMOTION:
        to_state = STATES[State(review.evidence["to_state"])]
        return f"{review.capability} becomes {to_state.label.lower()}. {to_state.meaning}"
    if review.kind == ReviewKind.FLAG:
        came_from = STATES[State(review.evidence["flagged_from"])]
        return f"{review.capability} is saved: it becomes {came_from.label.lower()} again. {came_from.meaning}"
    return f"The {review.get_kind_display().lower()} of {review.capability} is carried out."


def _rejecting(review: Review) -> str:
    if review.kind == ReviewKind.CAPABILITY:
        return f"{review.capability} stays inactive: nobody can run it."
    if review.kind == ReviewKind.PROMOTION:
        return f"{review.capability} stays where it is, and is asked about again when all of its evidence is newer."
    if review.kind == ReviewKind.FLAG:
        return f"{review.capability} is degraded. {STATES[State.DEGRADED].meaning}"
    if review.version is not None:
        return f"Version {review.version.number} of {review.capability} never runs. What serves now goes on serving."
    return f"The {review.get_kind_display().lower()} of {review.capability} is not carried out."


def _about(review: Review) -> dict[str, Any]:
    """What is being decided, in full: nobody approves what they did not see."""
    version = review.version
    files = sorted(versions.files_of(version).items()) if version else []
    fixtures = version.skill.fixtures.order_by("name") if version else []
    return {
        "review": review,
        "state_shown": _state_badge(review),
        "files": [(path, file_content(content)) for path, content in files],
        "fixtures": [
            (fixture, block(fixture.input), block(fixture.expected_output), block(fixture.assertions or None))
            for fixture in fixtures
        ],
        "evidence": block(review.evidence) if review.evidence else "",
        "contract": [
            ("Input schema", block(review.capability.input_schema)),
            ("Output schema", block(review.capability.output_schema)),
            ("Granted tools", block(review.capability.granted_tools or None)),
        ],
    }


def _state_badge(review: Review) -> SafeString:
    return badge(review.state, review.get_state_display(), REVIEW_TONES)


def _is_open(review: Review) -> bool:
    return review.state == ReviewState.OPEN


def _seen(review: Review) -> dict[str, Any]:
    return {"seen_digest": review.subject_digest}


@admin.register(Review)
class ReviewAdmin(WindowAdmin):
    list_display = ("id", "kind", "capability", "version", "state_shown", "summary", "decided_by", "opened_at")
    list_filter = ("state", "kind")
    list_select_related = ("capability", "version", "decided_by")
    date_hierarchy = "opened_at"
    search_fields = ("capability__name", "summary", "comment", "subject_digest")
    search_help_text = "Capability, summary, comment or digest"
    fieldsets = (
        (None, {"fields": ("id", "kind", "state_shown", "capability", "skill", "version", "summary")}),
        ("Evidence", {"fields": ("subject_digest", "evidence", "opened_at")}),
        ("Decision", {"fields": ("decided_by", "decided_at", "comment")}),
    )
    acts = (
        Act(
            name="approve",
            label="Approve",
            explain=_approving,
            carry_out=_approve,
            permission=Permission.DECIDE_REVIEWS,
            form=ApproveForm,
            initial=_seen,
            offered=_is_open,
            about=ABOUT,
            about_context=_about,
            icon="check",
            variant=ActionVariant.PRIMARY,
        ),
        Act(
            name="reject",
            label="Reject",
            explain=_rejecting,
            carry_out=_reject,
            permission=Permission.DECIDE_REVIEWS,
            form=RejectForm,
            initial=_seen,
            offered=_is_open,
            about=ABOUT,
            about_context=_about,
            icon="close",
            variant=ActionVariant.DANGER,
        ),
    )

    @admin.display(description="state", ordering="state")
    def state_shown(self, review: Review) -> SafeString:
        return _state_badge(review)
