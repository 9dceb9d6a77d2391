"""A limit on requests per token and minute, and headers that say how much of it is left.

The count lives in Django's cache. With REDIS_URL all processes share it; without, each process counts for itself, so
that N web processes together let through up to N times the limit. A minute is a clock minute: around its turn a token
may spend two minutes' worth at once.
"""

from __future__ import annotations

import logging
import time
import uuid
from dataclasses import dataclass

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from redis.exceptions import RedisError

from donna_skills.errors import RateLimited

logger = logging.getLogger(__name__)

WINDOW_S = 60


@dataclass(frozen=True)
class Allowance:
    limit: int
    remaining: int
    reset_s: int


def spend(request: HttpRequest, token_id: uuid.UUID, *, now: float | None = None) -> Allowance:
    """Count one request; raises RateLimited when the minute's allowance is used up."""
    limit = settings.API_RATE_PER_MINUTE
    moment = time.time() if now is None else now
    window, passed = divmod(moment, WINDOW_S)
    used = _count(f"rate:{token_id}:{int(window)}")
    allowance = Allowance(limit, max(limit - used, 0), max(int(WINDOW_S - passed), 1))
    request.allowance = allowance  # type: ignore[attr-defined]
    if used > limit:
        raise RateLimited(
            f"This token may make {limit} requests a minute. Go on in {allowance.reset_s} s.",
            retry_after_s=allowance.reset_s,
        )
    return allowance


def stamp(request: HttpRequest, response: HttpResponseBase) -> None:
    """Put the allowance on the answer; requests without a token have none."""
    allowance: Allowance | None = getattr(request, "allowance", None)
    if allowance is None:
        return
    response["RateLimit-Limit"] = str(allowance.limit)
    response["RateLimit-Remaining"] = str(allowance.remaining)
    response["RateLimit-Reset"] = str(allowance.reset_s)


def _count(key: str) -> int:
    try:
        return _increment(key)
    except RedisError as away:
        # Better an uncounted request than an API that is down because its counter is.
        logger.warning("requests are not being counted: %s", away)
        return 0


def _increment(key: str) -> int:
    try:
        return int(cache.incr(key))
    except ValueError:  # the first of this minute, or evicted
        return 1 if cache.add(key, 1, timeout=2 * WINDOW_S) else int(cache.incr(key))
