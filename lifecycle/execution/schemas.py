"""JSON Schema (2020-12 and draft 7) for schemas and values that nobody vouches for.

`$ref` stays inside the schema: nothing is ever fetched. Patterns are matched with a time limit, and a validation has an
allowance of keyword checks, because a short schema can ask for more work than the age of the universe allows.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import jsonschema_specifications
import referencing.exceptions
import regex
from jsonschema.exceptions import SchemaError, ValidationError

from . import canonical

MAX_PROBLEMS = 20
MAX_SCHEMA_CHARACTERS = 200_000
MAX_PATTERN = 500
PATTERN_TIME_S = 0.2
CHECKS = 300_000
"""Keyword checks in one validation: some seconds at most, where an honest one needs some thousands."""

_DRAFTS: Mapping[str, Any] = {
    "https://json-schema.org/draft/2020-12/schema": jsonschema.Draft202012Validator,
    "http://json-schema.org/draft-07/schema": jsonschema.Draft7Validator,
}
_left: ContextVar[list[int]] = ContextVar("checks_left")
_FORMATS = jsonschema.FormatChecker(formats=())


class _TooMuch(Exception):
    """The allowance is used up, or a pattern took too long."""


def problems(instance: Any, schema: Mapping[str, Any] | bool) -> list[tuple[str, str]]:
    """What is wrong with the instance, as (JSON Pointer, sentence), at most MAX_PROBLEMS; an empty list: nothing.

    A schema that cannot be used is a problem of the whole ("") too: no value matches it.
    """
    try:
        spelled = _spelled(schema)
        wrong = _schema_problem(spelled)
    except (TypeError, ValueError, RecursionError):
        wrong = schema_problem(schema)
    if wrong is not None:
        return [("", wrong)]
    validator = _validator(spelled)
    _left.set([CHECKS])
    found: list[tuple[str, str]] = []
    try:
        for error in validator.iter_errors(instance):
            found.append((_pointer(error.absolute_path), _sentence(error.message)))
            if len(found) >= MAX_PROBLEMS:
                break
    except _TooMuch as error:
        found.append(("", str(error)))
    except RecursionError:
        found.append(("", "The schema or the value is nested too deeply."))
    except referencing.exceptions.Unresolvable as error:
        found.append(("", f"The schema refers to {str(error.ref)[:200]!r}, which it does not hold."))
    return found


def schema_problem(schema: Any) -> str | None:
    """Why the schema cannot be used, as a sentence, else None."""
    try:
        return _schema_problem(_spelled(schema))
    except (TypeError, ValueError, RecursionError):
        return "The schema is not JSON, or is nested too deeply."


@lru_cache(maxsize=256)
def _schema_problem(spelled: str) -> str | None:
    if len(spelled) > MAX_SCHEMA_CHARACTERS:
        return f"The schema is longer than {MAX_SCHEMA_CHARACTERS} characters."
    schema = json.loads(spelled)
    if not isinstance(schema, dict | bool):
        return "A schema is an object, or true or false."
    draft = _draft(schema)
    if draft is None:
        named = schema["$schema"] if isinstance(schema, dict) else ""
        return f"The schema's $schema {str(named)[:200]!r} is neither 2020-12 nor draft 7."
    if '"unevaluatedProperties":' in spelled and '"patternProperties":' in spelled:
        return "A schema cannot use unevaluatedProperties together with patternProperties here."
    try:
        draft.check_schema(schema)
    except SchemaError as error:
        return _sentence(f"At {_pointer(error.absolute_path) or 'its root'} the schema is not valid: {error.message}")
    except (RecursionError, OverflowError):
        return "The schema is nested too deeply."
    return None


@lru_cache(maxsize=256)
def _validator(spelled: str) -> Any:
    schema = json.loads(spelled)
    plain = _draft(schema)
    bounded: Mapping[str, Callable[..., Any]] = {
        **plain.VALIDATORS,
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
        "uniqueItems": _unique_items,
    }
    metered = {name: _metered(name, check) for name, check in bounded.items()}
    extend: Callable[..., Any] = jsonschema.validators.extend
    kind = extend(plain, metered)
    return kind(schema, registry=jsonschema_specifications.REGISTRY, format_checker=_FORMATS)


def _spelled(schema: Any) -> str:
    return json.dumps(schema, ensure_ascii=True, allow_nan=False, separators=(",", ":"), default=_as_dict)


def _as_dict(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError("not JSON")


def _draft(schema: Any) -> Any:
    if isinstance(schema, bool) or "$schema" not in schema:
        return jsonschema.Draft202012Validator
    return _DRAFTS.get(str(schema["$schema"]).rstrip("#"))


def _pointer(path: Any) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)[:500]


def _sentence(message: str) -> str:
    return (message if message.endswith(".") else f"{message}.")[:400]


# -- keywords with bounds --------------------------------------------------------------------------------------------


def _metered(name: str, check: Callable[..., Any]) -> Callable[..., Any]:
    cost = 10 if name in ("$ref", "$dynamicRef") else 1  # looking a reference up takes about as long as ten checks

    def metered(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        left = _left.get()
        left[0] -= cost
        if left[0] < 0:
            raise _TooMuch("Checking the value against the schema takes too much work.")
        yield from check(validator, value, instance, schema) or ()

    return metered


def _matches(pattern: str, text: str) -> bool:
    if len(pattern) > MAX_PATTERN:
        raise _TooMuch(f"The pattern {pattern[:60]!r}… is longer than {MAX_PATTERN} characters.")
    try:
        return regex.search(pattern, text, timeout=PATTERN_TIME_S) is not None
    except TimeoutError:
        raise _TooMuch(f"The pattern {pattern[:60]!r} takes too long.") from None
    except (regex.error, RecursionError, OverflowError):
        raise _TooMuch(f"The pattern {pattern[:60]!r} cannot be understood.") from None


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not _matches(pattern, instance):
        yield ValidationError(f"{instance[:100]!r} does not match {pattern!r}")


def _pattern_properties(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    for pattern, subschema in wanted.items():
        for name, value in instance.items():
            if _matches(pattern, name):
                yield from validator.descend(value, subschema, path=name, schema_path=pattern)


def _additional_properties(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    extras = [name for name in instance if name not in known and not any(_matches(each, name) for each in patterns)]
    if isinstance(wanted, dict):
        for name in extras:
            yield from validator.descend(instance[name], wanted, path=name)
    elif wanted is False and extras:
        named = ", ".join(repr(name[:60]) for name in extras[:5])
        yield ValidationError(f"{named} may not be there: additional properties are not allowed")


def _unique_items(validator: Any, wanted: bool, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if wanted and isinstance(instance, list):
        seen = {canonical.dumps(item) for item in instance}
        if len(seen) < len(instance):
            yield ValidationError("The items are not all different")


# -- formats ---------------------------------------------------------------------------------------------------------

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


@_FORMATS.checks("date", raises=ValueError)
def _date(value: object) -> bool:
    return not isinstance(value, str) or bool(_DATE.fullmatch(value) and dt.date.fromisoformat(value))


@_FORMATS.checks("date-time", raises=ValueError)
def _date_time(value: object) -> bool:
    if not isinstance(value, str):
        return True
    if not _DATE_TIME.fullmatch(value):
        return False
    return bool(dt.datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", value.upper().replace(" ", "T"))))


@_FORMATS.checks("email")
def _email(value: object) -> bool:
    if not isinstance(value, str):
        return True
    local, _, domain = value.rpartition("@")
    if not 1 <= len(local) <= 64 or len(domain) > 253 or not _LOCAL.fullmatch(local):
        return False
    return all(_LABEL.fullmatch(label) for label in domain.split("."))


@_FORMATS.checks("uri", raises=ValueError)
def _uri(value: object) -> bool:
    if not isinstance(value, str):
        return True
    if not value.isascii() or re.search(r'[\s<>"{}|\\^`\x00-\x20\x7f]', value):
        return False
    parts = urlsplit(value)
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", parts.scheme):
        return False
    if parts.netloc and parts.netloc.rpartition("@")[2].startswith("["):
        ipaddress.IPv6Address(parts.hostname or "")
    _ = parts.port  # raises for a port that is no number
    return bool(parts.netloc or parts.path)
