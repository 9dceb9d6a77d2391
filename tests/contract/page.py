"""docs/api.md as a script: each request in it with the answer that it shows, and how the two are compared with life."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

ANYTHING = "…"
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_REQUEST = re.compile(r"(GET|POST|PATCH|PUT|DELETE) (/\S+)")
_STATUS = re.compile(r"(\d{3}) [A-Z]")
_NAME = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True)
class Message:
    """A request or an answer as the page shows it: first line, headers, body."""

    first: str
    line: int
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""


@dataclass(frozen=True)
class Example:
    method: str
    path: str
    status: int
    request: Message
    answer: Message


def text() -> str:
    return (settings.BASE_DIR / "docs" / "api.md").read_text(encoding="utf-8")


def blocks(language: str) -> Iterator[tuple[int, str]]:
    """The fenced blocks in one language, each with the line of the page on which it begins."""
    page = text()
    for found in _FENCE.finditer(page):
        if found[1] == language:
            yield page.count("\n", 0, found.start()) + 2, found[2]


def examples() -> list[Example]:
    """Requests and answers in pairs; an assertion fails where one stands alone."""
    messages = [_message(line, block) for line, block in blocks("http")]
    pairs = zip(messages[::2], messages[1::2], strict=True)
    return [_example(request, answer) for request, answer in pairs]


def filled(template: str, known: dict[str, str]) -> str:
    """The text with the placeholders' values in it. JSON bodies hold braces too; those are no names in lower case."""
    return _NAME.sub(lambda found: known.get(found[1], found[0]), template)


def differences(shown: Any, given: Any, known: dict[str, str], where: str = "") -> Iterator[str]:
    """What the page shows and life does not give. A placeholder that has no value yet takes the one given."""
    if shown == ANYTHING:
        return
    if isinstance(shown, dict) and isinstance(given, dict):
        for key, value in shown.items():
            if key not in given:
                yield f"{where}/{key} is missing"
            else:
                yield from differences(value, given[key], known, f"{where}/{key}")
    elif isinstance(shown, list) and isinstance(given, list):
        more = shown[-1:] == [ANYTHING]
        wanted = shown[:-1] if more else shown
        if len(given) < len(wanted) or (len(given) > len(wanted) and not more):
            yield f"{where} has {len(given)} items: {given}"
        for index, (one, other) in enumerate(zip(wanted, given, strict=False)):
            yield from differences(one, other, known, f"{where}/{index}")
    elif isinstance(shown, str) and isinstance(given, str):
        if not _same_text(shown, given, known):
            yield f"{where} is {given!r}, the page says {filled(shown, known)!r}"
    elif shown != given or type(shown) is not type(given):
        yield f"{where} is {given!r}, the page says {shown!r}"


def _same_text(shown: str, given: str, known: dict[str, str]) -> bool:
    """Whether the text is what is shown; what a new placeholder stands for is remembered."""
    pattern = re.escape(filled(shown, known)).replace(re.escape(ANYTHING), ".*")
    pattern = re.sub(r"\\\{([a-z_]+)\\\}", r"(?P<\1>.+)", pattern)
    found = re.fullmatch(pattern, given, re.DOTALL)
    if found:
        known.update(found.groupdict())
    return found is not None


def body_of(answer: Message) -> Any:
    return json.loads(answer.body) if answer.body else None


def _message(line: int, block: str) -> Message:
    head, _, body = block.partition("\n\n")
    first, *rest = head.strip().splitlines()
    headers = dict(header.split(": ", 1) for header in rest)
    return Message(first, line, headers, body.strip("\n"))


def _example(request: Message, answer: Message) -> Example:
    asked, said = _REQUEST.fullmatch(request.first), _STATUS.match(answer.first)
    assert asked, f"docs/api.md:{request.line} is no request: {request.first}"
    assert said, f"docs/api.md:{answer.line} is no answer: {answer.first}"
    return Example(asked[1], asked[2], int(said[1]), request, answer)
