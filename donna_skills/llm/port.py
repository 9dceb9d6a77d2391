"""What the rest of the application says to a model, and what it hears back: plain values, free of any provider."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

from django.db.models import TextChoices

from donna_skills.errors import ModelUnavailable

if TYPE_CHECKING:
    from donna_skills.llm.routing import Route


class Purpose(TextChoices):
    """Why a model is called. Every call has exactly one, and money is counted by it."""

    NATIVE = "native", "Reference answer"
    SKILL_STEP = "skill_step", "Step of a skill"
    SHADOW = "shadow", "Shadow comparison"
    JUDGE = "judge", "Judging agreement"
    DRAFT = "draft", "Drafting a skill"
    EVOLUTION = "evolution", "Evolving a skill"
    VALIDATION = "validation", "Validating a version"
    MATCH = "match", "Matching a text"


@dataclass(frozen=True)
class ModelRequest:
    """One question to a model.

    `task_type` is the capability's name for native calls and steps, and a word such as `judge` or `triage` otherwise.
    `schema` is the JSON Schema that the answer should match; the caller validates the answer, not the gateway.
    `facts` are what the prompt was made from ({"inputs", "state", "tools", "step"}): rules read them, models do not.
    """

    purpose: Purpose
    task_type: str
    prompt: str
    system: str = ""
    alias: str | None = None
    schema: Mapping[str, Any] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    run_id: uuid.UUID | None = None
    deadline_s: float = 60.0
    max_output_tokens: int = 4096


@dataclass(frozen=True)
class ModelReply:
    """The answer and what it took. `call_id` names the ledger rows of all its attempts."""

    text: str
    alias: str
    model: str
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal
    latency_ms: int
    call_id: uuid.UUID


@dataclass(frozen=True)
class AdapterReply:
    """What one attempt brought back. `model` is the name the provider gives, where it differs from what was asked."""

    text: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    model: str = ""
    vectors: Sequence[Sequence[float]] = ()


class Adapter(Protocol):
    """One attempt at one provider. Raises the errors below; retries, money and the ledger are the gateway's."""

    def complete(self, route: Route, request: ModelRequest, timeout_s: float) -> AdapterReply: ...


class Embedder(Protocol):
    """An adapter that can turn texts into vectors too."""

    def embed(self, route: Route, texts: Sequence[str], timeout_s: float) -> AdapterReply: ...


class ModelFailed(ModelUnavailable):
    """An attempt failed. `retryable` says whether another may succeed; `usage` is what it cost all the same."""

    retryable = True

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        retryable: bool | None = None,
        retry_after_s: float | None = None,
        usage: AdapterReply | None = None,
    ) -> None:
        super().__init__(message, code=code)
        if retryable is not None:
            self.retryable = retryable
        self.retry_after_s = retry_after_s
        self.usage = usage


class ModelUnreachable(ModelFailed):
    """Nobody answered: connection refused, reset, or broken off before the answer was complete."""

    code = "model_unreachable"


class ModelErrored(ModelFailed):
    """The provider answered with a failure of its own (5xx, overloaded)."""

    code = "model_error"


class ModelBusy(ModelFailed):
    """The provider asks for fewer requests (429)."""

    code = "model_rate_limited"


class ModelReplyBroken(ModelFailed):
    """An answer came that is no answer: not JSON, no choices, no text, cut off."""

    code = "model_reply_broken"


class ModelTimeout(ModelFailed):
    code, title = "model_timeout", "The model did not answer in time"


class ModelRefused(ModelFailed):
    """The request itself is refused (wrong key, unknown model, too long, filtered): asking again cannot help."""

    code, title = "model_refused", "The model refused the request"
    retryable = False
