"""A static scan of a package's files for what harms: it reads every file, runs nothing, and never asks a model.

A scan like this finds the known ways, not every way; it is one gate of several and replaces no reviewer. Each code
belongs to a risk of the OWASP Agentic Skills Top 10 (`OWASP`). The time grows with the size of the
files, whatever somebody wrote to make it slow.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from lifecycle.decisions.hiddentext import hidden, unescaped
from lifecycle.decisions.safetypatterns import EXFILTRATION, GUESSED_SECRET, PLACEHOLDER, REMOTE_CODE, SECRETS, Trail

OWASP = {
    "SAFETY_EXFILTRATION": "AST01 Malicious Skills",
    "SAFETY_HIDDEN_TEXT": "AST01 Malicious Skills",
    "SAFETY_REMOTE_CODE": "AST02 Supply Chain Compromise",
    "SAFETY_SECRET": "AST03 Over-Privileged Skills",
    "ALLOWED_TOOLS_POLICY_VIOLATION": "AST03 Over-Privileged Skills",
    "STATIC_DESCRIPTION_MISSING": "AST04 Insecure Metadata",
    "STATIC_FRONTMATTER_MISSING": "AST04 Insecure Metadata",
    "SAFETY_PATH_ESCAPE": "AST06 Weak Isolation",
    "SAFETY_MODEL_OVERRIDE_PRESENT": "AST09 No Governance",
}
"""Code -> the risk that it guards against."""

MAX_DANGERS = 20
GRAM = 8
_UNREAD_BY_MODELS = ("fixtures/",)
_DRIVE = re.compile(r"[A-Za-z]:")
_REFERENCE = re.compile(r"(?<![\w./\\-])(?:[\w.-]{1,60}[/\\]){1,30}")
_CONTINUED = re.compile(r"\\\r?\n")
_WORD = re.compile(r"[^\W_]+")
_MIN_ENTROPY = 3.5
_ESCAPING_SUFFIXES = (".json", ".jsonl", ".yaml", ".yml")


@dataclass(frozen=True)
class Danger:
    """One thing found: its code, the file, the line from 1 (None where it is the path itself) and a sentence."""

    code: str
    path: str
    line: int | None
    message: str

    @property
    def sentence(self) -> str:
        place = self.path if self.line is None else f"{self.path}:{self.line}"
        return f"{place}: {self.message}"


def scan(files: Mapping[str, bytes]) -> tuple[Danger, ...]:
    """Everything dangerous in the files (path relative to the package's root -> content), by path. Of each
    code, a file is told about MAX_DANGERS times at most in each reading. Never raises."""
    return tuple(dict.fromkeys(danger for path in sorted(files) for danger in _in_file(path, files[path])))


def leaks(files: Mapping[str, bytes], holdout: Mapping[str, str], canaries: Mapping[str, str]) -> tuple[Danger, ...]:
    """Holdout cases whose text stands in the instructions: any 8 words in a row of it, whatever their case and the
    punctuation between them, or its canary. A case of fewer than 8 words is found by its canary alone. Fixtures are not
    looked at, since no model is shown them."""
    instructions = {path: _text(content) for path, content in files.items() if not path.startswith(_UNREAD_BY_MODELS)}
    grams = {path: frozenset(_grams(text)) for path, text in sorted(instructions.items())}
    found = []
    for name, text in sorted(holdout.items()):
        wanted = set(_grams(text))
        for path, present in grams.items():
            if not wanted.isdisjoint(present):
                found.append(Danger("LEAK_HOLDOUT", path, None, f"Text of the holdout case {name} stands in it."))
    for name, canary in sorted(canaries.items()):
        for path, text in sorted(instructions.items()):
            if canary and canary in text:
                found.append(Danger("LEAK_HOLDOUT", path, None, f"The canary of the holdout case {name} is in it."))
    return tuple(found)


def _in_file(path: str, content: bytes) -> Iterator[Danger]:
    if problem := _path_problem(path):
        yield Danger("SAFETY_PATH_ESCAPE", path, None, problem)
    for _, name in hidden(path):
        yield Danger("SAFETY_HIDDEN_TEXT", path, None, f"Its name contains {name}.")
    text = _text(content)
    readings = {text: None, unescaped(text): None} if path.lower().endswith(_ESCAPING_SUFFIXES) else {text: None}
    for reading in readings:
        if not _is_binary(content):
            for line, name in islice(hidden(reading), MAX_DANGERS):
                yield Danger("SAFETY_HIDDEN_TEXT", path, line, f"It contains {name}, which a reader does not see.")
        for code, found in (
            ("SAFETY_PATH_ESCAPE", _climbs(reading, path.count("/"))),
            ("SAFETY_SECRET", _secrets(reading)),
            ("SAFETY_REMOTE_CODE", _trails(reading, REMOTE_CODE)),
            ("SAFETY_EXFILTRATION", _trails(reading, EXFILTRATION)),
        ):
            for place, message in islice(found, MAX_DANGERS):
                yield Danger(code, path, reading.count("\n", 0, place) + 1, message)


def _climbs(text: str, depth: int) -> Iterator[tuple[int, str]]:
    """References that leave the package, seen from a file that lies `depth` folders deep."""
    for found in _REFERENCE.finditer(text):
        if ".." not in found[0]:
            continue
        level = depth
        for segment in re.split(r"[/\\]", found[0])[:-1]:
            level += {"..": -1, ".": 0}.get(segment, 1)
            if level < 0:
                yield found.start(), "It refers to a file outside of the package."
                break


def _secrets(text: str) -> Iterator[tuple[int, str]]:
    for name, pattern in SECRETS:
        for found in pattern.finditer(text):
            if not PLACEHOLDER.search(found[0]):
                yield found.start(), f"It contains {name}."
    for found in GUESSED_SECRET.finditer(text):
        if _looks_random(found["value"]):
            yield found.start(), f"What stands behind the word {found['name'].lower()!r} looks like a secret."


def _trails(text: str, trails: Sequence[Trail]) -> Iterator[tuple[int, str]]:
    # A command that goes on on the next line is one command; as many characters, so that places stay what they are.
    joined = _CONTINUED.sub(lambda found: " " * len(found[0]), text)
    for trail in trails:
        yield from ((place, trail.message) for place in trail.starts(joined))


def _looks_random(value: str) -> bool:
    """Letters and digits mixed, no placeholder, and at least 3.5 bits of Shannon entropy a character."""
    if PLACEHOLDER.search(value) or not (any(map(str.isdigit, value)) and any(map(str.isalpha, value))):
        return False
    counts = Counter(value).values()
    return -sum(n / len(value) * math.log2(n / len(value)) for n in counts) >= _MIN_ENTROPY


def _path_problem(path: str) -> str | None:
    segments = path.replace("\\", "/").split("/")
    if path.startswith(("/", "\\", "~")) or _DRIVE.match(path):
        return "The path is absolute."
    if ".." in segments or "\0" in path:
        return "The path leaves the package."
    return None


def _is_binary(content: bytes) -> bool:
    """More than a twentieth of it is no text. A stray byte in a text file does not make it one that nobody reads."""
    text = content.decode("utf-8", "replace")
    return 20 * (text.count("\ufffd") + text.count("\0")) > len(text)


def _text(content: bytes) -> str:
    """As UTF-8; of a binary file its ASCII, without the NULs between the letters of UTF-16."""
    if _is_binary(content):
        return content.replace(b"\0", b"").decode("ascii", "replace")
    return content.decode("utf-8", "replace")


def _grams(text: str) -> Iterator[tuple[str, ...]]:
    words = _WORD.findall(text.casefold())
    return (tuple(words[start : start + GRAM]) for start in range(len(words) - GRAM + 1))
