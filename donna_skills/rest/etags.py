"""Conditional requests: do not send again what the caller has, do not change what the caller has not seen."""

from __future__ import annotations

import hashlib

from django.http import HttpRequest, HttpResponse

from donna_skills.errors import PreconditionFailed, PreconditionRequired


def strong(*parts: object) -> str:
    """A strong ETag of what the representation depends on: an id and a version, or a digest."""
    text = "\x1f".join(str(part) for part in parts)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def not_modified(request: HttpRequest, etag: str) -> HttpResponse | None:
    """The 304 to answer with when the caller has this one already, otherwise None."""
    given = request.headers.get("If-None-Match", "")
    if not given or not _names(given, etag, weakly=True):
        return None
    return HttpResponse(status=304, headers={"ETag": etag})


def require_match(request: HttpRequest, etag: str) -> None:
    """Refuse a change that was not made against this very version."""
    given = request.headers.get("If-Match", "")
    if not given:
        raise PreconditionRequired("Send the ETag of the version that you are changing as If-Match.")
    if not _names(given, etag, weakly=False):
        raise PreconditionFailed("It has changed since you read it: read it again and decide anew.")


def _names(header: str, etag: str, *, weakly: bool) -> bool:
    """Whether a list of entity tags has this one. Our tags hold no comma, so splitting is enough."""
    if header.strip() == "*":
        return True
    given = [tag.strip() for tag in header.split(",")]
    return etag in ([tag.removeprefix("W/") for tag in given] if weakly else given)
