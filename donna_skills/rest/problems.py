"""Every failure as `application/problem+json` (RFC 9457): one place that knows which exception is which answer."""

from __future__ import annotations

import errno
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import ninja.errors
from django.core import exceptions
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.http.response import HttpResponseBase
from django.views import defaults
from ninja import Schema

from donna_skills import errors
from donna_skills.errors import DonnaError, FieldError

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
BUSY_RETRY_S = 1
# What a socket says when its time-out has passed (see config/gunicorn.conf.py).
_WAITED_TOO_LONG = {errno.EAGAIN, errno.EWOULDBLOCK}


class Unauthenticated(DonnaError):
    status, code, title = 401, "unauthenticated", "Say who you are"


class BodyTooSlow(DonnaError):
    status, code, title = 408, "body_too_slow", "The body did not arrive in time"


class ProblemError(Schema):
    """One thing wrong with what was sent."""

    path: str
    message: str
    code: str
    line: int | None = None


class Problem(Schema):
    """What every answer from 400 on looks like. `code` is stable and for programs, `detail` a sentence for people."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: list[ProblemError]


def answer(exc: Exception) -> HttpResponse:
    """The answer to whatever was raised. Anything unforeseen is logged in full and answered without its details."""
    exc = _told_by_ninja(exc)
    if isinstance(exc, DonnaError):
        return of(exc)
    if isinstance(exc, ninja.errors.ValidationError):
        return of(_field_errors(exc))
    if foreseen := _foreseen(exc):
        return of(foreseen)
    if _is_busy(exc):
        logger.warning("database busy or away: %s", exc)
        return problem(
            503,
            code="database_busy",
            title="The database is busy",
            detail="The database did not answer in time. Nothing was changed; try again.",
            headers={"Retry-After": str(BUSY_RETRY_S)},
        )
    logger.error("unexpected error", exc_info=exc)
    return problem(
        500,
        code="internal_error",
        title="Something went wrong here",
        detail="The request failed for a reason that is ours. The log has it under the X-Request-ID of this answer.",
    )


def of(error: DonnaError) -> HttpResponse:
    headers = {}
    if isinstance(error, errors.RateLimited):
        headers["Retry-After"] = str(error.retry_after_s)
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="api"'
    return problem(
        error.status, code=error.code, title=error.title, detail=error.message, found=error.errors, headers=headers
    )


def method_not_allowed(response: HttpResponseBase, method: str | None) -> HttpResponse:
    """django-ninja's bare 405 as a problem; its Allow header stays."""
    allow = response.headers.get("Allow", "")
    return problem(
        405,
        code="method_not_allowed",
        title="Not with this method",
        detail=f"{method} is not possible here; {allow or 'no method'} is.",
        headers={"Allow": allow},
    )


def problem(
    status: int,
    *,
    code: str,
    title: str,
    detail: str,
    found: Sequence[FieldError] = (),
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    body = {
        "type": f"urn:donna-skills:problem:{code}",
        "title": title,
        "status": status,
        "code": code,
        "detail": detail,
        "errors": [error.as_dict() for error in found],
    }
    return HttpResponse(json.dumps(body), status=status, content_type=CONTENT_TYPE, headers=headers)


def not_found(request: HttpRequest, **_path: Any) -> HttpResponse:
    """The view behind every address of the API that no route has."""
    return of(errors.NotFound(f"There is nothing at {request.path}."))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400, for what no view has seen: a problem below /api/, the page elsewhere."""
    return answer(exception) if request.path.startswith("/api/") else defaults.bad_request(request, exception)


def _told_by_ninja(exc: Exception) -> Exception:
    """django-ninja wraps what its parser raises, and has errors of its own for two cases."""
    if isinstance(exc, ninja.errors.AuthenticationError):
        return Unauthenticated("Send a valid token as `Authorization: Bearer dsk_…`.")
    if isinstance(exc, ninja.errors.HttpError):
        if isinstance(exc.__cause__, Exception):
            return exc.__cause__
        refused = DonnaError(exc.message)
        refused.status = exc.status_code
        return refused
    return exc


def _foreseen(exc: Exception) -> DonnaError | None:
    """What Django and the database raise for a request that cannot be carried out as it was sent."""
    if isinstance(exc, Http404):
        return errors.NotFound("There is nothing at this address.")
    if isinstance(exc, exceptions.PermissionDenied):
        return errors.NotPermitted(str(exc) or "This is not permitted to you.")
    if isinstance(exc, exceptions.ValidationError):
        return _model_errors(exc)
    if isinstance(exc, exceptions.RequestDataTooBig | exceptions.TooManyFieldsSent | exceptions.TooManyFilesSent):
        return errors.TooLarge("The body is too large: one megabyte is the most.")
    if isinstance(exc, MultiPartParserError):
        return errors.Invalid(f"The multipart body cannot be read: {exc}", code="malformed_multipart")
    if isinstance(exc, UnreadablePostError) and exc.errno in _WAITED_TOO_LONG:
        return BodyTooSlow("Nothing more of the body came for too long. Nothing was changed.")
    if isinstance(exc, exceptions.DisallowedHost):
        return DonnaError("The Host is none of this installation's: ALLOWED_HOSTS names them.", code="bad_request")
    if isinstance(exc, exceptions.SuspiciousOperation | exceptions.BadRequest | UnreadablePostError):
        return DonnaError("The request cannot be read.", code="bad_request")
    if isinstance(exc, DataError):
        logger.warning("the database refused a value: %s", exc)
        return errors.Invalid("One of the values is out of the range that can be stored.", code="value_out_of_range")
    return None


def _is_busy(exc: Exception) -> bool:
    if isinstance(exc, InterfaceError):
        return True  # the connection is gone
    if not isinstance(exc, OperationalError):
        return False
    # SQLite reports a missing table with the same class; PostgreSQL keeps it for what passes (locks, lost connections).
    from_sqlite = type(exc.__cause__).__module__ == "sqlite3"
    return not from_sqlite or any(word in str(exc) for word in ("locked", "busy"))


def _field_errors(exc: ninja.errors.ValidationError) -> errors.Invalid:
    found = []
    for each in exc.errors:
        source, *where = each["loc"]
        path = ".".join(str(part) for part in where) or str(source)
        found.append(FieldError(path, f"{each['msg']}.", str(each["type"])))
    return errors.Invalid(_summary([error.path for error in found]), errors=found)


def _model_errors(exc: exceptions.ValidationError) -> errors.Invalid:
    if hasattr(exc, "error_dict"):
        pairs = [(field, message) for field, messages in exc.message_dict.items() for message in messages]
    else:
        pairs = [("", message) for message in exc.messages]
    found = [FieldError("" if field == exceptions.NON_FIELD_ERRORS else field, message) for field, message in pairs]
    return errors.Invalid(" ".join(error.message for error in found), errors=found)


def _summary(paths: Sequence[str]) -> str:
    shown = ", ".join(dict.fromkeys(paths[:10]))
    return f"{len(paths)} field{' is' if len(paths) == 1 else 's are'} not valid: {shown}."
