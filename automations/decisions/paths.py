"""Where a condition looks: `price`, `items.0.price`, `items.*.price`; in an output, and in the schema of outputs.

Segments are separated by dots. A number is an index of a list (or a key of an object), `*` is any element of a list.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

ANY = "*"
LONGEST_FIELD = 300
MOST_SEGMENTS = 32
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
_MOST_SCHEMAS = 500

Place = tuple[str | int, ...]
Answer = list[Any] | bool | None


@dataclass(frozen=True)
class Found:
    """The values at a path, by the place of each; `lacking` when some element, or the path as a whole, has none;
    `visited` says how many values were looked at on the way.
    """

    values: dict[Place, Any]
    lacking: bool
    visited: int


def segments(field: str) -> tuple[str, ...]:
    """The steps of a path; raises ValueError with a sentence."""
    steps = tuple(field.split("."))
    if len(field) > LONGEST_FIELD or len(steps) > MOST_SEGMENTS:
        raise ValueError(f"A field has at most {MOST_SEGMENTS} steps and {LONGEST_FIELD} characters.")
    if not all(steps):
        raise ValueError("A field is a path such as `price` or `items.*.price`, with no empty step.")
    return steps


def find(output: Any, steps: Sequence[str]) -> Found:
    """Follow a path through an output."""
    here: dict[Place, Any] = {(): output}
    lacking, visited = False, 0
    for step in steps:
        further: dict[Place, Any] = {}
        for place, value in here.items():
            if step == ANY and isinstance(value, list):
                further.update({(*place, number): element for number, element in enumerate(value)})
            elif isinstance(value, dict) and step != ANY and step in value:
                further[*place, step] = value[step]
            elif isinstance(value, list) and _INDEX.fullmatch(step) and int(step) < len(value):
                further[*place, int(step)] = value[int(step)]
            else:
                lacking = True
        here = further
        visited += len(here)
    return Found(here, lacking or not here, visited)


def obstacle(schema: Any, steps: Sequence[str]) -> str | None:
    """A sentence that says why outputs of this schema never have such a path; None when they may.

    A schema that lists properties and is silent about others is taken at its word: what it does not list is a mistyped
    name far more often than an extra. `"additionalProperties": true` says that there may be more.
    """
    lookup = _Lookup(schema)
    here = [schema]
    for number, step in enumerate(steps):
        lookup.known.clear()
        answers = [lookup.answer(one, step) for one in here]
        if None in answers or any(answer is True for answer in answers):
            return None
        here = [child for answer in answers if isinstance(answer, list) for child in answer]
        if not here:
            return _refusal(steps[:number], step, lookup.known)
    return None


class _Lookup:
    """Finds what a schema says about one step. An answer is the schemas one step further, True for anything at all,
    False for nothing, or None when the schema does not say.
    """

    def __init__(self, root: Any) -> None:
        self.root = root
        self.known: set[str] = set()
        self._left = _MOST_SCHEMAS

    def answer(self, schema: Any, step: str) -> Answer:
        self._left -= 1
        if schema is False:
            return False
        if not isinstance(schema, dict) or self._left < 0:
            return None
        if isinstance(schema.get("properties"), dict):
            self.known |= set(schema["properties"])
        answers = [_follow(schema, step)]
        if isinstance(schema.get("$ref"), str):
            answers.append(self.answer(_referred(schema["$ref"], self.root), step))
        answers += [self.answer(part, step) for part in _listed(schema, "allOf")]
        answers += [
            _either([self.answer(part, step) for part in _listed(schema, key)])
            for key in ("anyOf", "oneOf")
            if _listed(schema, key)
        ]
        # What holds only at times can add to what may be there, and takes nothing away.
        sometimes = [self.answer(schema[key], step) for key in ("then", "else") if key in schema]
        return _both([*answers, *(answer for answer in sometimes if answer)])


def _listed(schema: dict[str, Any], key: str) -> list[Any]:
    return schema[key] if isinstance(schema.get(key), list) else []


def _both(answers: Sequence[Answer]) -> Answer:
    """Of parts that all hold: one that knows the step outweighs those that do not."""
    schemas = [schema for answer in answers if isinstance(answer, list) for schema in answer]
    if schemas:
        return schemas
    said = [answer for answer in answers if isinstance(answer, bool)]
    return None if not said else True in said


def _either(answers: Sequence[Answer]) -> Answer:
    """Of parts one of which holds."""
    if None in answers:
        return None
    if any(answer is True for answer in answers):
        return True
    return [schema for answer in answers if isinstance(answer, list) for schema in answer] or False


def _referred(reference: str, root: Any) -> Any:
    """What a reference within the document names; None, of which nothing is known, for one that leads elsewhere."""
    if not reference.startswith("#"):
        return None
    here = root
    for step in reference[1:].split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(here, dict):
            here = here.get(key)
        elif isinstance(here, list) and _INDEX.fullmatch(key) and int(key) < len(here):
            here = here[int(key)]
        else:
            return None
    return here


def _follow(schema: dict[str, Any], step: str) -> Answer:
    """What the schema's own keywords say: as an object, and where the step may be an index, as a list."""
    kinds = [schema["type"]] if isinstance(schema.get("type"), str) else _listed(schema, "type")
    allowed = kinds or ["object", "array"]
    answers: list[Answer] = []
    if step != ANY:
        answers.append(_follow_object(schema, step) if "object" in allowed else False)
    if step == ANY or _INDEX.fullmatch(step):
        answers.append(_follow_array(schema, step) if "array" in allowed else False)
    return _either(answers)


def _follow_object(schema: dict[str, Any], step: str) -> Answer:
    properties = schema.get("properties")
    if isinstance(properties, dict) and step in properties:
        return [properties[step]]
    if "patternProperties" in schema:
        return True
    if "additionalProperties" in schema:
        others = schema["additionalProperties"]
        return others if isinstance(others, bool) else [others]
    return False if properties else None


def _follow_array(schema: dict[str, Any], step: str) -> Answer:
    items = schema.get("items")
    first = items if isinstance(items, list) else _listed(schema, "prefixItems")
    rest = schema.get("additionalItems") if isinstance(items, list) else items
    if step == ANY:
        found = [*first, *([] if rest is None else [rest])]
    elif int(step) < len(first):
        found = [first[int(step)]]
    else:
        found = [] if rest is None else [rest]
    if not found:
        return None
    return [part for part in found if part is not False] or False


def _refusal(before: Sequence[str], step: str, known: set[str]) -> str:
    where = f" at `{'.'.join(before)}`" if before else ""
    if known:
        return f"Outputs never have `{step}`{where}; they have {', '.join(sorted(known)[:20])}."
    return f"Outputs never have `{step}`{where}."
