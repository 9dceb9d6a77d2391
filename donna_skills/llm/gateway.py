"""The only way to a model: route, reserve, call, settle, write the ledger; again after failures that may pass.

A call outside of any transaction, always: `budget.reserve` refuses to run inside one.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from django.utils import timezone
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, stop_before_delay
from tenacity.wait import wait_random_exponential

from donna_skills.entities import new_id
from donna_skills.llm import adapters, budget, caps, prices, routing
from donna_skills.llm.budget import Closing
from donna_skills.llm.models import CallStatus, ModelCall
from donna_skills.llm.port import (
    AdapterReply,
    ModelFailed,
    ModelReply,
    ModelReplyBroken,
    ModelRequest,
    ModelTimeout,
    Purpose,
)
from donna_skills.llm.routing import Route

log = logging.getLogger(__name__)

# How long after its own deadline an attempt's reservation is still believed to be alive.
_GRACE = timedelta(seconds=60)
_EMBEDDING_BATCH = 128
_SHORTEST_ATTEMPT_S = 0.01


def complete(request: ModelRequest) -> ModelReply:
    """Ask a model.

    Raises BudgetPaused, or ModelUnavailable in one of the shapes of `port`: ModelRefused when asking again cannot help,
    ModelTimeout at the request's deadline, another ModelFailed after the last attempt.
    """
    request = dataclasses.replace(request, prompt=_storable(request.prompt), system=_storable(request.system))
    route = routing.resolve(request)
    adapter = adapters.get(route.adapter)
    call = _Call(
        route=route,
        purpose=request.purpose,
        task_type=request.task_type,
        run_id=request.run_id,
        system=request.system,
        prompt=request.prompt,
        max_output_tokens=request.max_output_tokens,
        deadline_s=request.deadline_s,
        perform=lambda timeout_s: adapter.complete(route, request, timeout_s),
    )
    attempt = _with_retries(call)
    return ModelReply(
        text=attempt.reply.text,
        alias=route.alias,
        model=attempt.reply.model or route.model,
        input_tokens=attempt.reply.input_tokens,
        output_tokens=attempt.reply.output_tokens,
        cost_usd=attempt.cost_usd,
        latency_ms=attempt.latency_ms,
        call_id=attempt.call_id,
    )


def embed(texts: Sequence[str], *, run_id: UUID | None = None, deadline_s: float = 60.0) -> list[list[float]]:
    """One vector for each text, in their order. Raises what `complete` raises, and ModelUnavailable
    (`embeddings_not_set_up`) where no endpoint for embeddings is configured."""
    route = routing.require_embedding_route()
    adapter = adapters.get_embedder(route.adapter)
    ends = time.monotonic() + deadline_s
    vectors: list[list[float]] = []
    for start in range(0, len(texts), _EMBEDDING_BATCH):
        batch = [_storable(text) for text in texts[start : start + _EMBEDDING_BATCH]]

        def perform(timeout_s: float, batch: list[str] = batch) -> AdapterReply:
            reply = adapter.embed(route, batch, timeout_s)
            if len(reply.vectors) != len(batch):
                raise ModelReplyBroken(f"{len(batch)} texts were sent, and {len(reply.vectors)} vectors came back.")
            return reply

        attempt = _with_retries(
            _Call(
                route=route,
                purpose=Purpose.MATCH,
                task_type="embed",
                run_id=run_id,
                system="",
                prompt="\n".join(batch),
                max_output_tokens=0,
                deadline_s=ends - time.monotonic(),
                perform=perform,
            )
        )
        vectors += [[float(number) for number in vector] for vector in attempt.reply.vectors]
    return vectors


@dataclass(frozen=True)
class _Call:
    """One question, whatever the number of attempts it takes."""

    route: Route
    purpose: Purpose
    task_type: str
    run_id: UUID | None
    system: str
    prompt: str
    max_output_tokens: int
    deadline_s: float
    perform: Callable[[float], AdapterReply]


@dataclass(frozen=True)
class _Attempt:
    call_id: UUID
    reply: AdapterReply
    cost_usd: Decimal
    latency_ms: int


def _with_retries(call: _Call) -> _Attempt:
    """1. Attempt. 2. Where the failure may pass and there is time, wait (back-off with jitter, or what the provider
    asks) and attempt again. 3. The last failure is the caller's."""
    retries, ends, call_id = routing.routes().retries, time.monotonic() + call.deadline_s, new_id()
    backoff = wait_random_exponential(multiplier=retries.first_wait_s, max=retries.longest_wait_s)

    def wait(state: RetryCallState) -> float:
        failure = state.outcome.exception() if state.outcome else None
        return max(backoff(state), getattr(failure, "retry_after_s", None) or 0.0)

    retrying = Retrying(
        stop=stop_after_attempt(retries.attempts) | stop_before_delay(call.deadline_s),
        wait=wait,
        retry=retry_if_exception(lambda error: isinstance(error, ModelFailed) and error.retryable),
        reraise=True,
    )
    for attempt in retrying:
        with attempt:
            return _attempt(call, call_id, number=attempt.retry_state.attempt_number, ends=ends)
    raise AssertionError("tenacity either returns an attempt or raises")


