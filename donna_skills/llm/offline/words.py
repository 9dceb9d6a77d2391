"""What several rules need of words: folding, keywords, likeness, sentences."""

from __future__ import annotations

import re
from typing import Any

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[^\W_a-z]|[\"'“(])|\n{2,}")
_STOP_WORDS = """
    a an the and or but if of to in on at by for from with about as is are was were be been it its this that these
    those i we you he she they my our your his her their me us him them will would can could should do does did has
    have had not no so up out please just need needs get got re
"""
_STOPPED = frozenset(_STOP_WORDS.split())
_ENDINGS = ("ing", "ed", "s", "e")


def text_of(value: Any) -> str:
    """The text, with its blanks folded; an empty one for anything else."""
    return " ".join(value.split()) if isinstance(value, str) else ""


def first_text(facts: Any, *names: str) -> str:
    """The first of these fields that holds a text."""
    if not hasattr(facts, "get"):
        return ""
    return next((text for name in names if (text := text_of(facts.get(name)))), "")


def keywords(text: str) -> list[str]:
    """Words that carry meaning, lower-cased, without their commonest endings, in their order."""
    return [_stem(word) for word in (found.group().casefold() for found in _WORD.finditer(text)) if _carries(word)]


def likeness(one: str, other: str) -> float:
    """0 to 1: twice the shared keywords over all of them (Dice)."""
    first, second = set(keywords(one)), set(keywords(other))
    if not first and not second:
        return 1.0 if one.casefold() == other.casefold() else 0.0
    return 2 * len(first & second) / (len(first) + len(second))


def sentences(text: str) -> list[str]:
    return [folded for part in _SENTENCE_END.split(text) if (folded := text_of(part))]


def shortened(text: str, longest: int) -> str:
    """At most so many characters, cut between words."""
    if len(text) <= longest:
        return text
    return text[: longest - 1].rsplit(" ", 1)[0].rstrip(" ,;:") + "…"


def has_any(text: str, words: tuple[str, ...]) -> bool:
    return first_of(text, words) is not None


def first_of(text: str, words: tuple[str, ...]) -> str | None:
    """The first of the words or phrases, in their own order, that stands in the text as a whole."""
    folded = text.casefold()
    return next((word for word in words if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", folded)), None)


def _carries(word: str) -> bool:
    return word not in _STOPPED and (len(word) > 1 or word.isdigit())


def _stem(word: str) -> str:
    """ "strikes", "strike" and "striking" are one word; what is left need not be one."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
    return word
