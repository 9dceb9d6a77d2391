"""A reviewed version in an editor, handed in as a new version; and several reviews of low risk approved at one go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import User
from donna_skills.accounts.roles import Permission, may
from donna_skills.errors import DonnaError, FieldError, Invalid
from lifecycle import forms_reviews, review_words
from lifecycle.models import Review, RiskTier
from lifecycle.services import bulk, skills, subjects, versions

LONGEST_CHANGELOG = 1_000


@login_required
def review_edit(request: HttpRequest, review_id: UUID) -> HttpResponse:
    """The version's files in an editor. POST hands them in as a new version, which asks in the place of this one."""
    review = _with_files(request, review_id)
    assert review.version is not None and review.skill is not None
    before = versions.files_of(review.version)
    if request.method != "POST":
        return render(request, "lifecycle/review_edit.html", _editor(review, before))
    files = forms_reviews.edited(before, request.POST)
    changelog = request.POST.get("changelog", "").replace("\0", "").strip()[:LONGEST_CHANGELOG]
    try:
        version, asked = skills.submit_version(
            review.skill, files=files, actor=Actor.person(_person(request)), changelog=changelog
        )
    except DonnaError as error:
        context = _editor(review, files, before=before, errors=error.errors, refusal=error.message, sent=request.POST)
        return render(request, "lifecycle/review_edit.html", context, status=error.status)
    messages.success(request, f"Version {version.number} is handed in. Somebody else has to approve it.")
    return redirect("review_detail", asked.pk)


@login_required
@require_POST
def review_check(request: HttpRequest, review_id: UUID) -> HttpResponse:
    """What is wrong with the files as they stand in the editor, while somebody types; nothing is stored."""
    review = _with_files(request, review_id)
    assert review.version is not None and review.skill is not None
    files = forms_reviews.edited(versions.files_of(review.version), request.POST)
    findings: tuple[FieldError, ...] = ()
    try:
        versions.check(review.skill, files)
    except Invalid as error:
        findings = error.errors
    return render(request, "lifecycle/_review_findings.html", {"findings": findings, "checked": True})


@login_required
def review_bulk(request: HttpRequest) -> HttpResponse:
    """GET shows what would be approved, POST approves each by itself and tells what became of it."""
    if not may(request.user, Permission.DECIDE_REVIEWS):
        raise PermissionDenied("Only reviewers and admins approve.")
    if request.method == "POST":
        seen = {pk: request.POST.get(f"seen-{pk}", "") for pk in _ids(request.POST)}
        try:
            answers = bulk.approve(seen, by=_person(request), comment=request.POST.get("comment", "").strip())
        except DonnaError as error:
            messages.error(request, error.message)
            return redirect("review_queue")
        return render(request, "lifecycle/review_bulk.html", {"answers": answers})
    related = ("skill__current_version", "skill__capability", "version__skill__current_version")
    wanted = (
        Review.objects.open().for_page().select_related(*related).filter(pk__in=_ids(request.GET), risk=RiskTier.LOW)
    )
    shown = [
        {"review": review, "seen": subjects.seen_digest(review), "approving": review_words.approving(review)}
        for review in wanted.order_by("id")
    ]
    return render(
        request, "lifecycle/review_bulk.html", {"shown": shown, "left_out": len(_ids(request.GET)) - len(shown)}
    )


def _with_files(request: HttpRequest, review_id: UUID) -> Review:
    if not may(request.user, Permission.EDIT_SKILLS):
        raise PermissionDenied("Only authors and admins hand in versions.")
    related = ("skill__capability", "skill__current_version")
    review = get_object_or_404(Review.objects.for_page().select_related(*related), pk=review_id)
    if review.version is None:
        raise Http404
    return review


def _editor(
    review: Review,
    files: Mapping[str, bytes],
    *,
    before: Mapping[str, bytes] | None = None,
    errors: tuple[FieldError, ...] = (),
    refusal: str = "",
    sent: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    fields = forms_reviews.editor(files, before=before, errors=errors)
    return {
        "review": review,
        "title": review_words.title(review),
        "files": fields,
        "findings": errors,
        "checked": bool(errors),
        "refusal": refusal,
        "changelog": (sent or {}).get("changelog", ""),
        "longest_changelog": LONGEST_CHANGELOG,
    }


def _ids(sent: QueryDict) -> list[UUID]:
    found: dict[UUID, None] = {}
    for given in sent.getlist("id")[: bulk.MOST]:
        try:
            found[UUID(given)] = None
        except ValueError:
            continue
    return list(found)


def _person(request: HttpRequest) -> User:
    return cast("User", request.user)
