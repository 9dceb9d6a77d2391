"""Learn from samples how each field of an answer comes about: copied, looked up, taken out of a text, or classified.

A rule counts when it gives every sample its own answer. Nothing is known here about any capability: what the samples do
not show is not learned, and the rules then escalate.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from donna_skills.llm.offline import learned, words
from donna_skills.llm.offline.learned import UNKNOWN, WHOLE, Rule

ABSENT: Any = object()
_MOST_WORDS = 12
_MOST_LABELS = 24
_LONGEST_LABEL_WORDS = 7
"""Short enough that a rule never holds a sentence of a sample: sentences may be a holdout's."""
_LONGEST_MARK = 24
_LONGEST_KEY = 40
_EDGE_WORDS = re.compile(r"(?:\S+\s+)?\S+\s*\Z")
_NEXT_WORD = re.compile(r"\s+[\w'’]+|\W")


@dataclass(frozen=True)
class Sample:
    """One answer that the reference gave."""

    inputs: Mapping[str, Any]
    output: Any

    def value(self, field: str) -> Any:
        if field == WHOLE:
            return self.output
        return self.output.get(field, ABSENT) if isinstance(self.output, Mapping) else ABSENT


def rules(samples: Sequence[Sample], schema: Mapping[str, Any]) -> dict[str, Rule]:
    """A rule for each field of the samples' outputs; a field that none explains gets `{"take": "nothing"}`."""
    if not samples:
        return {}
    if not all(isinstance(sample.output, Mapping) for sample in samples):
        return {WHOLE: _rule(WHOLE, samples, schema)}
    wanted = schema.get("properties")
    properties: Mapping[str, Any] = wanted if isinstance(wanted, Mapping) else {}
    seen = {field: None for sample in samples for field in sample.output}
    ordered = [*(field for field in properties if field in seen), *(field for field in seen if field not in properties)]
    required = schema.get("required", [])
    found = {field: _rule(field, samples, properties.get(field)) for field in ordered}
    return {
        field: {"take": "nothing", "if_not_found": "leave out"}
        if rule["take"] == "nothing" and field not in required
        else rule
        for field, rule in found.items()
    }


def _rule(field: str, samples: Sequence[Sample], schema: Any) -> Rule:
    """The first rule that explains every sample."""
    otherwise = _otherwise(field, samples)
    known = [sample for sample in samples if sample.value(field) not in (ABSENT, None)]
    for rule in _guesses(field, known, schema if isinstance(schema, Mapping) else {}):
        candidate = {**rule, **otherwise}
        if all(_explains(candidate, field, sample) for sample in samples):
            return candidate
    return {"take": "nothing"}


def _otherwise(field: str, samples: Sequence[Sample]) -> dict[str, str]:
    values = [sample.value(field) for sample in samples]
    if any(value is ABSENT for value in values):
        return {"if_not_found": "leave out"}
    return {"if_not_found": "null"} if any(value is None for value in values) else {}


