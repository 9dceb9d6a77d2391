"""Read JSON strictly: what we could not store or show is refused at the door, with a code and a place.

Refused are broken UTF-8 and lone surrogates, NaN and infinities, NUL characters (PostgreSQL cannot store them),
integers beyond 64 bits and nesting deeper than MAX_DEPTH; only a body that could hold one of these is walked in Python.
So are keys that appear twice in one object, and a body that is cut off.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from django.http import HttpRequest
from django.utils.datastructures import MultiValueDict
from ninja.parser import Parser
from pydantic_core import from_json

from donna_skills.errors import DonnaError, FieldError, Invalid

MAX_DEPTH = 50
_INT64 = 2**63
# A number long enough, or with an exponent large enough, to fall outside of what is stored.
_SUSPECT_NUMBER = re.compile(rb"\d{19}|\d[eE]\+?\d{3}")


def parse_json(raw: bytes) -> Any:
    """The value in a JSON text; raises Invalid with the code `malformed_json`, or with what else is wrong with it."""
    try:
        value = from_json(raw, allow_inf_nan=False)
    except ValueError as broken:
        raise _refusal(str(broken)) from None
    _unique_keys.decode(raw.decode())
    if _is_suspect(raw):
        _check(value)
    return value


def whole_body(request: HttpRequest) -> bytes:
    """The body, as long as its Content-Length says: the server hands over what came when a connection ends too soon."""
    if len(request.body) < int(request.META.get("CONTENT_LENGTH") or 0):
        raise DonnaError("The body ended before its Content-Length; nothing was changed.", code="bad_request")
    return request.body


class StrictParser(Parser):
    """What django-ninja reads bodies and query strings with."""

    def parse_body(self, request: HttpRequest) -> Any:
        return parse_json(whole_body(request))

    def parse_querydict(
        self, data: MultiValueDict[str, Any], list_fields: list[str], request: HttpRequest
    ) -> dict[str, Any]:
        found = super().parse_querydict(data, list_fields, request)
        for name, value in found.items():
            _check(value, path=name)
        return found


def _refusal(reason: str) -> Invalid:
    if "recursion limit" in reason:
        return Invalid(f"The JSON is nested deeper than {MAX_DEPTH} levels.", code="too_deep")
    if "number out of range" in reason:
        return Invalid(f"The JSON holds a number that is too large: {reason}.", code="number_out_of_range")
    return Invalid(f"The body is not valid JSON: {reason}.", code="malformed_json")


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise Invalid(f"The key {twice[:80]!r} appears twice in one object.", code="duplicate_key")
    return found


# Run over what is valid already, so numbers need not be read again.
_unique_keys = json.JSONDecoder(object_pairs_hook=_mapping, parse_int=str, parse_float=str, strict=False)


def _is_suspect(raw: bytes) -> bool:
    could_be_deep = raw.count(b"[") + raw.count(b"{") > MAX_DEPTH
    return could_be_deep or b"\\u0000" in raw or _SUSPECT_NUMBER.search(raw) is not None


def _check(value: Any, path: str = "") -> None:
    """Walk without recursion, since depth is one of the things to find out."""
    waiting = [(value, path, 0)]
    while waiting:
        item, where, depth = waiting.pop()
        if isinstance(item, str) and "\x00" in item:
            raise _at(where, "nul_character", "holds a NUL character, which cannot be stored")
        if isinstance(item, int) and not -_INT64 <= item < _INT64:
            raise _at(where, "number_out_of_range", "holds an integer beyond 64 bits; send it as a string")
        if isinstance(item, float) and not math.isfinite(item):
            raise _at(where, "number_out_of_range", "holds a number too large for a float; send it as a string")
        if not isinstance(item, dict | list):
            continue
        if depth == MAX_DEPTH:
            raise Invalid(f"The JSON is nested deeper than {MAX_DEPTH} levels.", code="too_deep")
        if isinstance(item, list):
            waiting += [(inner, f"{where}.{index}".lstrip("."), depth + 1) for index, inner in enumerate(item)]
            continue
        for key, inner in item.items():
            if "\x00" in key:
                raise _at(where, "nul_character", "has a key with a NUL character, which cannot be stored")
            waiting.append((inner, f"{where}.{key}".lstrip("."), depth + 1))


def _at(path: str, code: str, what: str) -> Invalid:
    sentence = f"{path or 'The value'} {what}."
    return Invalid(sentence, code=code, errors=[FieldError(path, sentence, code)])
