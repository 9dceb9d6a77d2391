"""The outermost layer of every address of the API: no exception leaves it, and every answer carries our headers."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from donna_skills.errors import LengthRequired, NotFound
from donna_skills.rest import idempotency, problems, rates

View = Callable[..., HttpResponseBase]


def guarded(view: View) -> View:
    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = _ask(view, request, *args, **kwargs)
        idempotency.settle(request, response)
        rates.stamp(request, response)
        # Answers depend on the token: nobody in between may keep them, and an ETag is asked about each time.
        response.headers.setdefault("Cache-Control", "private, no-cache")
        return response

    # No cookie opens the API, so there is nothing that another site could make a browser do with one.
    answer.csrf_exempt = True  # type: ignore[attr-defined]
    return answer


def _ask(view: View, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
    asked = request.method
    if asked == "HEAD":
        request.method = "GET"  # the server leaves the body out
    try:
        if "\x00" in request.path_info:
            raise NotFound("There is nothing at an address with a NUL character.")
        if "Transfer-Encoding" in request.headers:
            raise LengthRequired("Send the body with its Content-Length, not in chunks.")
        request.get_host()  # refuses a Host that is none of ours
        response = view(request, *args, **kwargs)
    except Exception as exc:
        return problems.answer(exc)
    if response.status_code == 405:
        return problems.method_not_allowed(response, asked)
    return response
