"""Rules that a package carries in its prompt, and the answer that they give: what an offline skill runs by.

A prompt that begins with a block of rules is answered by them and by nothing else, so that another package gives other
answers and an input that no rule knows is escalated instead of guessed. The block has to stand first: nothing that an
input says can pass for it. `learning` writes such rules from samples.

    ```rules
    {"carrier": {"take": "between", "from": "message", "marks": [["", ": "]]}, …}
    ```
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from donna_skills.llm.offline import dates, words

WHOLE = "*"
"""The one field of an answer that is no object."""
UNKNOWN: Any = object()
"""What a rule answers where it finds nothing."""
LONGEST_TEXT = 20_000
LONGEST_VALUE = 300

Rule = Mapping[str, Any]

_BLOCK = re.compile(r"\A\s*```rules[ \t]*\n(.{1,60000}?)\n```", re.DOTALL)
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_TOKEN = re.compile(r"[^\W_](?:[\w./#-]*[^\W_])?")
_NUMBER = re.compile(r"-?\d+(?:[.,'’]\d+)*")
_EXAMPLES = ((str.isdigit, "9"), (str.isupper, "A"), (str.islower, "a"))


def rules_of(prompt: str) -> Mapping[str, Rule] | None:
    """The rules that a prompt begins with, by field; None where it begins with something else."""
    found = _BLOCK.match(prompt)
    if found is None:
        return None
    try:
        rules = json.loads(found[1])
    except (ValueError, RecursionError):
        return None
    return rules if isinstance(rules, dict) and all(isinstance(rule, dict) for rule in rules.values()) else None


def answer(rules: Mapping[str, Rule], inputs: Mapping[str, Any]) -> Any:
    """What the rules make of the inputs, or an escalation that names the fields which no rule finds."""
    found: dict[str, Any] = {}
    missing = []
    for field, rule in rules.items():
        value = apply(rule, inputs)
        if value is not UNKNOWN:
            found[field] = value
        elif rule.get("if_not_found") == "null":
            found[field] = None
        elif rule.get("if_not_found") != "leave out":
            missing.append(field)
    if missing:
        return {"escalate": f"No rule of this skill finds {', '.join(missing)} in these inputs."}
    return found.get(WHOLE, found)


def apply(rule: Rule, inputs: Mapping[str, Any]) -> Any:
    """What one rule finds, or UNKNOWN; whatever stands in a rule, it never raises."""
    take = _TAKES.get(str(rule.get("take")))
    try:
        return UNKNOWN if take is None else take(rule, inputs)
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError):
        return UNKNOWN


def text_in(inputs: Mapping[str, Any], name: Any = None) -> str:
    """The text of one input, or without a name of all of them, one below the other; a bare date is no text."""
    if name is not None:
        value = inputs.get(name)
        return value[:LONGEST_TEXT] if isinstance(value, str) else ""
    return "\n".join(_texts(inputs))[:LONGEST_TEXT]


def numbers_in(text: str) -> Iterator[tuple[int, float]]:
    """Each number written in the text, with its place."""
    for found in _NUMBER.finditer(text):
        yield found.start(), number_of(found[0])


def number_of(written: str) -> float:
    """ "1,234.50", "1.234,50" and "1'234" as numbers: a last mark before three digits parts thousands."""
    digits = re.sub(r"['’]", "", written)
    head, mark, tail = max(digits.rpartition("."), digits.rpartition(","), key=lambda parts: len(parts[0]))
    if not mark:
        return int(digits)
    whole = re.sub(r"[.,]", "", head)
    return int(whole + tail) if len(tail) == 3 and whole not in {"", "0", "-0"} else float(f"{whole}.{tail}")


def tokens_in(text: str) -> Iterator[str]:
    return (found[0] for found in _TOKEN.finditer(text))


def shape_of(token: str) -> str:
    """ "NO-2041" is AA-9999: a letter or digit stands for all of its kind."""
    return "".join(next((sign for test, sign in _EXAMPLES if test(mark)), mark) for mark in token)


def key_of(value: Any) -> str:
    """How a value is written as the key of a table."""
    return value.strip().casefold() if isinstance(value, str) else json.dumps(value, sort_keys=True)


def today_of(inputs: Mapping[str, Any]) -> Any:
    """The first input that is a bare date: "tomorrow" is counted from it."""
    return next((day for value in inputs.values() if is_date(value) and (day := dates.parse(value))), None)


def is_date(value: Any) -> bool:
    return isinstance(value, str) and _ISO_DATE.fullmatch(value.strip()[:10]) is not None and len(value) <= 32


def _texts(value: Any, depth: int = 0) -> Iterator[str]:
    if isinstance(value, str):
        if not is_date(value):
            yield value
    elif depth < 4 and isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item, depth + 1)
    elif depth < 4 and isinstance(value, list):
        for item in value[:100]:
            yield from _texts(item, depth + 1)


def _input(rule: Rule, inputs: Mapping[str, Any]) -> Any:
    return inputs.get(rule["from"], UNKNOWN)


def _constant(rule: Rule, inputs: Mapping[str, Any]) -> Any:
    return rule["value"]


def _lookup(rule: Rule, inputs: Mapping[str, Any]) -> Any:
    value = inputs.get(rule["from"], UNKNOWN)
    return UNKNOWN if value is UNKNOWN else rule["table"].get(key_of(value), UNKNOWN)


def _day(rule: Rule, inputs: Mapping[str, Any]) -> Any:
    when = dates.find(text_in(inputs, rule.get("from")), today_of(inputs))
    return when.day.isoformat() if when and when.day else UNKNOWN


def _token(rule: Rule, inputs: Mapping[str, Any]) -> Any:
    shapes = set(rule["shapes"])
    text = text_in(inputs, rule.get("from"))
    return next((token for token in tokens_in(text) if shape_of(token) in shapes), UNKNOWN)


def _between(rule: Rule, inputs: Mapping[str, Any]) -> Any:
    """What stands after the one mark and before the other, on one line; the first pair of marks that is there."""
    text, number = text_in(inputs, rule.get("from")), rule.get("as") == "number"
    for left, right in rule["marks"]:
        for place in _places(text, left):
            line = text[place:].split("\n", 1)[0]
            if number:
                if found := _NUMBER.match(line):
                    return number_of(found[0])
                continue
            value = line if right == "" else line.partition(right)[0] if right in line else ""
            if 0 < len(value.strip()) <= LONGEST_VALUE:
                return value.strip()
    return UNKNOWN


def _places(text: str, mark: str) -> Iterator[int]:
    """Where the mark ends, each time; the empty one stands at the beginning."""
    if not mark:
        yield 0
        return
    place = text.find(mark)
    while place >= 0:
        yield place + len(mark)
        place = text.find(mark, place + 1)


def _seen(rule: Rule, inputs: Mapping[str, Any]) -> Any:
    text = text_in(inputs, rule.get("from"))
    return next((value for value in rule["values"] if words.has_any(text, (str(value).casefold(),))), UNKNOWN)


def _keywords(rule: Rule, inputs: Mapping[str, Any]) -> Any:
    """The answer with most of its words in the text; where two have as many, nobody knows."""
    present = set(words.keywords(text_in(inputs, rule.get("from"))))
    counts = [len(present.intersection(label["words"])) for label in rule["labels"]]
    most = max(counts, default=0)
    return rule["labels"][counts.index(most)]["answer"] if most and counts.count(most) == 1 else UNKNOWN


_TAKES: Mapping[str, Callable[[Rule, Mapping[str, Any]], Any]] = {
    "input": _input,
    "constant": _constant,
    "lookup": _lookup,
    "day": _day,
    "token": _token,
    "between": _between,
    "seen": _seen,
    "keywords": _keywords,
}

LEGEND: Mapping[str, str] = {
    "input": "the value of the input that `from` names, as it is",
    "constant": "always `value`",
    "lookup": "what `table` gives for the input that `from` names, in lower case",
    "day": "the first day that the text names, as YYYY-MM-DD, counted from the input that is a date",
    "token": "the first word of the text whose marks have one of these `shapes` (A, a, 9: any letter, any digit)",
    "between": "what stands in the text between two `marks` on one line; the first pair that is there",
    "seen": "the first of `values` that stands in the text",
    "keywords": "the answer of which most `words` (without their endings) stand in the text",
    "nothing": "nothing: the samples did not show how it comes about",
}
"""What each `take` means, for people and models who read the prompt."""
