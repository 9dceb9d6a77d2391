"""How much of a text fits on a page. Pure.

A page stays small whatever somebody wrote: what counts is what a text becomes once it is escaped and its hidden
characters are spelt out, where one character can take a hundred.
"""

from __future__ import annotations

from collections.abc import Iterator

_DEAREST = 100
_ESCAPED = frozenset("&<>\"'")


def weight(text: str, *, most: int | None = None) -> int:
    """About how many bytes of a page the text takes; counting stops where it is more than `most`."""
    if text.isascii() and text.isprintable() and _ESCAPED.isdisjoint(text):
        return len(text)
    total = 0
    for character in text:
        total += _weight(character)
        if most is not None and total > most:
            break
    return total


def cut(text: str, most: int) -> tuple[str, int]:
    """As much of the text as fits, and how many characters are left out."""
    if len(text) * _DEAREST <= most:
        return text, 0
    total = 0
    for place, character in enumerate(text):
        total += _weight(character)
        if total > most:
            return text[:place], len(text) - place
    return text, 0


def pages(text: str, most: int) -> list[str]:
    """The text in pieces that fit a page each, at the ends of lines where one is near; at least one, though empty."""
    return list(_pieces(text, most)) or [""]


def share(texts: int, *, of: int = 40_000) -> int:
    """What each of so many texts may take of a page that has so much room for all of them."""
    return min(4_000, max(300, of // max(texts, 1)))


def _pieces(text: str, most: int) -> Iterator[str]:
    while text:
        piece, left = cut(text, most)
        end = piece.rfind("\n") + 1 if left else 0
        piece = (piece[:end] if end > len(piece) // 2 else piece) or text[:1]
        yield piece
        text = text[len(piece) :]


def _weight(character: str) -> int:
    if character in _ESCAPED:
        return 6
    if " " <= character <= "~" or character in "\n\t":
        return 1
    return 4 if character.isalnum() else _DEAREST
