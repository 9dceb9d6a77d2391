"""The adapter of last resort, chosen only when no provider is set up: plain rules, no network, no cost."""

from __future__ import annotations

from donna_skills.llm import offline
from donna_skills.llm.port import AdapterReply, ModelRequest
from donna_skills.llm.routing import REASONER, Route

_CHARACTERS_PER_TOKEN = 4


class OfflineAdapter:
    def complete(self, route: Route, request: ModelRequest, timeout_s: float) -> AdapterReply:
        """Every alias but the reference is a little blunter, as a small model would be."""
        text = offline.answer(request, blunt=route.alias != REASONER)
        return AdapterReply(
            text=text,
            input_tokens=(len(request.system) + len(request.prompt)) // _CHARACTERS_PER_TOKEN,
            output_tokens=len(text) // _CHARACTERS_PER_TOKEN,
            model=route.model,
        )
