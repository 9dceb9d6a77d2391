"""An author that says what a test tells it to; every other question goes to the offline rules.

Named by its dotted path in settings.MODEL_ADAPTER, as an installation would plug in its own.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from typing import Any

from donna_skills.llm.adapters.offline import OfflineAdapter
from donna_skills.llm.port import AdapterReply, ModelRequest, Purpose
from donna_skills.llm.routing import Route

PATH = f"{__name__}.Scripted"
WRITES = {Purpose.DRAFT, Purpose.EVOLUTION}
OFFLINE: Any = object()
"""In a script: what the offline author would write."""

replies: deque[Any] = deque()
asked: list[ModelRequest] = []
before_validation: list[Callable[[], None]] = []


def script(settings: Any, *answers: Any) -> list[ModelRequest]:
    """Have the author say these, in order: a text as it is, an exception raised, a callable called, all else as JSON.
    An answer too few is an AssertionError. Returns the list that its questions are put into."""
    settings.MODEL_ADAPTER = PATH
    replies.clear()
    asked.clear()
    before_validation.clear()
    replies.extend(answers)
    return asked


class Scripted:
    def complete(self, route: Route, request: ModelRequest, timeout_s: float) -> AdapterReply:
        if request.purpose not in WRITES:
            if request.purpose == Purpose.VALIDATION and before_validation:
                before_validation.pop()()
            return OfflineAdapter().complete(route, request, timeout_s)
        asked.append(request)
        if not replies:
            raise AssertionError("The author was asked once more than the test foresaw.")
        said = replies.popleft()
        if said is OFFLINE:
            return OfflineAdapter().complete(route, request, timeout_s)
        if callable(said) and not isinstance(said, BaseException):
            said = said(request)
        if isinstance(said, BaseException):
            raise said
        return AdapterReply(text=said if isinstance(said, str) else json.dumps(said), input_tokens=9, output_tokens=9)
