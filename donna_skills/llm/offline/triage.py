"""What to do about a failed step: the rules know no better way to ask, so the reference answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def decide(facts: Mapping[str, Any], blunt: bool) -> dict[str, Any]:
    return {
        "action": "escalate_to_reference",
        "reason": "The offline rules cannot ask in another way, so the reference answers.",
    }
