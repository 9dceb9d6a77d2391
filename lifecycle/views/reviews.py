"""The queue of questions to people, the page of one, and the answers to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST
from django_htmx.http import HttpResponseClientRedirect

from donna_skills import fragments, shortening
from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import User
from donna_skills.accounts.roles import Permission, may
from donna_skills.errors import DonnaError
from lifecycle import forms_reviews, review_card, review_pages, review_queue, review_words, selectors
from lifecycle.models import Review
from lifecycle.review_queue import Wanted
from lifecycle.services import claims, evidence, reviews, verify

CARD = "lifecycle/_review_decide.html"
Carry = Callable[[Review, User, dict[str, Any]], object]


@login_required
def review_queue_page(request: HttpRequest) -> HttpResponse:
    now, wanted = timezone.now(), Wanted.of(request.GET)
    context = {
        "page": review_queue.page(wanted, user=_person(request), now=now, number=request.GET.get("page")),
        "wanted": wanted,
        "counts": review_queue.counts(now),
        "tabs": review_queue.SHOWN.items(),
        "filters": review_queue.choices(wanted),
        "now": now,
        "may_decide": may(request.user, Permission.DECIDE_REVIEWS),
        "after": _after(request),
    }
    return render(request, "lifecycle/review_queue.html", context)


@login_required
def review_detail(request: HttpRequest, review_id: UUID) -> HttpResponse:
    """GET shows and writes nothing: the claim that belongs to opening a review is a POST that the page makes."""
    review = _review(review_id)
    context = (
        {"review": review, "changes": review_pages.changes(review), "wanted": Wanted.of(request.GET)}
        if fragments.wanted(request)
        else _detail(request, review)
    )
    return fragments.either(
        request,
        page="lifecycle/review_detail.html",
        fragment="lifecycle/_review_changes.html",
        context={**context, "side": request.GET.get("diff") == "side"},
    )


@login_required
def review_looking(request: HttpRequest, review_id: UUID) -> HttpResponse:
    """Who is looking at it right now, for a page that stands open."""
    return render(request, "lifecycle/_review_looking.html", _looking(request, _review(review_id)))


@login_required
@require_POST
def review_verify(request: HttpRequest, review_id: UUID) -> HttpResponse:
    """Have the gates look now; the job's page shows how far they are."""
    review = _review(review_id)
    if review.version is None:
        raise Http404
    try:
        job = verify.ask(review.version, by=Actor.person(_person(request)))
    except DonnaError as error:
        messages.error(request, error.message)
        return redirect(_address(review, request))
    return redirect("job_detail", job.pk)


@login_required
@require_POST
def review_claim(request: HttpRequest, review_id: UUID, how: str) -> HttpResponse:
    review, person = _review(review_id), _person(request)
    acts = {
        "claim": claims.claim,
        "take-over": claims.take_over,
        "release": claims.release,
        "bring-back": claims.bring_back,
    }
    try:
        acts[how](review, by=person)
    except DonnaError as error:
        if not request.htmx:  # type: ignore[attr-defined]
            messages.error(request, error.message)
    if not request.htmx:  # type: ignore[attr-defined]
        return redirect(_address(review, request))
    return render(request, "lifecycle/_review_looking.html", _looking(request, _review(review_id)))


@require_POST
def review_decide(request: HttpRequest, review_id: UUID, act: str) -> HttpResponse:
    """One answer. With htmx a refusal brings the card in its true state; an answer that was taken leads on to the next.

    Who has been logged out meanwhile comes back to the page after logging in, with the words that they had typed.
    """
    if not request.user.is_authenticated:
        return _log_in_first(request, review_id, act)
    review = _review(review_id)
    form = forms_reviews.made(act, seen_digest="", data=request.POST)
    if not form.is_valid():
        return _card(request, review, status=422, sent={act: form})
    try:
        _CARRY[act](review, _person(request), _data(form))
    except DonnaError as error:
        return _card(request, _review(review_id), status=error.status, sent={act: form}, error=error)
    review_card.forget_words(request.session, review_id)
    return _onwards(request, _review(review_id))


def _card(
    request: HttpRequest,
    review: Review,
    *,
    status: int,
    sent: dict[str, Any],
    error: DonnaError | None = None,
) -> HttpResponse:
    stale = error is not None and any(one.code == "changed" for one in error.errors)
    if stale:
        review_card.keep_words(request.session, review.pk, next(iter(sent)), request.POST)
    if request.htmx:  # type: ignore[attr-defined]
        # The rest of the page shows the old state still: deciding takes a look at the new one.
        card = review_card.card(review, user=_person(request), sent=sent, error=error, stale=stale)
        context = {"review": review, "card": card, "wanted": Wanted.of(request.GET), "answer": True}
        # htmx swaps 2xx, 409 and 422; whatever else a service says is shown in the card with 422.
        return render(request, CARD, context, status=status if status in {409, 422} else 422)
    card = review_card.card(review, user=_person(request), sent=sent, error=error)
    context = {**_detail(request, review), "card": card}
    return render(request, "lifecycle/review_detail.html", context, status=status)


