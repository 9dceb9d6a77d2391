"""A model that says what a test tells it to: a queue of answers, and a history of what it was asked."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from lifecycle.execution.ports import Answer


@dataclass(frozen=True)
class Asked:
    step: str
    prompt: str
    system: str
    schema: Mapping[str, Any] | None
    alias: str | None
    facts: Mapping[str, Any]
    deadline_s: float


class ScriptedModels:
    """Answers in order. Text is said as it is, an exception is raised, a callable is asked with the `Asked` and gives
    either; everything else is said as JSON. An answer too few is an AssertionError, so a test never passes by luck."""

    def __init__(self, *answers: Any, cost_usd: str = "0.01", input_tokens: int = 10, output_tokens: int = 5) -> None:
        self.answers = deque(answers)
        self.history: list[Asked] = []
        self._cost = Decimal(cost_usd)
        self._tokens = (input_tokens, output_tokens)

    def complete(
        self,
        *,
        step: str,
        prompt: str,
        system: str,
        schema: Mapping[str, Any] | None,
        alias: str | None,
        facts: Mapping[str, Any],
        deadline_s: float,
    ) -> Answer:
        asked = Asked(step, prompt, system, schema, alias, facts, deadline_s)
        self.history.append(asked)
        if not self.answers:
            raise AssertionError(f"The script has no answer left for the step {step!r}.")
        said = self.answers.popleft()
        if callable(said) and not isinstance(said, BaseException):
            said = said(asked)
        if isinstance(said, BaseException):
            raise said
        text = said if isinstance(said, str) else json.dumps(said)
        return Answer(
            text=text,
            call_id=f"call-{len(self.history)}",
            input_tokens=self._tokens[0],
            output_tokens=self._tokens[1],
            cost_usd=self._cost,
            latency_ms=1,
        )

    @property
    def prompts(self) -> list[str]:
        return [asked.prompt for asked in self.history]
