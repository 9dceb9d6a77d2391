"""Channels: the ways out of the house, their tests, and what did not get out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import User
from donna_skills.accounts.roles import Permission, may
from donna_skills.errors import DonnaError, Invalid
from donna_skills.notifications import channels as service
from donna_skills.notifications import delivery as deliveries
from donna_skills.notifications import selectors
from donna_skills.notifications.forms import ChannelForm, HoursForm, SharedChannelForm, hours_of, place
from donna_skills.notifications.models import Channel, ChannelKind, Delivery, DeliveryStatus

DEAD_LETTERS = 50


@login_required
def channel_list(request: HttpRequest) -> HttpResponse:
    return _shown(request, form=_form(request))


@login_required
@require_POST
@never_cache
def create_channel(request: HttpRequest) -> HttpResponse:
    """A webhook's secret is shown in the answer to the form, and nowhere else ever."""
    form = _form(request, request.POST)
    if not form.is_valid():
        return _shown(request, form=form, status=422)
    data = form.cleaned_data
    role = data.get("role", "")
    try:
        channel, secret = service.create(
            name=data["name"],
            kind=data["kind"],
            target=data["target"],
            by=_by(request),
            person=None if role else _person(request),
            role=role,
            event_kinds=data.get("event_kinds", []),
            **hours_of(form),
        )
    except DonnaError as error:
        place(form, error)
        return _shown(request, form=form, status=error.status)
    if secret:
        return _secret_once(request, channel, secret)
    messages.success(request, f"{channel.name} is there. Send a test to see whether messages arrive.")
    return redirect(f"{reverse('channel_list')}#channel-{channel.pk}")


@login_required
@require_POST
@never_cache
def change_channel(request: HttpRequest, channel_id: UUID, act: str) -> HttpResponse:
    """One of ACTS; what the service refuses is said on the page, with the channels as they are."""
    channel = get_object_or_404(Channel.objects.select_related("person"), pk=channel_id)
    if act not in ACTS:
        raise Http404(f"A channel cannot {act}.")
    try:
        done = ACTS[act](request, channel)
    except DonnaError as error:
        messages.error(request, error.message)
        return _shown(request, form=_form(request), status=error.status)
    if isinstance(done, HttpResponse):
        return done
    messages.success(request, done)
    return redirect(f"{reverse('channel_list')}#channel-{channel.pk}")


@login_required
def newest_delivery(request: HttpRequest, channel_id: UUID) -> HttpResponse:
    """The part of a channel's card that asks for itself until its message is out."""
    channel = get_object_or_404(Channel.objects.select_related("person"), pk=channel_id)
    if not service.may_manage(channel, by=_by(request)):
        raise PermissionDenied("This channel belongs to others.")
    newest = channel.deliveries.first()
    context = {"channel": channel, "newest": newest, "underway": _underway(newest)}
    return render(request, "notifications/_newest.html", context)


@login_required
@require_POST
def redeliver(request: HttpRequest, delivery_id: UUID) -> HttpResponse:
    letter = get_object_or_404(Delivery.objects.select_related("channel__person"), pk=delivery_id)
    try:
        deliveries.redeliver(letter, by=_by(request))
    except DonnaError as error:
        messages.error(request, error.message)
        return _shown(request, form=_form(request), status=error.status)
    messages.success(request, f"“{letter.title}” is queued again for {letter.channel.name}.")
    return redirect("channel_list")


def _test(request: HttpRequest, channel: Channel) -> str:
    deliveries.test(channel, by=_by(request))
    return f"A test of {channel.name} is on its way."


def _enable(request: HttpRequest, channel: Channel) -> str:
    service.enable(channel, by=_by(request))
    return f"{channel.name} is switched on. What was queued meanwhile is not sent."


def _disable(request: HttpRequest, channel: Channel) -> str:
    by = _by(request)
    service.disable(channel, reason=request.POST.get("reason", "").strip() or f"Switched off by {by.label}.", by=by)
    return f"{channel.name} is switched off."


def _begin_rotation(request: HttpRequest, channel: Channel) -> HttpResponse:
    return _secret_once(request, channel, service.begin_rotation(channel, by=_by(request)))


def _end_rotation(request: HttpRequest, channel: Channel) -> str:
    service.end_rotation(channel, by=_by(request))
    return f"The older secret of {channel.name} is gone."


def _set_hours(request: HttpRequest, channel: Channel) -> str:
    form = HoursForm(request.POST)
    if not form.is_valid():
        raise Invalid("Quiet hours are two times of day, as in 22:00 and 07:00, and a time zone.")
    service.set_quiet_hours(channel, by=_by(request), **hours_of(form))
    return (
        f"The quiet hours of {channel.name} are set." if channel.quiet_from else f"{channel.name} has no quiet hours."
    )


ACTS: dict[str, Callable[[HttpRequest, Channel], str | HttpResponse]] = {
    "test": _test,
    "enable": _enable,
    "disable": _disable,
    "begin-rotation": _begin_rotation,
    "end-rotation": _end_rotation,
    "quiet-hours": _set_hours,
}


def _shown(request: HttpRequest, *, form: forms.Form, status: int = 200) -> HttpResponse:
    person, all_roles = _person(request), _may_share(request)
    by = _by(request)
    cards = [
        {
            "channel": channel,
            "newest": channel.newest,  # type: ignore[attr-defined]
            "underway": _underway(channel.newest),  # type: ignore[attr-defined]
            "may": service.may_manage(channel, by=by),
            "hours": HoursForm.of(channel),
            "signed": channel.kind == ChannelKind.WEBHOOK,
            "rotating": len(channel.secrets) >= service.MAX_SECRETS,
        }
        for channel in selectors.channels_for(person, all_roles=all_roles)
    ]
    letters = selectors.dead_letters(person, all_roles=all_roles)
    context = {
        "cards": cards,
        "letters": letters[:DEAD_LETTERS],
        "lost": letters.count(),
        "form": form,
        "tab": "channels",
    }
    return render(request, "notifications/channels.html", context, status=status)


def _secret_once(request: HttpRequest, channel: Channel, secret: str) -> HttpResponse:
    return render(request, "notifications/secret.html", {"channel": channel, "secret": secret, "tab": "channels"})


def _underway(newest: Delivery | None) -> bool:
    """Whether a worker is about to send it: neither held back until later nor waiting for another attempt."""
    if newest is None or newest.status != DeliveryStatus.QUEUED or newest.next_attempt_at is None:
        return False
    return newest.next_attempt_at <= timezone.now()


def _form(request: HttpRequest, data: Any = None) -> ChannelForm:
    wanted = SharedChannelForm if _may_share(request) else ChannelForm
    return wanted(data, auto_id="new-%s")


def _may_share(request: HttpRequest) -> bool:
    return may(_person(request), Permission.MANAGE_SETTINGS)


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # login_required lets nobody else this far
    return request.user


def _by(request: HttpRequest) -> Actor:
    return Actor.person(_person(request))
