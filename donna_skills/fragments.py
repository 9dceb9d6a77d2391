"""One view for a page and its fragment: htmx gets the part that it asked for, everybody else the whole page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers


def wanted(request: HttpRequest) -> bool:
    """Whether htmx asks for a part; a boosted link and a restored page want the whole."""
    htmx = request.htmx  # type: ignore[attr-defined]
    return bool(htmx) and not htmx.boosted and not htmx.history_restore_request


def either(
    request: HttpRequest, *, page: str, fragment: str, context: Mapping[str, Any], status: int = 200
) -> HttpResponse:
    """The fragment or the page with the same context; caches are told that the header decides."""
    response = render(request, fragment if wanted(request) else page, dict(context), status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response
