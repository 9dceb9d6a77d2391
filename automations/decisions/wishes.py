"""From words to a filled form: when, what about, and what would be worth an alert. Plain rules, no model.

"tell me when the jacket drops below $100, check every morning" gives `0 8 * * *`, and price < 100 where the outputs
have a price. What is not said is not guessed: it is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_DAYS = {"sunday": 0, "monday": 1, "tuesday": 2, "wednesday": 3, "thursday": 4, "friday": 5, "saturday": 6}
_PARTS = {"morning": "8", "noon": "12", "afternoon": "15", "evening": "18", "night": "22", "midnight": "0"}
_NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "ten": 10, "twelve": 12, "fifteen": 15, "thirty": 30}
_CLOCK = re.compile(r"\bat (\d{1,2})(?::(\d{2}))?\s*(am|pm|o'?clock)?\b")
_AMOUNT = r"(?:[$€£]\s*|usd\s*|eur\s*)?(-?\d{1,12}(?:[.,]\d{3})*(?:\.\d{1,6})?)(\s*%| percent)?"
_BELOW = re.compile(rf"\b(?:below|under|less than|cheaper than|fewer than|lower than)\s+{_AMOUNT}")
_ABOVE = re.compile(rf"\b(?:above|over|more than|greater than|higher than|exceeds?)\s+{_AMOUNT}")
_AT_MOST = re.compile(rf"\b(?:at most|no more than|(?:drops?|falls?|goes down) to)\s+{_AMOUNT}")
_AT_LEAST = re.compile(rf"\b(?:at least|no less than|(?:rises?|goes up|climbs?) to)\s+{_AMOUNT}")
_FALLS_BY = re.compile(rf"\b(?:drops?|falls?|decreases?|goes down)\s+by\s+(?:at least\s+)?{_AMOUNT}")
_RISES_BY = re.compile(rf"\b(?:rises?|increases?|climbs?|goes up)\s+by\s+(?:at least\s+)?{_AMOUNT}")
_URL = re.compile(r"https?://[^\s<>\"']+")
_EVERY_FEW = re.compile(r"\bevery (\d{1,3}|[a-z]+) (minute|hour|day)s?\b")
_MONEY_WORDS = ("price", "cost", "amount", "total")


@dataclass(frozen=True)
class Threshold:
    """An operator of the alert conditions with its value; the field is chosen from the outputs."""

    op: str
    value: Any


def schedule_of(text: str) -> str | None:
    """The cron expression that a text asks for; None when it names no rhythm, or one that cron cannot say."""
    said = " ".join(text.lower().split())
    minute, hour = _time_of(said)
    if match := _EVERY_FEW.search(said):
        return _every_few(match, minute, hour)
    if re.search(r"\b(hourly|every hour|each hour)\b", said):
        return "0 * * * *"
    if re.search(r"\b(every|each|on) (weekdays?|workdays?|working days?)\b|\bon weekdays\b", said):
        return f"{minute} {hour} * * 1-5"
    if re.search(r"\b(every|each) weekend\b|\bat weekends\b|\bon weekends\b", said):
        return f"{minute} {hour} * * 0,6"
    days = [number for day, number in _DAYS.items() if re.search(rf"\b(every|each|on)\b[^.;]*\b{day}s?\b", said)]
    if days:
        return f"{minute} {hour} * * {','.join(map(str, sorted(days)))}"
    if re.search(r"\b(monthly|every month|each month|once a month)\b", said):
        return f"{minute} {hour} 1 * *"
    if re.search(r"\b(weekly|every week|each week|once a week)\b", said):
        return f"{minute} {hour} * * 1"
    if re.search(r"\b(daily|every day|each day|once a day|every|each)\b", said) and _is_daily(said):
        return f"{minute} {hour} * * *"
    return None


def threshold_of(text: str) -> Threshold | None:
    """What would be worth an alert, as far as it is a number or a change."""
    said = " ".join(text.lower().split())
    for pattern, op in ((_FALLS_BY, "decreased_by"), (_RISES_BY, "increased_by")):
        if match := pattern.search(said):
            return Threshold(op, f"{_plain(match[1])}%" if match[2] else _number(match[1]))
    for pattern, op in ((_AT_MOST, "<="), (_AT_LEAST, ">="), (_BELOW, "<"), (_ABOVE, ">")):
        if match := pattern.search(said):
            return Threshold(op, _number(match[1]))
    return Threshold("changed", None) if re.search(r"\bchanges?\b|\bis different\b", said) else None


def field_of(text: str, schema: Any, *, numbers: bool, sure: bool = False) -> str | None:
    """Which field of the outputs a text is about: one that it names, the one that is money where it speaks of money,
    or, unless it has to be sure, the one number that there is."""
    properties = schema.get("properties", {}) if isinstance(schema, Mapping) else {}
    fitting = [name for name, one in properties.items() if not numbers or _is_number(one)]
    said = set(re.findall(r"[a-z]+", text.lower()))
    named = [str(name) for name in fitting if set(name.lower().split("_")) <= said]
    if named:
        return max(named, key=len)
    money = [name for name in fitting if any(word in name.lower() for word in _MONEY_WORDS)]
    if len(money) == 1 and re.search(r"[$€£]|\b(usd|eur|gbp|dollars?|euros?|pounds?)\b", text.lower()):
        return str(money[0])
    return str(fitting[0]) if len(fitting) == 1 and not sure else None


def inputs_of(text: str, schema: Any) -> dict[str, Any]:
    """What a text says about the inputs: an address for the one field that takes one, the text itself for `text`."""
    properties = schema.get("properties", {}) if isinstance(schema, Mapping) else {}
    found: dict[str, Any] = {}
    addresses = [match.rstrip(".,;)") for match in _URL.findall(text)]
    for name, one in properties.items():
        if not isinstance(one, Mapping):
            continue
        if (one.get("format") == "uri" or name in {"url", "feed", "feed_url"}) and addresses:
            found[name] = addresses.pop(0)
        elif name == "text" and one.get("type") == "string":
            found[name] = text
    return found


def missing_of(inputs: Mapping[str, Any], schema: Any) -> list[str]:
    """The inputs that the contract asks for and nobody has given."""
    required = schema.get("required", []) if isinstance(schema, Mapping) else []
    return [str(name) for name in required if name not in inputs]


def name_of(text: str, *, longest: int = 60) -> str:
    """The beginning of the text, without the politeness, as a name."""
    said = re.sub(
        r"^(please|can you|could you|i want you to|tell me|let me know|notify me|alert me)\s+",
        "",
        text.strip(),
        flags=re.I,
    )
    said = re.sub(r"^(when|if)\s+", "", _URL.sub("", said), flags=re.I)
    words: Sequence[str] = re.split(r"[,.;!?]", said)[0].split()
    short = " ".join(words)[:longest].strip()
    return short[:1].upper() + short[1:]


def _time_of(said: str) -> tuple[str, str]:
    """Minute and hour; nine in the morning when a text names no time of day."""
    if match := _CLOCK.search(said):
        hour, minute = int(match[1]), int(match[2] or 0)
        late = match[3] == "pm" or (match[3] is None and re.search(r"\bevening|\bnight", said))
        if late and hour < 12:
            hour += 12
        elif match[3] == "am" and hour == 12:
            hour = 0
        if hour < 24 and minute < 60:
            return str(minute), str(hour)
    part = next((hour for word, hour in _PARTS.items() if re.search(rf"\b{word}s?\b", said)), "9")
    return "0", part


def _every_few(match: re.Match[str], minute: str, hour: str) -> str | None:
    """Only what divides evenly is the same every day, as cron wants it."""
    number = int(match[1]) if match[1].isdigit() else _NUMBERS.get(match[1], 0)
    unit = match[2]
    if unit == "minute" and number and 60 % number == 0:
        return f"*/{number} * * * *" if number > 1 else "* * * * *"
    if unit == "hour" and number and 24 % number == 0:
        return f"0 */{number} * * *" if number > 1 else "0 * * * *"
    return f"{minute} {hour} * * *" if unit == "day" and number == 1 else None


def _is_daily(said: str) -> bool:
    return bool(re.search(r"\b(daily|day)\b", said) or re.search(rf"\b(every|each) ({'|'.join(_PARTS)})\b", said))


def _is_number(schema: Any) -> bool:
    kinds = schema.get("type", ()) if isinstance(schema, Mapping) else ()
    return bool({"number", "integer"} & set([kinds] if isinstance(kinds, str) else kinds))


def _plain(text: str) -> str:
    return text.replace(",", "")


def _number(text: str) -> int | float:
    plain = _plain(text)
    return float(plain) if "." in plain else int(plain)
