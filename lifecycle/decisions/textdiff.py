"""What changed between two sets of files, line by line and, within a changed line, word by word.

Built on difflib. Comparing is bounded whatever somebody wrote to make it slow: where too many lines or words are alike,
the stretch is shown as taken out and put in as a whole, which is true and only says less.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import islice, zip_longest
from typing import Literal

LineKind = Literal["same", "changed", "removed", "added", "skipped"]
FileKind = Literal["added", "removed", "changed", "same"]
Block = tuple[str, int, int, int, int]
"""Tag, and where the stretch lies in the old and in the new, as difflib writes it."""

CONTEXT = 3
"""Unchanged lines that are shown around a change."""
MOST_ROWS = 3_000
MOST_ROWS_IN_ALL = 6_000
"""Rows told of one file, and of all; whoever wants the rest reads the file."""
MOST_WORK = 10_000_000
"""Steps of comparing that one call takes, a second or two at worst; see `_Comparing`."""
LEAST_IN_COMMON = 0.3
"""Lines that share less are two lines, and no change of one."""

_WORD = re.compile(r"\w+|\s+|[^\w\s]")


@dataclass(frozen=True)
class Piece:
    """A part of a line; `changed` parts stand out."""

    text: str
    changed: bool = False


@dataclass(frozen=True)
class Side:
    """A line in one of the two files, with its number from 1."""

    number: int
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Row:
    """One row of a side-by-side view. `skipped` counts the unchanged lines that a row stands for."""

    kind: LineKind
    old: Side | None = None
    new: Side | None = None
    skipped: int = 0


@dataclass(frozen=True)
class FileChange:
    """One file. `rows` is None where it is no text: then only its sizes are told. `cut`: there are more rows."""

    path: str
    kind: FileKind
    rows: tuple[Row, ...] | None
    old_bytes: int
    new_bytes: int
    added: int = 0
    removed: int = 0
    cut: bool = False


def files(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> tuple[FileChange, ...]:
    """Every file of either side, in the order of paths; unchanged ones are there with no rows to read."""
    comparing = _Comparing()
    return tuple(_file(path, old.get(path), new.get(path), comparing) for path in sorted({*old, *new}))


def _file(path: str, old: bytes | None, new: bytes | None, comparing: _Comparing) -> FileChange:
    sizes = (len(old or b""), len(new or b""))
    kind: FileKind = "added" if old is None else "removed" if new is None else "same" if old == new else "changed"
    before, after = _text(old or b""), _text(new or b"")
    if before is None or after is None:
        return FileChange(path, kind, None, *sizes)
    if kind == "same":
        return FileChange(path, kind, (), *sizes)
    old_lines, new_lines = _lines(before), _lines(after)
    blocks = comparing.blocks(old_lines, new_lines)
    most = min(MOST_ROWS, comparing.rows_left)
    rows = tuple(islice(_rows(old_lines, new_lines, blocks, comparing), most + 1))
    comparing.rows_left -= min(len(rows), most)
    changes = [block for block in blocks if block[0] != "equal"]
    return FileChange(
        path,
        kind,
        rows[:most],
        *sizes,
        added=sum(j2 - j1 for _, _, _, j1, j2 in changes),
        removed=sum(i2 - i1 for _, i1, i2, _, _ in changes),
        cut=len(rows) > most,
    )


def _rows(old: Sequence[str], new: Sequence[str], blocks: Sequence[Block], comparing: _Comparing) -> Iterator[Row]:
    for at, (tag, i1, i2, j1, j2) in enumerate(blocks):
        if tag == "equal":
            yield from _same(old, i1, i2, j1, lead=at > 0, trail=at < len(blocks) - 1)
        else:
            yield from _replaced(old[i1:i2], new[j1:j2], i1, j1, comparing)


def _text(content: bytes) -> str | None:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _lines(text: str) -> list[str]:
    """Split at line feeds alone: every other separator is a character that a reader should see."""
    found = text.split("\n")
    return found[:-1] if found[-1] == "" else found


def _same(before: Sequence[str], i1: int, i2: int, j1: int, *, lead: bool, trail: bool) -> Iterator[Row]:
    """An unchanged stretch: what is next to a change, and a row that counts the rest."""
    head = CONTEXT if lead else 0
    tail = CONTEXT if trail else 0
    length = i2 - i1
    if length <= head + tail + 1:
        head, tail = length, 0
    shown = [*range(head), None, *range(length - tail, length)]
    for at in shown:
        if at is None:
            if length > head + tail:
                yield Row("skipped", skipped=length - head - tail)
            continue
        pieces = (Piece(before[i1 + at]),)
        yield Row("same", Side(i1 + at + 1, pieces), Side(j1 + at + 1, pieces))


def _replaced(old: Sequence[str], new: Sequence[str], i1: int, j1: int, comparing: _Comparing) -> Iterator[Row]:
    """A changed stretch: lines in pairs while they have enough in common, what is left on a row of its own."""
    for at, (before, after) in enumerate(zip_longest(old, new)):
        if before is None:
            yield Row("added", None, Side(j1 + at + 1, (Piece(after, True),)))
        elif after is None:
            yield Row("removed", Side(i1 + at + 1, (Piece(before, True),)), None)
        else:
            left, right = _words(before, after, comparing)
            yield Row("changed", Side(i1 + at + 1, left), Side(j1 + at + 1, right))


def _words(old: str, new: str, comparing: _Comparing) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    before, after = _WORD.findall(old), _WORD.findall(new)
    blocks = comparing.blocks(before, after)
    common = sum(len("".join(before[i1:i2])) for tag, i1, i2, _, _ in blocks if tag == "equal")
    if common < LEAST_IN_COMMON * max(len(old), len(new)):
        return (Piece(old, True),), (Piece(new, True),)
    left = tuple(Piece("".join(before[i1:i2]), tag != "equal") for tag, i1, i2, _, _ in blocks if i2 > i1)
    right = tuple(Piece("".join(after[j1:j2]), tag != "equal") for tag, _, _, j1, j2 in blocks if j2 > j1)
    return left, right


class _Comparing:
    """difflib's opcodes while there is work left for them.

    What two texts begin and end with is taken off first. For the middle, difflib looks at each pair of equal items once
    for each block that it finds: the product of the two is the most work that there can be.
    """

    def __init__(self) -> None:
        self.rows_left = MOST_ROWS_IN_ALL
        self._left = MOST_WORK

    def blocks(self, old: Sequence[str], new: Sequence[str]) -> list[Block]:
        start = _in_common(old, new)
        end = min(_in_common(old[::-1], new[::-1]), min(len(old), len(new)) - start)
        middle_old, middle_new = old[start : len(old) - end], new[start : len(new) - end]
        found: list[Block] = [("equal", 0, start, 0, start)] if start else []
        if middle_old or middle_new:
            opcodes = self._opcodes(middle_old, middle_new)
            found += [(tag, i1 + start, i2 + start, j1 + start, j2 + start) for tag, i1, i2, j1, j2 in opcodes]
        if end:
            found.append(("equal", len(old) - end, len(old), len(new) - end, len(new)))
        return found

    def _opcodes(self, old: Sequence[str], new: Sequence[str]) -> Sequence[Block]:
        counts = Counter(item for item in new if not _blank(item))
        pairs = sum(counts[item] for item in old)
        work = pairs * min(len(old), len(new), pairs)
        if work > self._left:
            return [("replace", 0, len(old), 0, len(new))]
        self._left -= work
        return SequenceMatcher(_blank, old, new, autojunk=False).get_opcodes()


def _in_common(old: Sequence[str], new: Sequence[str]) -> int:
    """How many items both begin with."""
    for at, (one, other) in enumerate(zip(old, new, strict=False)):
        if one != other:
            return at
    return min(len(old), len(new))


def _blank(item: str) -> bool:
    """What is everywhere starts no match; it is taken along where its neighbours match."""
    return not item.strip()
