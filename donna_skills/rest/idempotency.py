"""A POST that may be sent twice: the same Idempotency-Key and body get the first answer again.

    @router.post("/runs", auth=scope("runs:write"), ...)
    @idempotent
    def create_run(request, payload: RunIn): ...

A record is claimed before the route runs and settled with its final answer by `guard`. An answer that says "try again"
(429 and everything from 500 on) is not kept. Without the header there is no query at all.
"""

from __future__ import annotations

import hashlib
import logging
import re
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, TypeVar

from django.db import DatabaseError, IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from ninja.operation import Operation
from ninja.utils import contribute_operation_callback

from donna_skills import entities
from donna_skills.accounts.models import IdempotencyRecord, IdempotencyStatus
from donna_skills.errors import Conflict, Invalid
from donna_skills.rest.parsing import whole_body

logger = logging.getLogger(__name__)

HEADER = "Idempotency-Key"
KEPT_FOR = timedelta(hours=24)
# A request that runs longer was killed with its process: whoever sends it again takes it over.
ABANDONED_AFTER = timedelta(minutes=10)
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_KEPT_HEADERS = ("Content-Type", "Location", "ETag")
_Route = TypeVar("_Route", bound=Callable[..., Any])

_PARAMETER = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "description": "Sent again with the same body, the request gets the first answer again, for 24 hours.",
}


def idempotent(route: _Route) -> _Route:
    """Goes below the router's decorator; it also puts the header into the route's OpenAPI description."""
    contribute_operation_callback(route, _make_idempotent)
    return route


def settle(request: HttpRequest, response: HttpResponseBase) -> None:
    """Keep the answer for this request's claim, or give the claim up where trying again may help."""
    record: IdempotencyRecord | None = getattr(request, "idempotency_claim", None)
    if record is None:
        return
    claimed = IdempotencyRecord.objects.filter(pk=record.pk, claim=record.claim)
    try:
        if response.status_code == 429 or response.status_code >= 500 or not isinstance(response, HttpResponse):
            claimed.delete()
            return
        claimed.update(
            status=IdempotencyStatus.DONE,
            response_status=response.status_code,
            response_body=response.content,
            response_headers={name: response[name] for name in _KEPT_HEADERS if name in response},
        )
    except DatabaseError:
        # What the request did is done and its answer is true, so the caller gets it; a repetition has to wait.
        logger.exception("the answer for an Idempotency-Key could not be kept")


def purge(now: datetime) -> int:
    """A scheduler's duty: forget the answers that are older than a day. Returns how many there were."""
    old = IdempotencyRecord.objects.filter(created_at__lt=now - KEPT_FOR)
    return old.delete()[0] if old.exists() else 0


def _make_idempotent(operation: Operation) -> None:
    operation.view_func = _once(operation.view_func)
    extra = dict(operation.openapi_extra or {})
    operation.openapi_extra = {**extra, "parameters": [*extra.get("parameters", []), _PARAMETER]}


def _once(route: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(route)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        key = request.headers.get(HEADER)
        if key is None:
            return route(request, *args, **kwargs)
        if not _KEY.fullmatch(key):
            raise Invalid(
                f"{HEADER} takes 1 to 255 visible ASCII characters without blanks.", code="idempotency_key_invalid"
            )
        return _claim(request, key, now=timezone.now()) or route(request, *args, **kwargs)

    return answer


def _claim(request: HttpRequest, key: str, *, now: datetime) -> HttpResponse | None:
    """Claim the key for this request, or return the answer that it got before.

    1. Insert a record: whoever comes first has the claim.
    2. A record that is too old, or was left running by a killed process, is taken over by conditional update.
    3. Any other record answers: another body, still running, or done.
    """
    target = f"{request.method} {request.get_full_path()}"
    digest = hashlib.sha256(target.encode() + b"\n" + whole_body(request)).hexdigest()
    fresh = IdempotencyRecord(
        id=entities.new_id(),
        token=request.token,  # type: ignore[attr-defined]
        key=key,
        target=target[:600],
        body_digest=digest,
        claim=uuid.uuid4(),
        created_at=now,
    )
    try:
        with transaction.atomic():
            fresh.save(force_insert=True)
    except IntegrityError:
        present = IdempotencyRecord.objects.filter(token=fresh.token, key=key).first()
    else:
        request.idempotency_claim = fresh  # type: ignore[attr-defined]
        return None

    if present is None:
        raise Conflict("The first request with this key has just ended: send it again.", code="idempotency_running")
    if _is_free(present, now=now) and _take_over(present, fresh):
        request.idempotency_claim = present  # type: ignore[attr-defined]
        return None
    return _earlier_answer(present, digest)


def _is_free(record: IdempotencyRecord, *, now: datetime) -> bool:
    if record.created_at <= now - KEPT_FOR:
        return True
    return record.status == IdempotencyStatus.RUNNING and record.created_at <= now - ABANDONED_AFTER


def _take_over(record: IdempotencyRecord, fresh: IdempotencyRecord) -> bool:
    """Make the record this request's own; False when somebody else was faster."""
    taken = IdempotencyRecord.objects.filter(pk=record.pk, claim=record.claim, status=record.status).update(
        claim=fresh.claim,
        target=fresh.target,
        body_digest=fresh.body_digest,
        created_at=fresh.created_at,
        status=IdempotencyStatus.RUNNING,
        response_status=None,
        response_body=None,
        response_headers={},
    )
    record.claim = fresh.claim
    return bool(taken)


def _earlier_answer(record: IdempotencyRecord, digest: str) -> HttpResponse:
    if record.body_digest != digest:
        raise Invalid(
            "This Idempotency-Key was used for another request: take a new key for a new request.",
            code="idempotency_mismatch",
        )
    if record.status == IdempotencyStatus.RUNNING:
        raise Conflict("The first request with this key is still running.", code="idempotency_running")
    return HttpResponse(
        bytes(record.response_body or b""),
        status=record.response_status,
        headers={**record.response_headers, "Idempotency-Replayed": "true"},
    )
