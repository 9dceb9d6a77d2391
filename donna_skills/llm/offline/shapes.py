"""From what a rule knows to an answer of the wanted shape, and the least answer where nothing is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_DEPTH = 12
_EMPTY: dict[str, Any] = {"string": "", "integer": 0, "number": 0, "boolean": False, "array": [], "object": {}}
# The least text that is valid in a format.
_FORMATS = {
    "date": "1970-01-01",
    "date-time": "1970-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "uri": "https://example.invalid/",
    "email": "nobody@example.invalid",
    "uuid": "00000000-0000-0000-0000-000000000000",
}


def fit(known: Mapping[str, Any], schema: Mapping[str, Any] | None, *, facts: Mapping[str, Any]) -> Any:
    """`known` as an answer to `schema`: its own properties where they suit, echoes of the inputs, then empty values."""
    if not schema:
        return dict(known) or dict(inputs_of(facts))
    if not _allows(schema, "object"):
        echo = known.get("answer", _echo_of_kind(schema, inputs_of(facts)))
        return echo if _suits(echo, schema) else least(schema)
    return _object(known, schema, inputs_of(facts))


def inputs_of(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    found = facts.get("inputs")
    return found if isinstance(found, Mapping) else {}


def least(schema: Any, depth: int = 0) -> Any:
    """The smallest value that the schema's own words allow."""
    if not isinstance(schema, Mapping) or depth > _DEPTH:
        return None
    for given in ("const", "default"):
        if given in schema:
            return schema[given]
    if isinstance(schema.get("enum"), Sequence) and schema["enum"]:
        return schema["enum"][0]
    for choice in ("anyOf", "oneOf"):
        if schema.get(choice):
            return least(schema[choice][0], depth + 1)
    kind = _kinds(schema)[0]
    if kind == "string":
        return _least_text(schema)
    if kind in ("integer", "number"):
        return _least_number(schema)
    if kind == "array":
        return [least(schema.get("items", {}), depth + 1) for _ in range(int(schema.get("minItems", 0)))]
    if kind == "object":
        wanted = schema.get("properties", {})
        return {name: least(wanted.get(name, {}), depth + 1) for name in schema.get("required", [])}
    return _EMPTY.get(kind)


def _object(known: Mapping[str, Any], schema: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    wanted = schema.get("properties", {})
    answer = {}
    for name, part in wanted.items():
        if name in known and _suits(known[name], part):
            answer[name] = known[name]
        elif name in inputs and name not in known and _suits(inputs[name], part):
            answer[name] = inputs[name]
        elif name in schema.get("required", []):
            answer[name] = least(part)
    if schema.get("additionalProperties", True) is not False:
        answer |= {name: value for name, value in known.items() if name not in wanted}
    return answer


def _suits(value: Any, schema: Any) -> bool:
    """Whether a value fits the outer shape of its place. The executor validates in full; this only picks."""
    if not isinstance(schema, Mapping):
        return True
    if "const" in schema:
        return bool(value == schema["const"])
    if "enum" in schema:
        return value in schema["enum"]
    if "anyOf" in schema or "oneOf" in schema:
        return any(_suits(value, option) for option in [*schema.get("anyOf", []), *schema.get("oneOf", [])])
    if not any(_is(value, kind) for kind in _kinds(schema)):
        return False
    if isinstance(value, str):
        return int(schema.get("minLength", 0)) <= len(value) <= int(schema.get("maxLength", len(value)))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
    return True


def _echo_of_kind(schema: Mapping[str, Any], inputs: Mapping[str, Any]) -> Any:
    """For an answer that is no object: the first input of the wanted kind."""
    return next((value for value in inputs.values() if _suits(value, schema)), None)


def _allows(schema: Mapping[str, Any], kind: str) -> bool:
    return kind in _kinds(schema)


def _kinds(schema: Mapping[str, Any]) -> list[str]:
    """Types in the order of preference: null last, because saying something beats saying nothing only when asked to."""
    given = schema.get("type")
    if isinstance(given, str):
        return [given]
    if isinstance(given, Sequence) and given:
        return ["null"] if "null" in given and len(given) == 1 else sorted(given, key=lambda kind: kind != "null")
    if "properties" in schema or "required" in schema:
        return ["object"]
    return ["array"] if "items" in schema else ["object", "string", "number", "boolean", "array", "null", "integer"]


def _is(value: Any, kind: str) -> bool:
    match kind:
        case "null":
            return value is None
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "string":
            return isinstance(value, str)
        case "array":
            return isinstance(value, list)
        case _:
            return isinstance(value, Mapping)


def _least_text(schema: Mapping[str, Any]) -> str:
    found = _FORMATS.get(str(schema.get("format")), "")
    return found.ljust(int(schema.get("minLength", 0)), "-")


def _least_number(schema: Mapping[str, Any]) -> float:
    low, high = schema.get("minimum"), schema.get("maximum")
    if "exclusiveMinimum" in schema:
        low = schema["exclusiveMinimum"] + 1
    if low is not None and low > 0:
        return float(low) if isinstance(low, float) else int(low)
    return 0 if high is None or high >= 0 else high
