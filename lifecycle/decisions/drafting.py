"""When a candidate is drafted, from which samples, and whether a draft is good enough to be shown to a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from lifecycle.decisions import candidacy
from lifecycle.decisions.statistics import Number, count, exact
from lifecycle.decisions.verdict import Reason, Verdict

REFUSALS = 3
REST = timedelta(days=7)
"""After so many refusals in a row nothing is tried for so long."""

_ANNOTATIONS = frozenset({"$schema", "$id", "$comment", "$defs", "title", "description", "default", "examples"})
_LONGEST_LABEL = 60
_STRATA = 40


def ready(description: str, input_schema: object, output_schema: object) -> Verdict:
    """Whether a capability says enough to be drafted. A placeholder does not: it has no description, or a schema that
    accepts anything, so that nothing could be held against what is written."""
    reasons = []
    if not description.strip():
        reasons.append(Reason("placeholder", "The capability has no description."))
    for name, schema in (("input", input_schema), ("output", output_schema)):
        if accepts_anything(schema):
            reasons.append(Reason("placeholder", f"The capability's {name} schema accepts anything."))
    return Verdict(not reasons, tuple(reasons), {})


def accepts_anything(schema: object) -> bool:
    """Whether no object is refused by the schema: {}, true, {"type": "object"}, and properties that are all so."""
    if schema is True:
        return True
    if not isinstance(schema, Mapping):
        return False
    return all(_says_nothing(key, value) for key, value in schema.items())


def rested(refused_at: Sequence[datetime | None], *, now: datetime) -> Verdict:
    """`refused_at`: of the latest attempts, newest first, when each was refused, None for one that was accepted.

    With REFUSALS refusals in a row the next attempt comes REST after the newest. Evidence: `until`, or None.
    """
    newest = [at for at in refused_at[:REFUSALS] if at is not None]
    if len(newest) < REFUSALS or newest[0] + REST <= now:
        return Verdict(True, (), {"until": None})
    until = newest[0] + REST
    message = f"{REFUSALS} drafts in a row were refused; the next is tried from {until:%Y-%m-%d %H:%M} UTC on."
    return Verdict(False, (Reason("resting", message),), {"until": until})


def samples(outputs: Sequence[object], *, most: int = 5) -> list[int]:
    """Indexes of up to `most` outputs that show as much as possible: one of each shape in turn (the commonest first),
    and within a shape those first whose short values have not been seen yet: another label rather than the same."""
    order = _novel_first(outputs, most=_STRATA)
    return [order[index] for index in candidacy.stratified([outputs[index] for index in order], most=most)]


def acceptable(verdict: str, passed: object, total: object, *, required: Number) -> Verdict:
    """A draft is shown to a person when no gate blocks it and the share of its fixtures that pass reaches `required`,
    inclusive. No fixtures, or none that answered, never pass. HOLD is for the person to see."""
    passing, all_of_them = count(passed), count(total)
    evidence: dict[str, Any] = {"verdict": verdict, "passed": passing, "total": all_of_them}
    if verdict not in {"PASS", "HOLD"}:
        return Verdict(False, (Reason("gates_block", "The gates block it."),), evidence)
    if not all_of_them or passing is None:
        return Verdict(False, (Reason("fixtures_missing", "No fixture has been run."),), evidence)
    if Fraction(passing, all_of_them) < exact(required):
        message = f"{passing} of {all_of_them} fixtures pass; a share of {required} is needed."
        return Verdict(False, (Reason("fixtures_failed", message),), evidence)
    return Verdict(True, (), evidence)


def _says_nothing(key: str, value: object) -> bool:
    if key == "properties" or key == "patternProperties":
        return isinstance(value, Mapping) and all(map(accepts_anything, value.values()))
    if key in {"additionalProperties", "unevaluatedProperties"}:
        return accepts_anything(value)
    return key in _ANNOTATIONS or (key == "type" and value == "object") or (key == "required" and not value)


def _novel_first(outputs: Sequence[object], *, most: int) -> list[int]:
    """Up to `most` places of outputs, each time the one with most values that none before it had; the rest after them
    in their own order."""
    labels = [_labels(output) for output in outputs]
    left = list(range(len(outputs)))
    seen: set[tuple[str, str]] = set()
    chosen: list[int] = []
    while left and len(chosen) < most:
        best = max(left, key=lambda index: (len(labels[index] - seen), -index))
        if not labels[best] - seen:
            break
        left.remove(best)
        chosen.append(best)
        seen |= labels[best]
    return [*chosen, *left]


def _labels(output: object) -> set[tuple[str, str]]:
    """Short words and truth values by their keys: what a classification would choose from. Words with digits are
    numbers of things, which always differ and say nothing."""
    fields = output if isinstance(output, Mapping) else {"": output}
    found = set()
    for key, value in fields.items():
        if isinstance(value, bool) or value is None:
            found.add((str(key), repr(value)))
        elif isinstance(value, str) and len(value) <= _LONGEST_LABEL and not any(map(str.isdigit, value)):
            found.add((str(key), value))
    return found
