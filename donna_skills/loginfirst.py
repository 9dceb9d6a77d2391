"""Who is asked to log in comes back to the page that they were on, not to the fragment or the form that asked.

`login_required` remembers the address that was refused. For a page that is right. A fragment has no page of its own and
would show the log-in form in the middle of another page; a form's address answers no GET. Both are put right here, so
that no view has to think of a session that ends in the middle.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit, urlunsplit

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import resolve_url
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django_htmx.http import HttpResponseClientRedirect

from donna_skills import fragments

SAFE = {"GET", "HEAD", "OPTIONS"}


class LogInFirst:
    """The innermost middleware: it needs the session, the messages and htmx."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        part, acts = fragments.wanted(request), request.method not in SAFE
        if not (part or acts) or not _asks_to_log_in(request, response):
            return response
        if acts:
            messages.warning(request, "You had been logged out, and nothing was done. Here you can do it again.")
        address = f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': _page(request)})}"
        return HttpResponseClientRedirect(address) if part else HttpResponseRedirect(address)


def _asks_to_log_in(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Whether the answer is `login_required`'s, which names the address that it refused; a view that names another page
    to come back to knows better."""
    if not isinstance(response, HttpResponseRedirect):
        return False
    to = urlsplit(response.url)
    return to.path == resolve_url(settings.LOGIN_URL) and parse_qs(to.query).get("next") == [request.get_full_path()]


def _page(request: HttpRequest) -> str:
    """The page of ours that the browser says it is on, or the home page."""
    stood_on = request.headers.get("HX-Current-URL") or request.headers.get("Referer") or ""
    if not url_has_allowed_host_and_scheme(
        stood_on, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        return resolve_url(settings.LOGIN_REDIRECT_URL)
    return urlunsplit(urlsplit(stood_on)._replace(scheme="", netloc="", fragment="")) or "/"