def _onwards(request: HttpRequest, review: Review) -> HttpResponse:
    """To the next one that waits, which tells what became of this one; to the queue when none is left."""
    wanted = Wanted.of(request.GET)
    following = review_queue.after_deciding(review, wanted, user=_person(request), now=timezone.now())
    page = reverse("review_detail", args=[following]) if following else reverse("review_queue")
    query = wanted.query
    address = f"{page}{query}{'&' if query else '?'}after={review.pk}"
    return HttpResponseClientRedirect(address) if request.htmx else redirect(address)  # type: ignore[attr-defined]


def _log_in_first(request: HttpRequest, review_id: UUID, act: str) -> HttpResponse:
    review_card.keep_words(request.session, review_id, act, request.POST)
    messages.warning(request, "You had been logged out, and nothing was decided. What you had typed is here still.")
    back = f"{reverse('review_detail', args=[review_id])}{Wanted.of(request.GET).query}"
    address = reverse("login", query={"next": back})
    return HttpResponseClientRedirect(address) if request.htmx else redirect(address)  # type: ignore[attr-defined]


def _detail(request: HttpRequest, review: Review) -> dict[str, Any]:
    now, wanted, person = timezone.now(), Wanted.of(request.GET), _person(request)
    decision, attempt = review_pages.decision_of(review), review_pages.learned_from(review)
    cases, replays = review_pages.cases(review, decision), review_pages.replays(decision)
    targeted, samples = review_pages.targeted(decision), review_pages.samples(attempt)
    skill = review.skill
    words = review_card.kept_words(request.session, review.pk)
    return {
        "review": review,
        "wanted": wanted,
        "title": review_words.title(review),
        "card": review_card.card(review, user=person, words=words),
        "changes": review_pages.changes(review),
        "decision": decision,
        "gates": review_pages.gates(decision),
        "cases": cases,
        "replays": replays,
        "targeted": targeted,
        "room": shortening.share(3 * len(cases) + 2 * (len(replays) + len(targeted) + len(samples))),
        "sentence": review_pages.sentence(review, decision),
        "attempt": attempt,
        "samples": samples,
        "candidate": review_pages.candidate_of(review),
        "chart": review_pages.agreement(review),
        "why_not": selectors.why_not(skill) if skill else None,
        "readiness": evidence.readiness_of(review.version) if review.version else None,
        "moves": review_pages.moves(skill),
        "history": review_pages.history(review),
        "previous": review_queue.preceding(review, wanted, user=person, now=now),
        "next": review_queue.following(review, wanted, user=person, now=now),
        "after": _after(request),
        **_looking(request, review),
        "opening": True,
    }


def _looking(request: HttpRequest, review: Review) -> dict[str, Any]:
    found = review_card.looking(review, user=_person(request), now=timezone.now())
    return {"review": review, "looking": found, "wanted": Wanted.of(request.GET)}


def _after(request: HttpRequest) -> Review | None:
    """The review that this person has just decided or set aside, to be told about on the page that comes next."""
    try:
        decided = UUID(request.GET.get("after", ""))
    except ValueError:
        return None
    return Review.objects.for_page().filter(pk=decided).first()


def _review(review_id: UUID) -> Review:
    related = ("skill__current_version", "skill__capability", "version__skill__current_version", "version__author")
    return get_object_or_404(Review.objects.for_page().select_related(*related), pk=review_id)


def _address(review: Review, request: HttpRequest) -> str:
    return f"{reverse('review_detail', args=[review.pk])}{Wanted.of(request.GET).query}"


def _data(form: Any) -> dict[str, Any]:
    data = dict(form.cleaned_data)
    if "until" in data:
        data["until"] = form.moment()
    return data


def _approve(review: Review, by: User, data: dict[str, Any]) -> object:
    return reviews.approve(review, by=by, **data)


def _reject(review: Review, by: User, data: dict[str, Any]) -> object:
    return reviews.reject(review, by=by, **data)


def _request_changes(review: Review, by: User, data: dict[str, Any]) -> object:
    return reviews.request_changes(review, by=by, **data)


def _set_aside(review: Review, by: User, data: dict[str, Any]) -> object:
    return claims.set_aside(review, by=by, **data)


def _break_glass(review: Review, by: User, data: dict[str, Any]) -> object:
    return reviews.break_glass(review, by=by, **data)


_CARRY: dict[str, Carry] = {
    "approve": _approve,
    "reject": _reject,
    "changes": _request_changes,
    "aside": _set_aside,
    "glass": _break_glass,
}


def _person(request: HttpRequest) -> User:
    return cast("User", request.user)
