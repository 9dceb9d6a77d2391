"""Regular expressions that strangers write, searched in time linear in the text, whatever the pattern.

`re` goes back and tries again, which one pattern in a thousand turns into hours. This is the other classic way (K.
Thompson, "Regular Expression Search Algorithm", 1968): all the places in the pattern that the text so far can have
led to are carried along at once, and each set of places that was met is remembered. `re` only judges single
characters here.

The syntax is what all engines share: literals, `.`, classes, `\\d \\w \\s \\b` and their opposites, `^ $`, groups,
`|`, the counts `* + ? {n} {n,} {n,m}`, and `(?i)` in front. `$` is the very end. Backreferences and looking around
cannot be had in linear time; repetition within repetition could, but is refused, so that a pattern is safe wherever
else it may be run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

LONGEST_PATTERN = 200
LONGEST_TEXT = 10_000
_LARGEST_COUNT = 100
_MOST_PLACES = 250
_MOST_REMEMBERED = 10_000

_SIGNS: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_COUNT = re.compile(r"\{([0-9]+)(?:(,)([0-9]*))?\}")
_IN_CLASS = re.compile(r"\[\^?\]?(?:[^\]\\]|\\.)*\]", re.DOTALL)
_SINGLE_ESCAPES = frozenset("dDwWsStnrfv")
_BOUNDARIES = {"b": True, "B": False}

Sees = Callable[[str], object]
# What stands on either side of a place between two characters.
_EDGE, _WORD, _OTHER = 0, 1, 2


class BadPattern(ValueError):
    """A pattern that cannot be used, with a sentence."""


@dataclass(frozen=True)
class _Piece:
    """A part of the syntax tree: what it is, and its parts. `low` and `high` are the counts of a repetition."""

    kind: str
    parts: tuple[_Piece, ...] = ()
    sees: Sees | None = None
    low: int = 0
    high: int | None = 0

    def varies(self) -> bool:
        """Whether it holds a repetition of unknown length."""
        return (self.kind == "repeat" and self.low != self.high) or any(part.varies() for part in self.parts)


@dataclass(eq=False)
class Pattern:
    """A compiled pattern; `compiled` makes one."""

    _places: list[tuple[str, int, int, Sees | None]]
    _first: int
    _steps: dict[tuple[frozenset[int], int, str], tuple[frozenset[int], bool]] = field(default_factory=dict)

    def search(self, text: str) -> bool:
        """Whether it occurs in the first `LONGEST_TEXT` characters."""
        here, before = frozenset([self._first]), _EDGE
        for character in text[:LONGEST_TEXT]:
            step = self._steps.get((here, before, character))
            if step is None:
                if len(self._steps) >= _MOST_REMEMBERED:
                    self._steps.clear()
                step = self._steps[here, before, character] = self._step(here, before, character)
            here, found = step
            if found:
                return True
            before = _kind(character)
        if len(text) > LONGEST_TEXT:
            return self._reached(here, before, _kind(text[LONGEST_TEXT]))[1]
        return self._reached(here, before, _EDGE)[1]

    def _step(self, here: frozenset[int], before: int, character: str) -> tuple[frozenset[int], bool]:
        """The places after one more character, the start among them, for a match may begin anywhere."""
        waiting, found = self._reached(here, before, _kind(character))
        if found:
            return here, True
        after = {self._first}
        for place in waiting:
            _, follower, _, sees = self._places[place]
            if sees is not None and sees(character):
                after.add(follower)
        return frozenset(after), False

    def _reached(self, here: Iterable[int], before: int, behind: int) -> tuple[set[int], bool]:
        """The places that wait for a character, and whether the end of the pattern can be reached without one."""
        waiting: set[int] = set()
        seen: set[int] = set()
        stack = list(here)
        while stack:
            place = stack.pop()
            if place in seen:
                continue
            seen.add(place)
            kind, one, other, sees = self._places[place]
            if kind == "end":
                return waiting, True
            if sees is not None:
                waiting.add(place)
            elif kind == "fork":
                stack += (one, other)
            elif _holds(kind, before, behind):
                stack.append(one)
        return waiting, False


def compiled(text: str) -> Pattern:
    """Read a pattern. Raises BadPattern with a sentence for what is refused."""
    if not text:
        raise BadPattern("The pattern is empty, and would be found everywhere.")
    if len(text) > LONGEST_PATTERN:
        raise BadPattern(f"A pattern has at most {LONGEST_PATTERN} characters.")
    ignore_case = text.startswith("(?i)")
    tree = _Reader(text, 4 if ignore_case else 0, re.IGNORECASE if ignore_case else re.NOFLAG).everything()
    places: list[tuple[str, int, int, Sees | None]] = [("end", 0, 0, None)]
    return Pattern(places, _lay(tree, 0, places))


def _lay(piece: _Piece, follower: int, places: list[tuple[str, int, int, Sees | None]]) -> int:
    """Lay a piece out as places that end in `follower`; answers where it begins."""

    def place(kind: str, one: int, other: int = 0, sees: Sees | None = None) -> int:
        if len(places) >= _MOST_PLACES:
            raise BadPattern("The pattern is too large once its counts are written out; use smaller counts.")
        places.append((kind, one, other, sees))
        return len(places) - 1

    if piece.kind == "sequence":
        for part in reversed(piece.parts):
            follower = _lay(part, follower, places)
        return follower
    if piece.kind == "choice":
        first = _lay(piece.parts[-1], follower, places)
        for part in reversed(piece.parts[:-1]):
            first = place("fork", _lay(part, follower, places), first)
        return first
    if piece.kind == "repeat":
        (body,) = piece.parts
        if piece.high is None:
            again = place("fork", 0, follower)
            places[again] = ("fork", _lay(body, again, places), follower, None)
            follower = again
        else:
            after = follower
            for _ in range(piece.high - piece.low):
                follower = place("fork", _lay(body, follower, places), after)
        for _ in range(piece.low):
            follower = _lay(body, follower, places)
        return follower
    return place(piece.kind, follower, 0, piece.sees)


@dataclass
class _Reader:
    """Reads the text from left to right into pieces."""

    text: str
    at: int
    flags: re.RegexFlag
    depth: int = 0

    def everything(self) -> _Piece:
        found = self.choice()
        if self.at < len(self.text):
            raise BadPattern(f"There is a `)` too many, at character {self.at + 1}.")
        return found

    def choice(self) -> _Piece:
        parts = [self.sequence()]
        while self.peek() == "|":
            self.at += 1
            parts.append(self.sequence())
        return parts[0] if len(parts) == 1 else _Piece("choice", tuple(parts))

    def sequence(self) -> _Piece:
        parts: list[_Piece] = []
        while self.peek() not in ("", "|", ")"):
            parts.append(self.counted(self.atom()))
        return _Piece("sequence", tuple(parts))

    def counted(self, atom: _Piece) -> _Piece:
        """The atom with the count behind it, if there is one."""
        low, high = self.count()
        if (low, high) == (1, 1):
            return atom
        if atom.kind in ("^", "$", *_BOUNDARIES):
            raise BadPattern("An anchor cannot be repeated.")
        if high != 1 and atom.varies():
            raise BadPattern(
                "A repetition within a repetition is refused, as in `(a+)+`: such patterns can run for hours."
            )
        if self.peek() == "?":
            self.at += 1  # lazy or greedy finds the same texts
        if self.peek() in _SIGNS or _COUNT.match(self.text, self.at):
            raise BadPattern(f"Two counts follow each other, at character {self.at + 1}.")
        return _Piece("repeat", (atom,), low=low, high=high)

    def count(self) -> tuple[int, int | None]:
        sign = self.peek()
        if sign in _SIGNS:
            self.at += 1
            return _SIGNS[sign]
        read = _COUNT.match(self.text, self.at)
        if read is None:
            return 1, 1
        self.at = read.end()
        if max(len(read[1]), len(read[3] or "")) > 3:
            raise BadPattern(f"A count is at most {_LARGEST_COUNT}.")
        low = int(read[1])
        high = low if read[2] is None else int(read[3]) if read[3] else None
        if high is not None and (high < low or high == 0):
            raise BadPattern(f"The count {read[0]} can never be met.")
        if max(low, high or 0) > _LARGEST_COUNT:
            raise BadPattern(f"A count is at most {_LARGEST_COUNT}.")
        return low, high

    def atom(self) -> _Piece:
        sign = self.text[self.at]
        if sign == "(":
            return self.group()
        if sign == "[":
            return self.klass()
        if sign == "\\":
            return self.escape()
        if sign in "*+?{":
            raise BadPattern(
                f"There is nothing to repeat at character {self.at + 1}; write \\{sign} for the sign itself."
            )
        self.at += 1
        if sign in "^$":
            return _Piece(sign)
        return self.single("." if sign == "." else re.escape(sign))

    def group(self) -> _Piece:
        self.at += 1
        if self.text.startswith("?:", self.at):
            self.at += 2
        elif self.peek() == "?":
            raise BadPattern(
                "Looking around, named groups and flags within a pattern are refused; use (…), (?:…) or |."
            )
        self.depth += 1
        if self.depth > 10:
            raise BadPattern("Groups are nested at most ten deep.")
        inside = self.choice()
        if self.peek() != ")":
            raise BadPattern("A group is not closed: a `)` is missing.")
        self.at += 1
        self.depth -= 1
        return inside

    def klass(self) -> _Piece:
        read = _IN_CLASS.match(self.text, self.at)
        if read is None:
            raise BadPattern("A class is not closed: a `]` is missing.")
        inside = read[0][1:-1]
        if re.search(r"(?<!\\)\[|--|&&|\|\||~~", inside):
            raise BadPattern("Within a class, put a \\ before [, and do not double -, &, | or ~.")
        for escaped in re.findall(r"\\(.)", inside, re.DOTALL):
            if escaped.isalnum() and escaped not in _SINGLE_ESCAPES:
                raise BadPattern(f"Within a class, \\{escaped} is not supported.")
        self.at = read.end()
        return self.single(read[0])

    def escape(self) -> _Piece:
        escaped = self.text[self.at + 1 : self.at + 2]
        self.at += 2
        if escaped in _BOUNDARIES:
            return _Piece(escaped)
        if escaped.isdigit():
            raise BadPattern("Backreferences are refused: they cannot be searched in bounded time.")
        if not escaped or (escaped.isalnum() and escaped not in _SINGLE_ESCAPES):
            raise BadPattern(f"\\{escaped} is not supported.")
        return self.single(f"\\{escaped}" if escaped.isalnum() else re.escape(escaped))

    def single(self, source: str) -> _Piece:
        try:
            return _Piece("one", sees=re.compile(source, self.flags).fullmatch)
        except re.error as error:
            raise BadPattern(f"{source} cannot be read: {error.msg}.") from None

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]


def _kind(character: str) -> int:
    return _WORD if character.isalnum() or character == "_" else _OTHER


def _holds(kind: str, before: int, behind: int) -> bool:
    """Whether an anchor holds between two characters."""
    if kind == "^":
        return before == _EDGE
    if kind == "$":
        return behind == _EDGE
    return ((before == _WORD) != (behind == _WORD)) is _BOUNDARIES[kind]
