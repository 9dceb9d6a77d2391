"""Whether a JSON Schema may be used here: well-formed, of a draft we know, and closed in itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

import jsonschema

# Any: the classes take a format_checker here, which their protocol does not mention.
_DRAFTS: Mapping[str, Any] = {
    "https://json-schema.org/draft/2020-12/schema": jsonschema.Draft202012Validator,
    "http://json-schema.org/draft-07/schema": jsonschema.Draft7Validator,
}
_DEFAULT = "https://json-schema.org/draft/2020-12/schema"
# Under these, a "$ref" is data and no reference.
_DATA = frozenset({"const", "enum", "default", "examples"})
# A schema under these judges the same value again, so that a circle through them never ends.
_SAME_VALUE = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas")
MAX_PARTS = 4_000


def problem(schema: Mapping[str, Any]) -> str | None:
    """The first thing wrong with the schema as a sentence, else None. Never raises and never fetches anything."""
    named = schema.get("$schema", _DEFAULT)
    validator = _DRAFTS.get(named.rstrip("#")) if isinstance(named, str) else None
    if validator is None:
        return f"$schema must name draft 2020-12 ({_DEFAULT}) or draft 7, not {str(named)[:100]!r}."
    if parts(schema) > MAX_PARTS:
        return f"The schema has more than {MAX_PARTS:,} parts; make it smaller."
    try:
        validator.check_schema(schema, format_checker=validator.FORMAT_CHECKER)
        return _reference_problem(schema)
    except jsonschema.SchemaError as error:
        where = "/".join(map(str, error.absolute_path))
        return f"The schema is not valid at /{where}: {error.message[:300]}."
    except RecursionError:
        return "The schema is nested too deeply, or its references form too long a chain."
    except OverflowError:
        return "A regular expression in the schema repeats too often."


def parts(schema: Mapping[str, Any]) -> int:
    """How many values it is made of: what checking it costs."""
    return sum(1 for _ in _nodes(schema))


def _nodes(value: Any) -> Iterator[Any]:
    """The value and everything in it."""
    waiting = [value]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, dict):
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


def _reference_problem(schema: Mapping[str, Any]) -> str | None:
    for reference in _references(schema):
        if not reference.startswith("#"):
            return f"$ref {reference[:100]!r} points outside the schema; copy what it needs into $defs."
        if (reference == "#" or reference.startswith("#/")) and _target(schema, reference) is None:
            return f"$ref {reference[:100]!r} points at nothing."
    return _circle(schema)


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _references(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in ("$ref", "$dynamicRef") and isinstance(item, str):
                yield item
            elif key not in _DATA:
                yield from _references(item)


def _target(schema: Mapping[str, Any], reference: str) -> Any:
    node: Any = schema
    for part in unquote(reference[1:]).split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(node, dict) and key in node:
            node = node[key]
        elif isinstance(node, list) and key.isdecimal() and int(key) < len(node):
            node = node[int(key)]
        else:
            return None
    return node


def _circle(schema: Mapping[str, Any]) -> str | None:
    """A reference that comes back to itself without going deeper into the value would be followed for ever."""
    done: set[int] = set()
    for start in _nodes(schema):
        if isinstance(start, dict) and "$ref" in start and _returns(schema, start, set(), done):
            return f"$ref {str(start['$ref'])[:100]!r} leads back to itself without going deeper into the value."
    return None


def _returns(schema: Mapping[str, Any], node: Any, path: set[int], done: set[int]) -> bool:
    if not isinstance(node, dict) or id(node) in done:
        return False
    if id(node) in path:
        return True
    path.add(id(node))
    found = any(_returns(schema, after, path, done) for after in _same_value(schema, node))
    path.remove(id(node))
    done.add(id(node))
    return found


def _same_value(schema: Mapping[str, Any], node: Mapping[str, Any]) -> Iterator[Any]:
    for key in ("$ref", "$dynamicRef"):
        if isinstance(reference := node.get(key), str) and reference.startswith("#"):
            yield _target(schema, reference)
    for key in _SAME_VALUE:
        value = node.get(key)
        if isinstance(value, dict) and key == "dependentSchemas":
            yield from value.values()
        else:
            yield from value if isinstance(value, list) else [value]