def _attempt(call: _Call, call_id: UUID, *, number: int, ends: float) -> _Attempt:
    """1. Reserve, which writes the ledger row. 2. Call. 3. Settle, whatever came of it, and count the cost."""
    left_s = ends - time.monotonic()
    if left_s < _SHORTEST_ATTEMPT_S:
        raise ModelTimeout(f"The deadline of {call.deadline_s:g} s was over before the model could be asked.")
    timeout_s = min(call.route.timeout_s, left_s)
    row = _row(call, call_id, number=number, timeout_s=timeout_s)
    caps.check(row.estimate_usd)
    budget.reserve(row)
    started = time.perf_counter()
    try:
        reply = call.perform(timeout_s)
    except BaseException as error:
        closing = _failure(call.route, error, latency_ms=_ms_since(started))
        caps.spend(closing.cost_usd)
        budget.settle(row, closing)
        if isinstance(error, ModelFailed):
            log.warning("model call failed", extra={"call_id": str(call_id), "code": error.code, "attempt": number})
        raise
    latency_ms = _ms_since(started)
    reply = dataclasses.replace(reply, text=_storable(reply.text))
    cost, _ = prices.cost(call.route, input_tokens=reply.input_tokens, output_tokens=reply.output_tokens)
    caps.spend(cost)
    budget.settle(
        row,
        Closing(
            status=CallStatus.SUCCEEDED,
            finished_at=timezone.now(),
            cost_usd=cost,
            latency_ms=latency_ms,
            input_tokens=reply.input_tokens,
            output_tokens=reply.output_tokens,
            output=reply.text,
        ),
    )
    return _Attempt(call_id=call_id, reply=reply, cost_usd=cost, latency_ms=latency_ms)


def _row(call: _Call, call_id: UUID, *, number: int, timeout_s: float) -> ModelCall:
    input_tokens = prices.estimated_tokens(call.system) + prices.estimated_tokens(call.prompt)
    estimate, source = prices.cost(call.route, input_tokens=input_tokens, output_tokens=call.max_output_tokens)
    now = timezone.now()
    return ModelCall(
        call_id=call_id,
        attempt=number,
        purpose=call.purpose,
        task_type=_storable(call.task_type)[:100],
        alias=call.route.alias,
        provider=call.route.provider,
        model=call.route.model,
        run_id=call.run_id,
        prompt_digest=hashlib.sha256(f"{call.system}\0{call.prompt}".encode()).hexdigest(),
        system=call.system,
        prompt=call.prompt,
        estimate_usd=estimate,
        price_source=source,
        started_at=now,
        expires_at=now + timedelta(seconds=timeout_s) + _GRACE,
    )


def _failure(route: Route, error: BaseException, *, latency_ms: int) -> Closing:
    """What a failed attempt cost: what the provider says it used, else nothing, and the reservation is given back."""
    usage = getattr(error, "usage", None) or AdapterReply()
    cost, _ = prices.cost(route, input_tokens=usage.input_tokens, output_tokens=usage.output_tokens)
    return Closing(
        status=CallStatus.FAILED,
        finished_at=timezone.now(),
        cost_usd=cost,
        latency_ms=latency_ms,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        output=_storable(usage.text),
        error_code=getattr(error, "code", "") or "interrupted",
        error=_storable(str(error) or type(error).__name__)[:2000],
    )


def _ms_since(started: float) -> int:
    return math.ceil((time.perf_counter() - started) * 1000)


def _storable(text: str) -> str:
    """Without what a database or UTF-8 cannot hold: null characters and halves of surrogate pairs."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
