"""The pages of the review console."""

from __future__ import annotations

from django.urls import path, register_converter

from lifecycle.views import review_edits, reviews


class _OneOf:
    """A path converter for a few words; another word is no address."""

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class _Act(_OneOf):
    regex = "approve|reject|changes|aside|glass"


class _Claim(_OneOf):
    regex = "claim|take-over|release|bring-back"


register_converter(_Act, "act")
register_converter(_Claim, "claim")

urlpatterns = [
    path("", reviews.review_queue_page, name="review_queue"),
    path("bulk/", review_edits.review_bulk, name="review_bulk"),
    path("<uuid:review_id>/", reviews.review_detail, name="review_detail"),
    path("<uuid:review_id>/looking/", reviews.review_looking, name="review_looking"),
    path("<uuid:review_id>/verify/", reviews.review_verify, name="review_verify"),
    path("<uuid:review_id>/edit/", review_edits.review_edit, name="review_edit"),
    path("<uuid:review_id>/edit/check/", review_edits.review_check, name="review_check"),
    path("<uuid:review_id>/<claim:how>/", reviews.review_claim, name="review_claim"),
    path("<uuid:review_id>/<act:act>/", reviews.review_decide, name="review_decide"),
]
