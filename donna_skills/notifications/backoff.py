"""When a message that could not be sent is tried again. Pure: a count in, a wait out."""

from __future__ import annotations

from datetime import timedelta

MAX_ATTEMPTS = 5
_JITTER = 0.2
# After the first failure half a minute, … after the fourth two hours: a mail server may be away for an hour and more.
_WAITS_S = (30, 300, 1800, 7200)


def wait(attempts: int, *, chance: float, asked_s: int = 0) -> timedelta | None:
    """How long after so many failed attempts the next one comes; None when that was the last.

    `chance` in [0, 1) spreads the wait by 20 % either way, so that a receiver that comes back is not met by everybody
    at once. `asked_s` is what the receiver asked for (Retry-After): it is never tried earlier than that.
    """
    if attempts >= MAX_ATTEMPTS:
        return None
    seconds = _WAITS_S[max(attempts, 1) - 1] * (1 + _JITTER * (2 * chance - 1))
    return timedelta(seconds=max(seconds, min(asked_s, _WAITS_S[-1])))
