"""A form made from a capability's input schema, and the inputs read back from it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from donna_skills.errors import FieldError
from lifecycle.models import Capability

Field = dict[str, Any]
PREFIX = "in_"
"""Before each property's name in the form, so that none collides with the form's own fields."""
_LONG_TEXT = 200
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_DEEPEST = 100


def fields(capability: Capability, *, inputs: Mapping[str, Any] | None = None) -> list[Field]:
    """One field for each property of the schema, filled from `inputs` or the property's default."""
    schema = capability.input_schema
    required = set(schema.get("required", ()))
    properties: Mapping[str, Any] = schema.get("properties", {})
    made = []
    for name, found in properties.items():
        part = found if isinstance(found, dict) else {}
        field = {
            "key": name,
            "name": f"{PREFIX}{name}",
            "label": part.get("title") or name.replace("_", " ").capitalize(),
            "kind": _kind(part),
            "required": name in required,
            "help": part.get("description", ""),
            "choices": [_word(option) for option in part.get("enum", ())],
            "options": {_word(option): option for option in part.get("enum", ())},
            "error": "",
        }
        value = inputs.get(name) if inputs is not None else part.get("default", _example(capability, name))
        field["value"] = _shown(field, value)
        made.append(field)
    return made


def read(capability: Capability, data: Mapping[str, Any]) -> tuple[dict[str, Any], list[Field]]:
    """The inputs that a sent form holds, and the form again with what was typed and what is wrong with it.

    A field left empty is left out, so that the schema's own `required` speaks.
    """
    inputs: dict[str, Any] = {}
    form = fields(capability)
    for field in form:
        raw = data.get(field["name"], "")
        field["value"] = bool(raw) if field["kind"] == "checkbox" else raw
        if field["kind"] == "checkbox":
            inputs[field["key"]] = field["value"]
            continue
        if not raw.strip():
            if field["required"]:
                field["error"] = "This is needed."
            continue
        try:
            value = _read(field, raw)
            require_storable(value)
            inputs[field["key"]] = value
        except ValueError as error:
            field["error"] = str(error)
    return inputs, form


def place_errors(form: list[Field], errors: Iterable[FieldError]) -> None:
    """Put what a service found wrong onto the fields that it names (`/inputs/<name>/…`)."""
    by_name = {field["key"]: field for field in form}
    for error in errors:
        parts = error.path.strip("/").split("/")
        if len(parts) > 1 and parts[0] == "inputs" and parts[1] in by_name:
            by_name[parts[1]]["error"] = error.message


def require_storable(value: Any) -> None:
    """Raise ValueError with a sentence for what no database keeps: null characters, half a surrogate pair, and what is
    nested beyond all measure."""
    waiting = [(value, 1)]
    while waiting:
        here, depth = waiting.pop()
        if isinstance(here, str) and _UNSTORABLE.search(here):
            raise ValueError("This has a character that cannot be kept.")
        if isinstance(here, dict):
            waiting += [(key, depth) for key in here]
        if isinstance(here, dict | list):
            if depth > _DEEPEST:
                raise ValueError(f"This is nested more than {_DEEPEST} levels deep.")
            waiting += [(inner, depth + 1) for inner in (here.values() if isinstance(here, dict) else here)]


def _kind(part: Mapping[str, Any]) -> str:
    if part.get("enum"):
        return "select"
    kinds = part.get("type")
    kind = next((k for k in kinds if k != "null"), None) if isinstance(kinds, list) else kinds
    if kind == "string":
        if part.get("format") == "date":
            return "date"
        return "textarea" if part.get("maxLength", 0) > _LONG_TEXT else "text"
    return {"integer": "integer", "number": "number", "boolean": "checkbox"}.get(str(kind), "json")


def _read(field: Field, raw: str) -> Any:
    kind = field["kind"]
    if kind == "integer":
        return _parsed(int, raw, "This is not a whole number.")
    if kind == "number":
        return _parsed(json.loads, raw, "This is not a number.")
    if kind == "select":
        if raw not in field["options"]:
            raise ValueError("This is none of the choices.")
        return field["options"][raw]
    if kind == "json":
        return _parsed(json.loads, raw, "This is not valid JSON.")
    return raw


def _parsed(read_as: Any, raw: str, sentence: str) -> Any:
    try:
        return read_as(raw)
    except (ValueError, RecursionError):
        raise ValueError(sentence) from None


def _shown(field: Field, value: Any) -> Any:
    if value is None:
        return ""
    if field["kind"] == "select":
        return _word(value)
    if field["kind"] == "json":
        return json.dumps(value, ensure_ascii=False, indent=2)
    return value


def _word(option: Any) -> str:
    """How one option of an enum is written in the form."""
    return option if isinstance(option, str) else json.dumps(option)


def _example(capability: Capability, name: str) -> Any:
    """The capability's first example, as a start for the one field that takes it."""
    return capability.examples[0] if name == "text" and capability.examples else None
