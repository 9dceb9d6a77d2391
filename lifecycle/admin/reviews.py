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
from donna_skills.adminbase import WindowAdmin, WindowInline, badge, block
from lifecycle import review_words
from lifecycle.admin.skills import file_content
from lifecycle.models import GateVerdict, Review, ReviewApproval, ReviewState, RiskTier
from lifecycle.services import approvals, reviews, versions

ABOUT = "admin/lifecycle/review_subject.html"
REVIEW_TONES: dict[str, str] = {
    ReviewState.OPEN: "blue",
    ReviewState.APPROVED: "green",
    ReviewState.REJECTED: "red",
    ReviewState.CHANGES_REQUESTED: "amber",
    ReviewState.SUPERSEDED: "grey",
}
VERDICT_TONES: dict[str, str] = {GateVerdict.PASS: "green", GateVerdict.HOLD: "amber", GateVerdict.BLOCK: "red"}
RISK_TONES: dict[str, str] = {"high": "red", "medium": "amber", "low": "grey"}


class ApproveForm(ActForm):
    comment = forms.CharField(required=False, max_length=4000, widget=forms.Textarea(attrs={"rows": 2}))
    keep_gate = forms.BooleanField(
        required=False,
        label="Ask me again before each promotion",
        help_text="Otherwise later promotions may follow from the gates alone.",
    )
    seen_digest = forms.CharField(widget=forms.HiddenInput)


class ChangesForm(ActForm):
    comment = forms.CharField(
        max_length=4000, widget=forms.Textarea(attrs={"rows": 3}), help_text="The next version is written from it."
    )
    seen_digest = forms.CharField(widget=forms.HiddenInput)


class GlassForm(ActForm):
    reason = forms.CharField(
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Everybody who decides reads it, and somebody else looks at your decision again.",
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
    if decided.state == ReviewState.OPEN:
        return Done("Your approval is kept. Its risk is high, so that a second person has to approve it too.")
    return Done(f"{decided} is approved.")


def _reject(review: Review, by: Actor, data: dict[str, Any]) -> Done:
    assert by.user is not None
    decided = reviews.reject(review, by=by.user, reason=data["reason"], seen_digest=data["seen_digest"])
    return Done(f"{decided} is rejected.")


def _request_changes(review: Review, by: Actor, data: dict[str, Any]) -> Done:
    assert by.user is not None
    decided = reviews.request_changes(review, by=by.user, comment=data["comment"], seen_digest=data["seen_digest"])
    return Done(f"{decided} is sent back for changes.")


def _break_glass(review: Review, by: Actor, data: dict[str, Any]) -> Done:
    assert by.user is not None
    decided = reviews.break_glass(review, by=by.user, reason=data["reason"], seen_digest=data["seen_digest"])
    return Done(f"{decided} is approved by you alone; everybody who decides is told.")


def _sending_back(review: Review) -> str:
    return f"The version never runs as it is; {review.capability} stays where it stands until a new version asks again."


def _breaking(review: Review) -> str:
    return f"{review_words.approving(review)} It is decided by you alone, and somebody else looks at it again."


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


def _may_need_the_glass(review: Review) -> bool:
    """Whether the rules may keep somebody from approving it alone: it is somebody's work, or its risk takes two."""
    somebodys = review.asked_by_id is not None or (review.version is not None and review.version.author_id is not None)
    return _is_open(review) and (somebodys or approvals.takes_two(review))


def _may_be_sent_back(review: Review) -> bool:
    return _is_open(review) and review.kind in review_words.ABOUT_FILES


def _seen(review: Review) -> dict[str, Any]:
    return {"seen_digest": reviews.seen_digest(review)}


class ApprovalInline(WindowInline):
    model = ReviewApproval
    fk_name = "review"
    fields = ("by", "at", "comment", "keep_gate", "digest")
    ordering = ("id",)


@admin.register(Review)
class ReviewAdmin(WindowAdmin):
    list_display = (
        *("id", "kind", "capability", "version", "state_shown", "verdict_shown", "risk_shown", "summary"),
        *("decided_by", "opened_at"),
    )
    list_filter = ("state", "kind", "verdict", "risk", "glass_broken")
    list_select_related = ("capability", "version", "decided_by")
    date_hierarchy = "opened_at"
    search_fields = ("capability__name", "summary", "comment", "subject_digest")
    search_help_text = "Capability, summary, comment or digest"
    fieldsets = (
        (None, {"fields": ("id", "kind", "state_shown", "capability", "skill", "version", "summary")}),
        (
            "Evidence",
            {"fields": ("verdict_shown", "risk_shown", "risk_reasons", "subject_digest", "basis", "evidence")},
        ),
        ("Waiting", {"fields": ("asked_by", "opened_at", "claimed_by", "claimed_until", "set_aside_until")}),
        ("Decision", {"fields": ("decided_by", "decided_at", "comment", "glass_broken", "follow_up_of")}),
    )
    inlines = (ApprovalInline,)
    acts = (
        Act(
            name="approve",
            label="Approve",
            explain=review_words.approving,
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
            explain=review_words.rejecting,
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
        Act(
            name="request-changes",
            label="Request changes",
            explain=_sending_back,
            carry_out=_request_changes,
            permission=Permission.DECIDE_REVIEWS,
            form=ChangesForm,
            initial=_seen,
            offered=_may_be_sent_back,
            about=ABOUT,
            about_context=_about,
            icon="edit",
        ),
        Act(
            name="break-glass",
            label="Approve in an emergency",
            explain=_breaking,
            carry_out=_break_glass,
            permission=Permission.BREAK_GLASS,
            form=GlassForm,
            initial=_seen,
            offered=_may_need_the_glass,
            about=ABOUT,
            about_context=_about,
            icon="emergency",
            variant=ActionVariant.DANGER,
        ),
    )

    @admin.display(description="state", ordering="state")
    def state_shown(self, review: Review) -> SafeString:
        return _state_badge(review)

    @admin.display(description="verdict", ordering="verdict")
    def verdict_shown(self, review: Review) -> SafeString | str:
        return badge(review.verdict, review.get_verdict_display(), VERDICT_TONES) if review.verdict else "–"

    @admin.display(description="risk", ordering="risk")
    def risk_shown(self, review: Review) -> SafeString:
        label = RiskTier(review.risk).label
        return badge(label.lower(), label, RISK_TONES)


@admin.register(ReviewApproval)
class ReviewApprovalAdmin(WindowAdmin):
    list_display = ("id", "review", "by", "digest", "keep_gate", "at")
    list_select_related = ("review__capability", "by")
    search_fields = ("review__capability__name", "comment", "digest")
    search_ids = ("review_id",)
    search_help_text = "Capability, comment, digest, or the id of a review"
