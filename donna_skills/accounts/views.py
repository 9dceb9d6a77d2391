"""The profile: what a person may do here, and the tokens that act for them."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from donna_skills.accounts import selectors, tokens
from donna_skills.accounts.actors import Actor
from donna_skills.accounts.forms import AnyTokenForm, RotateForm, TokenForm
from donna_skills.accounts.models import ApiToken, TokenKind, User
from donna_skills.accounts.roles import Permission, may
from donna_skills.errors import DonnaError

ENDED = 20


@login_required
def profile(request: HttpRequest) -> HttpResponse:
    return _shown(request, form=_form(request))


@login_required
@require_POST
@never_cache
def create_token(request: HttpRequest) -> HttpResponse:
    """The secret is in the answer to the form, and nowhere else ever."""
    form = _form(request, request.POST)
    if not form.is_valid():
        return _shown(request, form=form, status=422)
    person, data = _person(request), form.cleaned_data
    kind, days = TokenKind(data.get("kind", TokenKind.PERSON)), data["expires_in_days"]
    try:
        token, raw = tokens.create(
            name=data["name"],
            owner=person,
            person=person if kind == TokenKind.PERSON else None,
            kind=kind,
            scopes=data["scopes"],
            expires_at=timezone.now() + timedelta(days=days) if days else None,
            by=Actor.person(person),
        )
    except DonnaError as error:
        form.add_error(None, error.message)
        return _shown(request, form=form, status=error.status)
    return _secret_once(request, token, raw)


@login_required
@require_POST
@never_cache
def rotate_token(request: HttpRequest, token_id: UUID) -> HttpResponse:
    token, form = _token(request, token_id), RotateForm(request.POST)
    if not form.is_valid():
        messages.error(request, "The overlap is a number of hours, 0 to 720.")
        return _shown(request, form=_form(request), status=422)
    overlap = timedelta(hours=form.cleaned_data["overlap_hours"])
    try:
        successor, raw = tokens.rotate(token, by=Actor.person(_person(request)), overlap=overlap)
    except DonnaError as error:
        messages.error(request, error.message)
        return _shown(request, form=_form(request), status=error.status)
    return _secret_once(request, successor, raw)


@login_required
@require_POST
def revoke_token(request: HttpRequest, token_id: UUID) -> HttpResponse:
    token = _token(request, token_id)
    try:
        tokens.revoke(token, by=Actor.person(_person(request)))
    except DonnaError as error:
        messages.error(request, error.message)
        return _shown(request, form=_form(request), status=error.status)
    messages.success(request, f"{token} is revoked: whoever uses it is shut out.")
    return redirect("profile")


def _shown(request: HttpRequest, *, form: forms.Form, status: int = 200) -> HttpResponse:
    person, now = _person(request), timezone.now()
    by = Actor.person(person)
    live = [
        {
            "token": token,
            "may": tokens.may_manage(token, by=by),
            "rotate": RotateForm(auto_id=f"rotate-{token.pk}-%s") if token.replaced_by_id is None else None,
        }
        for token in selectors.tokens_of(person, now=now)
    ]
    context = {
        "roles": [group.name for group in person.groups.order_by("name")],
        "permissions": selectors.permissions_of(person),
        "tokens": live,
        "ended": selectors.tokens_of(person, now=now, ended=True)[:ENDED],
        "form": form,
    }
    return render(request, "accounts/profile.html", context, status=status)


def _secret_once(request: HttpRequest, token: ApiToken, raw: str) -> HttpResponse:
    return render(request, "accounts/secret.html", {"token": token, "secret": raw})


def _token(request: HttpRequest, token_id: UUID) -> ApiToken:
    """One that the profile shows; whether it may be changed is the service's business."""
    now = timezone.now()
    mine = selectors.tokens_of(_person(request), now=now) | selectors.tokens_of(_person(request), now=now, ended=True)
    return get_object_or_404(mine, pk=token_id)


def _form(request: HttpRequest, data: object = None) -> TokenForm:
    wanted = AnyTokenForm if may(_person(request), Permission.MANAGE_TOKENS) else TokenForm
    return wanted(data, auto_id="token-%s")  # type: ignore[arg-type]


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # login_required lets nobody else this far
    return request.user
