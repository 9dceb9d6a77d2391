"""The judge's rule: two JSON answers compared field by field, strict on facts and lenient on wording."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from donna_skills.llm.offline import words

# Texts of more words than this are wording; shorter ones are names, dates, choices: facts.
_LONGEST_FACT_WORDS = 3
_MAX_DEPTH = 20


def judge(facts: Mapping[str, Any], blunt: bool) -> dict[str, Any] | None:
    """{"agreement": 0..1, "rationale"} of facts["first"] and facts["second"]; None where one is not given."""
    if "first" not in facts or "second" not in facts:
        return None
    differing: list[str] = []
    agreement = _agreement(facts["first"], facts["second"], "", differing)
    rationale = "Both say the same." if not differing else f"They differ in {', '.join(differing[:8])}."
    return {"agreement": round(agreement, 4), "rationale": rationale}


def _agreement(first: Any, second: Any, path: str, differing: list[str], depth: int = 0) -> float:
    if depth > _MAX_DEPTH:
        return 1.0 if first == second else 0.0
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        names = sorted({*first, *second}, key=str)
        parts = [
            _agreement(first.get(name), second.get(name), f"{path}.{name}".lstrip("."), differing, depth + 1)
            for name in names
        ]
        return sum(parts) / len(parts) if parts else 1.0
    if isinstance(first, list) and isinstance(second, list):
        longest = max(len(first), len(second))
        pairs = zip(first, second, strict=False)
        parts = [_agreement(a, b, f"{path}[{i}]", differing, depth + 1) for i, (a, b) in enumerate(pairs)]
        if len(first) != len(second):
            differing.append(f"{path or 'the list'} (length)")
        return sum(parts) / longest if longest else 1.0
    score = _likeness(first, second)
    if score < 1:
        differing.append(path or "the whole answer")
    return score


def _likeness(first: Any, second: Any) -> float:
    """Missing, null and an empty text say the same: nothing."""
    if first in (None, "") and second in (None, ""):
        return 1.0
    if isinstance(first, str) and isinstance(second, str):
        return _texts(words.text_of(first).casefold().strip(" .!"), words.text_of(second).casefold().strip(" .!"))
    if isinstance(first, bool) or isinstance(second, bool):
        return 1.0 if first is second else 0.0
    return 1.0 if first == second else 0.0


def _texts(first: str, second: str) -> float:
    if first == second:
        return 1.0
    if max(len(first.split()), len(second.split())) <= _LONGEST_FACT_WORDS:
        return 1.0 if words.keywords(first) == words.keywords(second) != [] else 0.0
    likeness = words.likeness(first, second)
    return 1.0 if likeness >= 0.8 else likeness