def _explains(rule: Rule, field: str, sample: Sample) -> bool:
    found, wanted = learned.apply(rule, sample.inputs), sample.value(field)
    if found is UNKNOWN:
        return wanted is ABSENT if rule.get("if_not_found") == "leave out" else wanted is None
    return _same(found, wanted)


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON: true is not 1, while 1.0 is."""
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _guesses(field: str, known: Sequence[Sample], schema: Mapping[str, Any]) -> Iterator[Rule]:
    """Rules that may explain the field, the one that carries furthest first."""
    if not known:
        yield {"take": "constant", "value": None}
        return
    values = [sample.value(field) for sample in known]
    shared = [name for name in known[0].inputs if all(name in sample.inputs for sample in known)]
    yield from ({"take": "input", "from": name} for name in shared)
    tables = [(name, table) for name in shared if (table := _table(name, field, known))]
    yield from ({"take": "lookup", "from": name, "table": table} for name, table in tables if _is_code(name, known))
    texts = [name for name in shared if all(_is_text(sample.inputs[name]) for sample in known)]
    if all(learned.is_date(value) for value in values):
        yield from ({"take": "day", "from": name} for name in texts)
    chosen_from = "enum" in schema or all(isinstance(value, bool) for value in values)
    if not chosen_from:
        yield from _extractions(field, known, texts)
    if all(_is_label(value) for value in values):
        if len({learned.key_of(value) for value in values}) > 1:
            yield from _classifications(field, known, texts)
        elif len(known) > 1:
            if chosen_from:
                yield from _extractions(field, known, texts)
            yield {"take": "constant", "value": values[0]}
    yield from ({"take": "lookup", "from": name, "table": table} for name, table in tables)


def _extractions(field: str, known: Sequence[Sample], texts: Sequence[str]) -> Iterator[Rule]:
    values = [sample.value(field) for sample in known]
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    if not numeric and not all(isinstance(value, str) and value.strip() for value in values):
        return
    for name in texts:
        places = [_occurrences(sample.inputs[name], sample.value(field)) for sample in known]
        if not all(places):
            continue
        pairs = [(sample.inputs[name], sample.value(field), where) for sample, where in zip(known, places, strict=True)]
        if not numeric and (shapes := _shapes(values)):
            yield {"take": "token", "from": name, "shapes": shapes}
        kind = {"as": "number"} if numeric else {}
        for marks in _marks(pairs, numeric=numeric):
            yield {"take": "between", "from": name, "marks": marks, **kind}
        if not numeric and all(_is_label(value) for value in values):
            yield {"take": "seen", "from": name, "values": list(dict.fromkeys(values))}


def _classifications(field: str, known: Sequence[Sample], texts: Sequence[str]) -> Iterator[Rule]:
    values = [sample.value(field) for sample in known]
    if all(isinstance(value, str) for value in values):
        yield from ({"take": "seen", "from": name, "values": list(dict.fromkeys(values))} for name in texts)
    for name in (None, *texts):
        if labels := _labels(field, known, name):
            yield {"take": "keywords", **({"from": name} if name else {}), "labels": labels}


def _labels(field: str, known: Sequence[Sample], name: str | None) -> list[dict[str, Any]]:
    """Each answer with the words that only its own samples have, and without what other fields are read from them."""
    grouped: dict[str, tuple[Any, set[str]]] = {}
    for sample in known:
        value = sample.value(field)
        found = [word for word in words.keywords(learned.text_in(sample.inputs, name)) if word.isalpha()]
        said = {word for other in _other_texts(sample, field) for word in words.keywords(other)}
        label = words.keywords(value.replace("_", " ")) if isinstance(value, str) else []
        known_words = grouped.setdefault(learned.key_of(value), (value, set()))[1]
        known_words.update(word for word in found if word not in said or word in label)
        known_words.update(word for word in label if word.isalpha())
    if not 1 < len(grouped) <= _MOST_LABELS:
        return []
    labels = []
    for key, (value, own) in grouped.items():
        elsewhere = set().union(*(others for other, (_, others) in grouped.items() if other != key))
        labels.append(
            {"answer": value, "words": sorted(own - elsewhere, key=lambda word: (-len(word), word))[:_MOST_WORDS]}
        )
    return labels


def _other_texts(sample: Sample, field: str) -> Iterator[str]:
    if isinstance(sample.output, Mapping):
        yield from (value for name, value in sample.output.items() if name != field and isinstance(value, str))


def _table(name: str, field: str, known: Sequence[Sample]) -> dict[str, Any]:
    """Input value -> answer, where short values of the input decide; empty where they do not."""
    table: dict[str, Any] = {}
    for sample in known:
        key, value = sample.inputs[name], sample.value(field)
        if not _is_key(key) or not _is_label(value) or not _same(table.setdefault(learned.key_of(key), value), value):
            return {}
    return table


def _is_key(value: Any) -> bool:
    if isinstance(value, str):
        return 0 < len(value) <= _LONGEST_KEY and len(value.split()) <= 3 and not learned.is_date(value)
    return isinstance(value, bool | int)


def _is_code(name: str, known: Sequence[Sample]) -> bool:
    """Whether the input is one of a few words rather than a text."""
    keys = [learned.key_of(sample.inputs[name]) for sample in known]
    return len(set(keys)) < len(keys) or not any(" " in key for key in keys)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not learned.is_date(value)


def _is_label(value: Any) -> bool:
    if isinstance(value, str):
        return 0 < len(value) <= 60 and len(value.split()) <= _LONGEST_LABEL_WORDS
    return isinstance(value, bool | int | float)


def _shapes(values: Sequence[str]) -> list[str]:
    """Of words that carry digits, or short words in capitals such as currencies; empty where they are anything else."""
    if not all(list(learned.tokens_in(value)) == [value] for value in values):
        return []
    if not all(re.search(r"\d", value) or (value.isupper() and 1 < len(value) <= 5) for value in values):
        return []
    shapes = list(dict.fromkeys(map(learned.shape_of, values)))
    return shapes if len(shapes) <= 3 else []


def _occurrences(text: str, value: Any) -> list[tuple[int, int]]:
    """Where the value stands in the text."""
    if isinstance(value, str):
        return [found.span() for found in re.finditer(re.escape(value), text)][:5]
    return [(place, place + 1) for place, number in learned.numbers_in(text) if number == value][:5]


_Placed = tuple[str, Any, list[tuple[int, int]]]


def _marks(pairs: Sequence[_Placed], *, numeric: bool) -> Iterator[list[list[str]]]:
    """Pairs of marks around the values: one that all samples share, then one for each of them."""
    for choice in (0, -1):
        edges = [_edges(text, *where[choice]) for text, _, where in pairs]
        left = _common_end([before for before, _ in edges])
        right = "" if numeric else _common_start([after for _, after in edges])
        if left is not None and right is not None:
            yield [[left, right]]
    for choice in (0, -1):
        edges = [_edges(text, *where[choice]) for text, _, where in pairs]
        own = {(_last_words(before), "" if numeric else _next_word(after)): None for before, after in edges}
        if all(left for left, _ in own) and len(own) <= len(pairs):
            yield [list(mark) for mark in own]


def _edges(text: str, start: int, end: int) -> tuple[str | None, str]:
    """The line before the value, None where the value opens the whole text, and the line after it."""
    before = None if start == 0 else text[:start].rpartition("\n")[2]
    return before, text[end:].partition("\n")[0]


def _common_end(contexts: Sequence[str | None]) -> str | None:
    """The mark that stands before all of them: "" where each opens its text, None where there is none."""
    if all(context is None for context in contexts):
        return ""
    if any(context is None for context in contexts):
        return None
    lines = [str(context) for context in contexts]
    length = 0
    while length < min(_LONGEST_MARK, *map(len, lines)) and len({line[-length - 1] for line in lines}) == 1:
        length += 1
    mark = lines[0][len(lines[0]) - length :]
    if any(len(line) > length and line[-length - 1].isalnum() for line in lines) and mark[:1].isalnum():
        mark = re.sub(r"\A\w+", "", mark)
    return mark if mark.strip() else None


def _common_start(contexts: Sequence[str]) -> str | None:
    """The mark that stands after all of them: "" where each ends its line, None where there is none."""
    if not any(context.strip() for context in contexts):
        return ""
    length = 0
    while length < min(_LONGEST_MARK, *map(len, contexts)) and len({line[length] for line in contexts}) == 1:
        length += 1
    mark = contexts[0][:length]
    # A year or a number that all samples happen to share says nothing about the next input.
    plain = re.split(r"\d", mark)[0]
    mark = plain if plain.strip() else mark
    return mark if mark.strip() else None


def _last_words(before: str | None) -> str:
    found = _EDGE_WORDS.search(before[-_LONGEST_MARK * 2 :]) if before else None
    return found[0] if found else ""


def _next_word(after: str) -> str:
    found = _NEXT_WORD.match(after)
    return found[0] if found else ""
