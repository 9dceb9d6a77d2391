"""Real providers through pydantic-ai's direct requests: Anthropic, OpenAI and all that speaks its protocol, Ollama.

One request is one attempt: the libraries' own retries are off, because a retry that the gateway does not see would be
outside of the deadline, the budget and the ledger.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any, TypeVar

import httpx2
import pydantic_ai.messages as messages
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI
from pydantic_ai import direct
from pydantic_ai.embeddings.openai import OpenAIEmbeddingModel
from pydantic_ai.models import Model
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.ollama import OllamaModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.ollama import OllamaProvider
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider
from pydantic_ai.settings import ModelSettings

from donna_skills.llm.adapters import failures, loop
from donna_skills.llm.port import AdapterReply, ModelFailed, ModelRefused, ModelReplyBroken, ModelRequest, ModelTimeout
from donna_skills.llm.routing import Route

T = TypeVar("T")

_LARGEST_REPLY_BYTES = 16 * 1024 * 1024
# Servers without a key of their own still want the header filled; an empty one is an error in the libraries.
_NO_KEY = "no-key-needed"


class RealAdapter:
    def complete(self, route: Route, request: ModelRequest, timeout_s: float) -> AdapterReply:
        return _read_reply(route, _run(route, _ask(route, request, timeout_s), timeout_s))

    def embed(self, route: Route, texts: Sequence[str], timeout_s: float) -> AdapterReply:
        return _run(route, _embed(route, texts), timeout_s)


def _run(route: Route, work: Coroutine[Any, Any, T], timeout_s: float) -> T:
    """On the process's loop, with whatever goes wrong as one of the port's errors."""
    try:
        return loop.current().run(work, timeout_s=timeout_s)
    except ModelFailed:
        raise
    except TimeoutError:
        raise ModelTimeout(f"{route.model} did not answer within {timeout_s:.3g} s.") from None
    except Exception as error:
        # The libraries meet a hostile or broken server with whatever Python raises there, KeyError and all.
        raise failures.translate(error, model=route.model) from error


async def _ask(route: Route, request: ModelRequest, timeout_s: float) -> messages.ModelResponse:
    model = loop.current().keep(route, lambda: _model(route))
    asked = messages.ModelRequest(
        parts=[messages.UserPromptPart(content=request.prompt)], instructions=_instructions(request) or None
    )
    settings = ModelSettings(max_tokens=request.max_output_tokens, timeout=timeout_s)
    return await direct.model_request(model, [asked], model_settings=settings)


async def _embed(route: Route, texts: Sequence[str]) -> AdapterReply:
    model = loop.current().keep(("embeddings", route), lambda: _embedding_model(route))
    found = await model.embed(list(texts), input_type="document")
    tokens = found.usage.input_tokens or sum(len(text) // 4 + 1 for text in texts)
    return AdapterReply(vectors=found.embeddings, input_tokens=tokens, model=found.model_name)


def _instructions(request: ModelRequest) -> str:
    """The schema as words: every provider understands them, and the caller validates the answer in any case."""
    if request.schema is None:
        return request.system
    schema = json.dumps(request.schema, ensure_ascii=False)
    wanted = (
        f"Answer with one JSON value and nothing else, without a code fence. It must match this JSON Schema: {schema}"
    )
    return f"{request.system}\n\n{wanted}".strip()


def _read_reply(route: Route, response: messages.ModelResponse) -> AdapterReply:
    """The text, or why there is none. What was used is said in each case, because it is paid for."""
    usage = response.usage
    reply = AdapterReply(
        text=response.text or "",
        input_tokens=usage.input_tokens or 0,
        output_tokens=usage.output_tokens or 0,
        model=response.model_name or "",
    )
    if response.finish_reason == "length":
        raise ModelReplyBroken(
            f"The answer of {route.model} was cut off at its longest allowed length.",
            code="model_reply_cut",
            retryable=False,
            usage=reply,
        )
    if response.finish_reason == "content_filter":
        raise ModelRefused(f"{route.model} declined to answer (content filter).", code="model_declined", usage=reply)
    if not reply.text.strip():
        raise ModelReplyBroken(f"{route.model} gave an empty answer.", usage=reply)
    return reply


def _model(route: Route) -> Model:
    if route.provider == "anthropic":
        client = AsyncAnthropic(
            api_key=route.api_key or _NO_KEY, base_url=route.base_url, max_retries=0, http_client=_http_client()
        )
        return AnthropicModel(route.model, provider=AnthropicProvider(anthropic_client=client))
    if route.provider == "ollama":
        return OllamaModel(route.model, provider=OllamaProvider(openai_client=_openai_client(route)))
    return OpenAIChatModel(route.model, provider=_openai_provider(route))


def _embedding_model(route: Route) -> OpenAIEmbeddingModel:
    return OpenAIEmbeddingModel(route.model, provider=_openai_provider(route))


def _openai_provider(route: Route) -> OpenAIProvider | OpenAICompatibleProvider:
    """OpenAI's newer parameters go to OpenAI alone; another server gets the protocol's common ground."""
    if route.base_url is None:
        return OpenAIProvider(openai_client=_openai_client(route))
    return OpenAICompatibleProvider(route.provider, openai_client=_openai_client(route))


def _openai_client(route: Route) -> AsyncOpenAI:
    return AsyncOpenAI(
        api_key=route.api_key or _NO_KEY, base_url=route.base_url, max_retries=0, http_client=_http_client()
    )


def _http_client() -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        event_hooks={"response": [_bound]},
        limits=httpx2.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=30),
    )


async def _bound(response: httpx2.Response) -> None:
    """A reply without end would fill the memory before any deadline."""
    response.stream = _BoundedStream(response.stream)


class _BoundedStream(httpx2.AsyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        seen = 0
        async for chunk in self._stream:
            seen += len(chunk)
            if seen > _LARGEST_REPLY_BYTES:
                raise failures.ReplyTooLarge(_LARGEST_REPLY_BYTES)
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
