"""What a call costs: the route's own price, else the catalogue of genai-prices, else a conservative default."""

from __future__ import annotations

from decimal import ROUND_UP, Decimal

from donna_skills.llm import routing
from donna_skills.llm.models import PriceSource
from donna_skills.llm.routing import Price, Route

_MILLION = Decimal(1_000_000)
_MICRO = Decimal("0.000001")
_CATALOGUE_PROVIDERS = {"anthropic": "anthropic", "openai": "openai", "openai_compatible": None}


def cost(route: Route, *, input_tokens: int, output_tokens: int) -> tuple[Decimal, PriceSource]:
    """USD, rounded up to a millionth, and where the price comes from."""
    if route.price is not None:
        free = not route.price.input_per_mtok and not route.price.output_per_mtok
        source = PriceSource.FREE if free else PriceSource.CONFIGURED
        return _by_tokens(route.price, input_tokens, output_tokens), source
    if route.provider == "ollama":
        return Decimal(0), PriceSource.FREE
    listed = _catalogue_cost(route, input_tokens, output_tokens)
    if listed is not None:
        return listed, PriceSource.CATALOGUE
    return _by_tokens(routing.routes().unknown_price, input_tokens, output_tokens), PriceSource.UNKNOWN


def estimated_tokens(text: str) -> int:
    """A text's tokens without a tokenizer: rather too many than too few, for the sake of the reservation."""
    return len(text.encode()) // 3 + 1


def _by_tokens(price: Price, input_tokens: int, output_tokens: int) -> Decimal:
    exact = (price.input_per_mtok * input_tokens + price.output_per_mtok * output_tokens) / _MILLION
    return exact.quantize(_MICRO, rounding=ROUND_UP)


def _catalogue_cost(route: Route, input_tokens: int, output_tokens: int) -> Decimal | None:
    """None where the catalogue does not know the model."""
    # Imported here: it takes a fifth of a second, and only calls that cost something need it.
    from genai_prices import Usage, calc_price

    usage = Usage(input_tokens=input_tokens, output_tokens=output_tokens)
    try:
        found = calc_price(usage, route.model, provider_id=_CATALOGUE_PROVIDERS[route.provider])
    except LookupError:
        return None
    return found.total_price.quantize(_MICRO, rounding=ROUND_UP)
