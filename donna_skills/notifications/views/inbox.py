"""The inbox: what a person was told, what they have read, and what they want to hear."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from donna_skills import fragments
from donna_skills.accounts.models import User
from donna_skills.notifications import inbox as service
from donna_skills.notifications import selectors
from donna_skills.notifications.models import Notification, Way

PAGE = 30


@login_required
def inbox(request: HttpRequest) -> HttpResponse:
    seen_at = timezone.now()
    unread_only = request.GET.get("show") == "unread"
    lines = selectors.inbox(_person(request), unread_only=unread_only)
    context = {
        "page": Paginator(lines, PAGE).get_page(request.GET.get("page")),
        "unread_only": unread_only,
        "seen_at": seen_at.isoformat(),
        "tab": "inbox",
    }
    return render(request, "notifications/inbox.html", context)


@login_required
@require_POST
def mark_read(request: HttpRequest, notification_id: UUID) -> HttpResponse:
    """With htmx the line comes back as read, and the badge with it."""
    line = _own(request, notification_id)
    service.mark_read(_person(request), ids=[line.pk])
    if not fragments.wanted(request):
        return redirect("inbox")
    line.refresh_from_db()
    return render(request, "notifications/_read.html", {"line": line})


@login_required
@require_POST
def open_notification(request: HttpRequest, notification_id: UUID) -> HttpResponse:
    """Read it and go where it points, which is a page of ours or nowhere."""
    line = _own(request, notification_id)
    service.mark_read(_person(request), ids=[line.pk])
    local = url_has_allowed_host_and_scheme(line.url, allowed_hosts=None)
    return redirect(line.url if line.url.startswith("/") and local else "inbox")


@login_required
@require_POST
def mark_all_read(request: HttpRequest) -> HttpResponse:
    """What came after the page was made stays unread."""
    marked = service.mark_read(_person(request), until=_moment(request.POST.get("seen_at", "")))
    messages.success(
        request, "1 message is marked as read." if marked == 1 else f"{marked} messages are marked as read."
    )
    return redirect("inbox")


@login_required
def preferences(request: HttpRequest) -> HttpResponse:
    """GET shows the table of choices, POST keeps it: of the kinds that were shown, what is ticked is wanted."""
    person = _person(request)
    choices = selectors.choices(person)
    if request.method == "POST":
        shown, ticked = set(request.POST.getlist("kind")), set(request.POST.getlist("want"))
        kinds = [choice.kind for choice in choices if choice.kind in shown]
        service.choose(person, wanted={(kind, way): f"{kind}:{way}" in ticked for kind in kinds for way in Way.values})
        messages.success(request, "Your choices are kept. They hold for what happens from now on.")
        return redirect("preferences")
    own = {channel.kind for channel in selectors.channels_for(person, all_roles=False)}
    ways = [{"value": way.value, "label": way.label, "usable": way in own or way == Way.INBOX} for way in Way]
    return render(request, "notifications/preferences.html", {"choices": choices, "ways": ways, "tab": "preferences"})


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # login_required lets nobody else this far
    return request.user


def _own(request: HttpRequest, notification_id: UUID) -> Notification:
    return get_object_or_404(selectors.inbox(_person(request)), pk=notification_id)


def _moment(text: str) -> datetime:
    """The time in the page's form; one that cannot be read is now."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return timezone.now()
    return found if found.tzinfo else timezone.now()
