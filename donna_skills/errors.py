"""What can go wrong in a way that a caller can act on. Services raise these; each adapter maps them once.

A message is a sentence for the person or bot that reads it; a code is stable and for programs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class FieldError:
    """One thing wrong with what was sent: where (a dotted path or JSON Pointer) and a sentence."""

    path: str
    message: str
    code: str = "invalid"
    line: int | None = None

    def as_dict(self) -> dict[str, Any]:
        found = {"path": self.path, "message": self.message, "code": self.code}
        return found if self.line is None else {**found, "line": self.line}


class DonnaError(Exception):
    """Base of every expected failure. `status` is the HTTP status that an API answers with."""

    status = 400
    code = "error"
    title = "The request could not be carried out"

    def __init__(self, message: str, *, code: str | None = None, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.errors = tuple(errors)


class Invalid(DonnaError):
    status, code, title = 422, "invalid", "What was sent is not valid"


class NotFound(DonnaError):
    status, code, title = 404, "not_found", "There is no such thing"


class Gone(DonnaError):
    status, code, title = 410, "gone", "It is no longer to be had"


class NotPermitted(DonnaError):
    status, code, title = 403, "not_permitted", "Not permitted"


class HumanGateRequired(NotPermitted):
    code, title = "human_gate_required", "A person has to decide this"


class Conflict(DonnaError):
    status, code, title = 409, "conflict", "It conflicts with the present state"


class IllegalTransition(Conflict):
    code, title = "illegal_transition", "There is no such move"


class StaleState(Conflict):
    code, title = "stale_state", "It has changed since you looked"


class AlreadyDecided(Conflict):
    code, title = "already_decided", "It is decided already"


class LengthRequired(DonnaError):
    status, code, title = 411, "length_required", "Say how long the body is"


class PreconditionFailed(DonnaError):
    status, code, title = 412, "precondition_failed", "It has changed since you looked"


class PreconditionRequired(DonnaError):
    status, code, title = 428, "precondition_required", "Say which version you are changing"


class TooLarge(DonnaError):
    status, code, title = 413, "too_large", "What was sent is too large"


class RateLimited(DonnaError):
    status, code, title = 429, "rate_limited", "Too many requests"

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class BudgetPaused(RateLimited):
    code, title = "budget_paused", "The budget for model calls is used up"


class ModelUnavailable(DonnaError):
    """The model could not be reached, did not answer in time, or answered with an error after every retry."""

    status, code, title = 503, "model_unavailable", "The model did not answer"
