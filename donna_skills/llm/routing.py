"""From a request to the model that answers it: config/models.yaml lists the options, the environment says which are
set up.

`Route.adapter` says who carries the call out: `real` (a provider), `offline` (plain rules) or a class named by its
dotted path in settings.MODEL_ADAPTER (a test's scripted adapter, an installation's own).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal
from urllib.parse import urlsplit

from django.conf import settings

from donna_skills import configuration, env
from donna_skills.configuration import knob, part
from donna_skills.errors import ModelUnavailable
from donna_skills.llm.port import ModelRefused, ModelRequest, Purpose

Provider = Literal["anthropic", "openai", "ollama", "openai_compatible"]
PARSER, REASONER = "parser", "reasoner"


@dataclass(frozen=True)
class Price:
    """USD for a million tokens."""

    input_per_mtok: Decimal = knob(Decimal(0), low=0, help="USD for a million tokens read.")
    output_per_mtok: Decimal = knob(Decimal(0), low=0, help="USD for a million tokens written.")


@dataclass(frozen=True)
class Option:
    """One model that could stand behind an alias."""

    provider: Provider
    model: str
    base_url: str | None = None
    api_key_env: str | None = None
    timeout_s: float = knob(60.0, low=0.05, high=900, help="Seconds for one attempt.")
    price: Price | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.model) <= 128:
            raise ValueError(f"A model's name has 1 to 128 characters, and {self.model!r} has {len(self.model)}.")
        if self.provider == "openai_compatible" and not self.base_url:
            raise ValueError(f"The option for {self.model} needs a `base_url`: openai_compatible has none of its own.")


@dataclass(frozen=True)
class Retries:
    attempts: int = knob(4, low=1, high=10, help="Attempts of one call, the first included.")
    first_wait_s: float = knob(0.5, low=0, high=60, help="Longest wait before the second attempt; doubles after.")
    longest_wait_s: float = knob(8.0, low=0, high=300, help="No single wait is longer, unless the provider asks.")


@dataclass(frozen=True)
class Routes:
    """config/models.yaml."""

    aliases: Mapping[str, tuple[Option, ...]]
    purposes: Mapping[str, str]
    embeddings: tuple[Option, ...] = ()
    task_types: Mapping[str, str] = field(default_factory=dict)
    retries: Retries = part(Retries)
    unknown_price: Price = field(default_factory=lambda: Price(Decimal(15), Decimal(75)))

    def __post_init__(self) -> None:
        for alias in (PARSER, REASONER):
            if alias not in self.aliases:
                raise ValueError(f"`aliases.{alias}` is missing.")
        for purpose in Purpose.values:
            if purpose not in self.purposes:
                raise ValueError(f"`purposes.{purpose}` is missing.")
        for purpose in self.purposes:
            if purpose not in Purpose.values:
                raise ValueError(f"`purposes.{purpose}` is no purpose: use one of {', '.join(Purpose.values)}.")
        for where, mapping in (("purposes", self.purposes), ("task_types", self.task_types)):
            for key, alias in mapping.items():
                if alias not in self.aliases:
                    raise ValueError(f"`{where}.{key}` names the alias {alias!r}, which `aliases` does not have.")


@dataclass(frozen=True)
class Route:
    """Where one call goes. The key is kept out of the repr, and so out of logs and error reports."""

    alias: str
    adapter: str
    provider: str
    model: str
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    timeout_s: float = 60.0
    price: Price | None = None

    @property
    def identity(self) -> tuple[str, str | None, str]:
        """Two aliases with the same identity are the same model."""
        return (self.provider, self.base_url, self.model)


def routes() -> Routes:
    """The configuration in force. Raises ConfigurationInvalid."""
    return configuration.load(Routes, configuration.file("models.yaml"))


def resolve(request: ModelRequest) -> Route:
    """The route of a request: its own alias, else that of its task type, else that of its purpose."""
    return route_of(request.alias or alias_of(request.purpose, request.task_type))


def alias_of(purpose: Purpose, task_type: str) -> str:
    known = routes()
    narrow = known.task_types.get(f"{purpose}/{task_type}") or known.task_types.get(task_type)
    return narrow or known.purposes[purpose]


def route_of(alias: str) -> Route:
    """Raises ModelRefused for an alias that the configuration does not have."""
    options = routes().aliases.get(alias)
    if options is None:
        names = ", ".join(sorted(routes().aliases))
        raise ModelRefused(f"There is no model alias {alias!r}: config/models.yaml has {names}.", code="unknown_alias")
    own_adapter = settings.MODEL_ADAPTER
    found = None if own_adapter == "offline" else _first_set_up(options)
    if "." in own_adapter:
        return _route(alias, found, adapter=own_adapter) if found else _free_route(alias, own_adapter, "custom")
    return _route(alias, found, adapter="real") if found else _free_route(alias, "offline", "offline")


def embedding_route() -> Route | None:
    """Who turns texts into vectors, or None where nobody is set up for it."""
    if settings.MODEL_ADAPTER == "offline":
        return None
    found = _first_set_up(routes().embeddings)
    own_adapter = settings.MODEL_ADAPTER if "." in settings.MODEL_ADAPTER else "real"
    return _route("embeddings", found, adapter=own_adapter) if found else None


def require_embedding_route() -> Route:
    route = embedding_route()
    if route is None:
        raise ModelUnavailable(
            "No model for embeddings is set up: set OPENAI_API_KEY, OPENAI_BASE_URL or OLLAMA_BASE_URL, "
            "or give an option under `embeddings` in config/models.yaml a base_url.",
            code="embeddings_not_set_up",
        )
    return route


def status() -> dict[str, Any]:
    """For health and the banner: who answers, in all and for each alias."""
    found = {alias: route_of(alias) for alias in routes().aliases}
    adapters = {route.adapter for route in found.values()}
    return {
        "adapter": adapters.pop() if len(adapters) == 1 else "mixed",
        "aliases": {alias: {"provider": route.provider, "model": route.model} for alias, route in found.items()},
    }


def _first_set_up(options: tuple[Option, ...]) -> Option | None:
    return next((option for option in options if _is_set_up(option)), None)


def _is_set_up(option: Option) -> bool:
    if option.api_key_env:
        return bool(env.text(option.api_key_env))
    if option.base_url:
        return True
    return {
        "anthropic": bool(settings.ANTHROPIC_API_KEY),
        "openai": bool(settings.OPENAI_API_KEY or settings.OPENAI_BASE_URL),
        "ollama": bool(settings.OLLAMA_BASE_URL),
    }.get(option.provider, False)


def _route(alias: str, option: Option, *, adapter: str) -> Route:
    return Route(
        alias=alias,
        adapter=adapter,
        provider=option.provider,
        model=option.model,
        base_url=_base_url(option),
        api_key=_api_key(option),
        timeout_s=option.timeout_s,
        price=option.price,
    )


def _free_route(alias: str, adapter: str, provider: str) -> Route:
    return Route(alias=alias, adapter=adapter, provider=provider, model=f"{provider}-{alias}", price=Price())


def _base_url(option: Option) -> str | None:
    """None means the provider's own address."""
    if option.provider == "openai":
        return option.base_url or settings.OPENAI_BASE_URL or None
    if option.provider == "ollama":
        address = option.base_url or settings.OLLAMA_BASE_URL
        # Ollama is usually named by host and port alone; its OpenAI protocol lives under /v1.
        return address if urlsplit(address).path.strip("/") else address.rstrip("/") + "/v1"
    return option.base_url


def _api_key(option: Option) -> str | None:
    """The key that belongs to this address: the account's own key is never sent to a server named in the file."""
    if option.api_key_env:
        return env.text(option.api_key_env)
    if option.base_url:
        return None
    return {"anthropic": settings.ANTHROPIC_API_KEY, "openai": settings.OPENAI_API_KEY}.get(option.provider) or None
