"""The shell around every page: its context, log-in and log-out, and the theme. Nothing here is worked out before a
template asks for it, so that fragments and API answers pay nothing."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from django.conf import settings
from django.contrib.auth import views as auth_views
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.views.decorators.http import require_POST

from donna_skills import menu

THEMES = {"system": "light", "light": "dark", "dark": "system"}
"""Each theme and the one that the button turns to."""
THEME_COOKIE = "theme"
THEME_COOKIE_AGE_S = 365 * 24 * 3600

HTMX_CONFIG = json.dumps(
    {
        "allowEval": False,
        "selfRequestsOnly": True,
        "includeIndicatorStyles": False,
        # A conflict and a form with errors are answers to look at; any other error leaves the page as it is.
        "responseHandling": [
            {"code": "204", "swap": False},
            {"code": "[23]..", "swap": True},
            {"code": "409|422", "swap": True},
            {"code": "[45]..", "swap": False, "error": True},
        ],
    }
)


class Shell:
    """What base.html needs; a template reads it as `shell`."""

    htmx_config = HTMX_CONFIG

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @cached_property
    def menu(self) -> list[menu.Item]:
        return menu.items(self.user, path=self._request.path)

    @cached_property
    def user(self) -> Any:
        """Anonymous also where an error came before the person was known."""
        return getattr(self._request, "user", None) or AnonymousUser()

    @cached_property
    def search_url(self) -> str | None:
        return menu.address("skill_list")

    @cached_property
    def inbox_url(self) -> str | None:
        return menu.address("inbox")

    @cached_property
    def profile_url(self) -> str | None:
        return menu.address("profile")

    @cached_property
    def unread(self) -> int:
        """The number on the bell; nobody is asked for it where there is no inbox to open."""
        from donna_skills.notifications import selectors

        return selectors.unread(self.user) if self.inbox_url and self.user.is_authenticated else 0

    @cached_property
    def theme(self) -> str:
        chosen = self._request.COOKIES.get(THEME_COOKIE, "")
        return chosen if chosen in THEMES else "system"

    @property
    def next_theme(self) -> str:
        return THEMES[self.theme]

    @cached_property
    def offline(self) -> bool:
        """Whether the built-in rules answer instead of a model."""
        from donna_skills.llm import routing

        return bool(routing.status()["adapter"] == "offline")

    @property
    def version(self) -> str:
        return settings.VERSION

    @property
    def environment(self) -> str:
        return settings.ENVIRONMENT

    @property
    def demo_hint(self) -> str:
        return settings.DEMO_HINT


def context(request: HttpRequest) -> dict[str, Any]:
    """The context processor."""
    return {"shell": Shell(request)}


class LogIn(auth_views.LoginView):
    template_name = "login.html"
    redirect_authenticated_user = True


def admin_log_in(request: HttpRequest) -> HttpResponse:
    """The admin asks here: one log-in for everything, and a plain refusal for those whom the admin is not for."""
    if request.user.is_authenticated:
        raise PermissionDenied("The admin is for staff.")
    query = urlencode({"next": request.GET.get("next", reverse("admin:index"))})
    return HttpResponseRedirect(f"{reverse('login')}?{query}")


@require_POST
def set_theme(request: HttpRequest) -> HttpResponse:
    """Keep the wanted theme in a cookie and go back to the page; shell.js does the same without the round trip."""
    back = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        back = reverse("login")
    response = redirect(back)
    theme = request.POST.get("theme", "")
    if theme in THEMES:
        response.set_cookie(
            THEME_COOKIE, theme, max_age=THEME_COOKIE_AGE_S, samesite="Lax", secure=settings.SESSION_COOKIE_SECURE
        )
    return response


def curl_line(request: HttpRequest, path: str, *, body: Mapping[str, Any]) -> str:
    """The same call for a terminal. The token stays a variable: a page never shows a secret."""
    address = request.build_absolute_uri(path)
    sent = json.dumps(body, ensure_ascii=False)
    return (
        f"curl {shlex.quote(address)} \\\n"
        '  --header "Authorization: Bearer $DONNA_TOKEN" \\\n'
        "  --header 'Content-Type: application/json' \\\n"
        f"  --data {shlex.quote(sent)}"
    )
