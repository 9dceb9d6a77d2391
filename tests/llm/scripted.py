"""An adapter named by its dotted path, as an installation would plug in its own."""

from __future__ import annotations

from donna_skills.llm.port import AdapterReply, ModelRequest
from donna_skills.llm.routing import Route


class Exploding:
    """A bug in an adapter, which is not an error of a model."""

    def complete(self, route: Route, request: ModelRequest, timeout_s: float) -> AdapterReply:
        raise ZeroDivisionError(route.alias)


class Parrot:
    """Says what it was asked."""

    def complete(self, route: Route, request: ModelRequest, timeout_s: float) -> AdapterReply:
        return AdapterReply(text=request.prompt, input_tokens=3, output_tokens=3)
