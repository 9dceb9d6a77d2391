"""Which capability a text asks for: TF-IDF cosine over names, descriptions and examples, and the confidence bands.

TF-IDF with smoothed inverse document frequency ln((1 + N) / (1 + df)) + 1, as in Manning, Raghavan and Schütze,
Introduction to Information Retrieval, chapter 6. A capability scores as its best-matching phrase, because a short
request resembles one of its examples much more than all of its prose.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Band = Literal["HIGH", "MEDIUM", "LOW"]
_WORD = re.compile(r"[^\W_]+")
_COMMON = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "by",
        "for",
        "from",
        "has",
        "have",
        "in",
        "into",
        "is",
        "it",
        "its",
        "me",
        "my",
        "of",
        "on",
        "or",
        "our",
        "please",
        "that",
        "the",
        "their",
        "them",
        "then",
        "this",
        "to",
        "us",
        "was",
        "we",
        "what",
        "when",
        "which",
        "who",
        "will",
        "with",
        "you",
        "your",
    ]
)


@dataclass(frozen=True)
class Match:
    name: str
    score: float


def band(score: float, *, high: float, medium: float) -> Band:
    """HIGH and MEDIUM are inclusive; LOW means that there is no match."""
    if score >= high:
        return "HIGH"
    return "MEDIUM" if score >= medium else "LOW"


def lexical_scores(text: str, phrases: Mapping[str, Sequence[str]]) -> list[Match]:
    """Every name with the cosine in [0, 1] of its best phrase to the text, best first; ties by name."""
    documents = [(name, _terms(phrase)) for name, group in phrases.items() for phrase in group]
    frequency = Counter(term for _, terms in documents for term in terms)
    total = len(documents)

    def weigh(terms: Counter[str]) -> dict[str, float]:
        return {t: (1 + math.log(n)) * (math.log((1 + total) / (1 + frequency[t])) + 1) for t, n in terms.items()}

    query = weigh(_terms(text))
    best = dict.fromkeys(phrases, 0.0)
    for name, terms in documents:
        best[name] = max(best[name], cosine(query, weigh(terms)))
    return sorted((Match(name, round(score, 4)) for name, score in best.items()), key=lambda m: (-m.score, m.name))


def cosine(left: Mapping[str, float], right: Mapping[str, float]) -> float:
    """Cosine similarity of two sparse vectors of non-negative weights; 0.0 where either is empty."""
    norm = math.sqrt(sum(v * v for v in left.values())) * math.sqrt(sum(v * v for v in right.values()))
    if not norm:
        return 0.0
    return min(1.0, sum(weight * right.get(term, 0.0) for term, weight in left.items()) / norm)


def vector_scores(query: Sequence[float], vectors: Mapping[str, Sequence[float]]) -> list[Match]:
    """The same ranking from embeddings; a vector of another length or none scores 0.0, negative cosines too."""
    sparse = dict(enumerate(query))
    scores = [
        Match(name, round(max(0.0, _dense_cosine(query, vector)), 4) if len(vector) == len(sparse) else 0.0)
        for name, vector in vectors.items()
    ]
    return sorted(scores, key=lambda m: (-m.score, m.name))


def _dense_cosine(left: Sequence[float], right: Sequence[float]) -> float:
    norm = math.sqrt(sum(v * v for v in left)) * math.sqrt(sum(v * v for v in right))
    return min(1.0, sum(a * b for a, b in zip(left, right, strict=True)) / norm) if norm else 0.0


def _terms(text: str) -> Counter[str]:
    return Counter(_stem(word) for word in _WORD.findall(text.lower()) if word not in _COMMON)


def _stem(word: str) -> str:
    """Fold the commonest English endings, so that "emails" finds "email"; no more than a request needs."""
    for ending in ("ing", "ies", "es", "ed", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)] + ("y" if ending == "ies" else "")
    return word
