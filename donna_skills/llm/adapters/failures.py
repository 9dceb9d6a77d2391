"""What went wrong at a provider, in the port's words: which code, whether asking again may help, and a sentence."""

from __future__ import annotations

from pydantic_ai.exceptions import (
    ModelAPIError,
    ModelConnectionError,
    ModelHTTPError,
    ModelQuotaExceededError,
    ModelTimeoutError,
)

from donna_skills.llm.port import (
    ModelBusy,
    ModelErrored,
    ModelFailed,
    ModelRefused,
    ModelReplyBroken,
    ModelTimeout,
    ModelUnreachable,
)

_LONGEST_DETAIL = 300
# Statuses below 500 that pass by themselves: request timeout, conflict, too early.
_PASSING = {408, 409, 425}


class ReplyTooLarge(Exception):
    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"the reply is larger than {limit_bytes} bytes")


def translate(error: Exception, *, model: str) -> ModelFailed:
    """Any exception of the provider's libraries as one of the port's."""
    if too_large := _cause(error, ReplyTooLarge):
        return ModelReplyBroken(f"{model} gave no usable answer: {too_large}.", retryable=False)
    if isinstance(error, ModelHTTPError):
        return _by_status(error, model=model)
    if isinstance(error, ModelTimeoutError):
        return ModelTimeout(f"{model} did not answer in time.")
    if isinstance(error, ModelConnectionError):
        return ModelUnreachable(f"{model} cannot be reached, or broke off its answer: {_detail(error)}.")
    if isinstance(error, ModelAPIError):
        return ModelReplyBroken(f"{model} gave no usable answer: {_detail(error)}.")
    return ModelReplyBroken(f"The answer of {model} cannot be understood: {type(error).__name__}: {_detail(error)}.")


def _by_status(error: ModelHTTPError, *, model: str) -> ModelFailed:
    status = error.status_code
    said = f"{model} answered {status}: {_detail(error)}."
    if isinstance(error, ModelQuotaExceededError):
        return ModelRefused(f"{said} The account's quota is used up.", code="model_quota")
    if status == 429:
        return ModelBusy(said, retry_after_s=error.retry_after)
    if status >= 500 or status in _PASSING:
        return ModelErrored(said, retry_after_s=error.retry_after)
    return ModelRefused(said)


def _detail(error: Exception) -> str:
    """The provider's own sentence where it gave one, in one short line."""
    body = getattr(error, "body", None)
    inner = body.get("error", body) if isinstance(body, dict) else body
    said = inner.get("message") if isinstance(inner, dict) else inner
    line = " ".join(str(said or getattr(error, "message", "") or error or type(error).__name__).split())
    return line[:_LONGEST_DETAIL].rstrip(".")


def _cause(error: BaseException | None, kind: type[Exception]) -> BaseException | None:
    while error is not None:
        if isinstance(error, kind):
            return error
        error = error.__cause__ or error.__context__
    return None
