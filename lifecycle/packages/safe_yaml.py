"""YAML from strangers, read with bounds: nothing is built before its size, depth and aliases are known to be small.

The value is made from the parser's event stream, so that a document which unfolds into gigabytes is refused at the
event that would do so. Scalars follow the core schema of YAML 1.2, which is JSON's: `yes`, `on` and `1:30` are text,
a date stays text, and every key is text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from lifecycle.packages.documents import MAX_DEPTH, Document, Place, Unreadable, finite, storable

MAX_CHARACTERS = 256 * 1024
MAX_NODES = 20_000
MAX_ALIASED_NODES = 1_000
MAX_DIGITS = 100

# libyaml's parser where the wheel has it, else the slower one in Python; both give the same events.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEXT_TAG = "tag:yaml.org,2002:str"
_NULL = re.compile(r"(~|null|Null|NULL)?")
_BOOLEANS = {word: value for value in (True, False) for word in (str(value), str(value).lower(), str(value).upper())}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def load(text: str, path: str, *, scalars_as_text: bool = False) -> Document:
    """Reads one YAML document; raises Unreadable. With `scalars_as_text`, `1.0` and `true` stay as they are written."""
    if len(text) > MAX_CHARACTERS:
        raise Unreadable(f"The file has {len(text):,} characters; a YAML file may have {MAX_CHARACTERS:,}.")
    try:
        builder = _Builder(yaml.parse(text, Loader=_Loader), scalars_as_text=scalars_as_text)
        return Document(path=path, value=builder.document(), lines=builder.lines)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "it cannot be read"
        raise Unreadable(f"This is not valid YAML: {problem}.", mark.line + 1 if mark else None) from None
    except (yaml.YAMLError, ValueError):
        raise Unreadable("This is not valid YAML: it contains a character that YAML does not allow.") from None


class _Builder:
    """One pass over the events. `lines` and the count of nodes grow as the value does."""

    def __init__(self, events: Iterator[Any], *, scalars_as_text: bool) -> None:
        self.lines: dict[Place, int] = {}
        self._events = events
        self._scalars_as_text = scalars_as_text
        self._nodes = 0
        self._aliased = 0
        self._anchors: dict[str, tuple[Any, int]] = {}

    def document(self) -> Any:
        next(self._events)  # the stream's start
        event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            return None
        value = self._value(next(self._events), ())
        next(self._events)  # the document's end
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise Unreadable("The file holds more than one YAML document; put everything into one.", _line(after))
        return value

    def _value(self, event: Any, place: Place) -> Any:
        self.lines.setdefault(place, _line(event))
        self._count(event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if len(place) >= MAX_DEPTH and not isinstance(event, yaml.ScalarEvent):
            raise Unreadable(f"It is nested more than {MAX_DEPTH} levels deep.", _line(event))
        before = self._nodes + self._aliased
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event)
        elif event.tag is not None:
            raise Unreadable(f"The tag {event.tag!r} is not allowed; write plain values.", _line(event))
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(place)
        else:
            value = self._mapping(place)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, 1 + self._nodes + self._aliased - before)
        return value

    def _sequence(self, place: Place) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._value(event, (*place, len(items))))
        return items

    def _mapping(self, place: Place) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise Unreadable("A key must be plain text.", _line(event))
            self._count(event)
            key = self._text(event)
            if key == "<<" and event.implicit[0]:
                raise Unreadable("Merge keys (<<) are not supported; write the keys out.", _line(event))
            if key in entries:
                raise Unreadable(f"The key {key[:80]!r} appears twice in one mapping.", _line(event))
            self.lines[(*place, key)] = _line(event)
            entries[key] = self._value(next(self._events), (*place, key))
        return entries

    def _alias(self, event: Any) -> Any:
        if event.anchor not in self._anchors:
            raise Unreadable(
                f"The alias *{event.anchor[:80]} refers to nothing that is complete before it.", _line(event)
            )
        value, nodes = self._anchors[event.anchor]
        self._aliased += nodes
        if self._aliased > MAX_ALIASED_NODES:
            raise Unreadable("Its aliases unfold into too many values; write them out.", _line(event))
        return value

    def _scalar(self, event: Any) -> Any:
        text = self._text(event)
        if self._scalars_as_text or not event.implicit[0] or event.tag == _TEXT_TAG:
            return text
        return _plain(text, _line(event))

    def _text(self, event: Any) -> str:
        if event.tag not in (None, _TEXT_TAG):
            raise Unreadable(f"The tag {event.tag!r} is not allowed; write plain values.", _line(event))
        if not storable(event.value):
            raise Unreadable("A text contains a character that cannot be stored (NUL or a surrogate).", _line(event))
        return str(event.value)

    def _count(self, event: Any) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise Unreadable(f"It holds more than {MAX_NODES:,} values.", _line(event))


def _plain(text: str, line: int) -> Any:
    if _NULL.fullmatch(text):
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _NOT_FINITE.fullmatch(text):
        raise Unreadable(f"{text} is not a number that JSON knows.", line)
    for pattern, convert in (
        (_INTEGER, int),
        (_OCTAL, lambda digits: int(digits, 8)),
        (_HEXADECIMAL, lambda digits: int(digits, 16)),
        (_FLOAT, float),
    ):
        if pattern.fullmatch(text):
            if len(text) > MAX_DIGITS or not finite(number := convert(text)):
                raise Unreadable("A number is too large; put it in quotes if it is meant as text.", line)
            return number
    return text


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1
