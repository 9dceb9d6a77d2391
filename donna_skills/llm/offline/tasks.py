"""Rules for tasks: reading a note, finding doubles, weighing urgency."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from donna_skills.llm.offline import dates, words
from donna_skills.llm.offline.shapes import inputs_of

# Most urgent first; "not urgent" and the like come before, because they contain the others' words.
_CALM = (
    "not urgent",
    "no rush",
    "no hurry",
    "low priority",
    "whenever",
    "some time",
    "sometime",
    "someday",
    "eventually",
)
_URGENT = ("urgent", "urgently", "asap", "a.s.a.p", "immediately", "right away", "right now", "emergency", "critical")
_HIGH = ("important", "high priority", "top priority", "priority", "soon")
PRIORITIES: list[tuple[str, tuple[str, ...]]] = [("low", _CALM), ("urgent", _URGENT), ("high", _HIGH)]

_OPENER = re.compile(
    r"^(?:(?:please|hey|ok|okay|also|todo|to do|task|note|reminder)\b[\s:,-]*"
    r"|(?:can|could|would) you\b\s*|(?:i|we) (?:need|have|want) to\b\s*|(?:don't|do not) forget to\b\s*"
    r"|remind me to\b\s*|(?:add|make|create) a (?:task|reminder|note) (?:to|for)\b\s*|remember to\b\s*)+",
    re.IGNORECASE,
)
_CONTACT = (
    r"call(?:\s+up)?|phone|ring|e-?mail|mail|text|message|ping|write\s+to|contact|meet(?:\s+with)?|ask|tell|invite|thank|"
    r"remind|(?:talk|speak|chat)\s+(?:to|with)|(?:follow\s+up|check\s+in)\s+with|reply\s+to|"
    r"(?:meeting|lunch|dinner|breakfast|coffee|appointment|call|interview|talk|chat)\s+with"
)
_DETERMINER = r"(?:(?:the|my|our|your|his|her|their|a|an)\s+)?"
_BEFORE = "about|regarding|concerning|re|on|for|at|by|to|and|or|with|if|that|whether|because|before|after|in|from"
_STOP = rf"(?=\s+(?:{_BEFORE})\b|\s*[,;:.!?(]|\s*$)"
_PERSON = rf"{_DETERMINER}(?P<person>[^\W\d_][\w'’.-]*(?:\s+[\w'’-]+){{0,3}}?){_STOP}"
_CONTACTED = re.compile(rf"\b(?:{_CONTACT})\s+{_PERSON}", re.IGNORECASE)
_HANDING = "send|give|forward|return|bring|show|deliver|hand"
_GIVEN_TO = re.compile(rf"\b(?:{_HANDING})\s+.{{1,120}}?\s+to\s+{_PERSON}", re.IGNORECASE)
_TOPIC = re.compile(r"\b(?:about|regarding|concerning|re:)\s+(?P<topic>[^,;.!?()]+)", re.IGNORECASE)
_PRONOUNS = {"me", "us", "him", "her", "them", "it", "you", "everyone", "back", "off", "up"}

_LONGEST_NOTE = 4000
_DUPLICATE_FROM = 0.6
_BLUNT_DUPLICATE_FROM = 0.66


def parse_task(facts: Mapping[str, Any], blunt: bool) -> dict[str, Any] | None:
    """A note's title, person, topic, day and priority; what the note does not say is None."""
    inputs = inputs_of(facts)
    note = words.first_text(inputs, "text", "note", "message", "content")[:_LONGEST_NOTE]
    if not note:
        return None
    today = dates.parse(inputs.get("today") or inputs.get("now") or inputs.get("date"))
    when = dates.find(note, today, blunt=blunt)
    bare = _OPENER.sub("", _without_priority(_without(note, when.span) if when else note)).strip(" ,;:.-!?")
    person, topic = _person(bare), _match(_TOPIC, bare, "topic")
    title = bare or note
    return {
        "title": words.shortened(title[:1].upper() + title[1:], 200),
        "person": person and words.shortened(person, 200),
        "topic": topic and words.shortened(topic, 200),
        "due": when.day.isoformat() if when and when.day else None,
        "due_text": when.text if when else None,
        "priority": priority_of(note) or "normal",
    }


def classify_priority(facts: Mapping[str, Any], blunt: bool) -> dict[str, Any] | None:
    """By the words first, then by how near the day is."""
    inputs = inputs_of(facts)
    title, notes = words.first_text(inputs, "title", "text"), words.first_text(inputs, "notes", "note")
    text = f"{title}. {notes}"
    if not title and not notes:
        return None
    for priority, phrases in PRIORITIES:
        if found := words.first_of(text, phrases):
            return {"priority": priority, "reason": f"It says {found!r}."}
    due, today = dates.parse(inputs.get("due")), dates.parse(inputs.get("today"))
    if due and today:
        return _by_day((due - today).days)
    return {"priority": "normal", "reason": "Nothing in it speaks of urgency."}


def dedup_check(facts: Mapping[str, Any], blunt: bool) -> dict[str, Any] | None:
    """The existing task that is most like the new one, where it is like enough."""
    inputs = inputs_of(facts)
    task, existing = inputs.get("task"), inputs.get("existing")
    title = words.first_text(task, "title") or words.text_of(task)
    if not title or not isinstance(existing, list):
        return None
    scored = [(_likeness_of_tasks(task, title, other), index) for index, other in enumerate(existing)]
    best, index = max(scored, key=lambda pair: (pair[0], -pair[1]), default=(0.0, -1))
    if best < (_BLUNT_DUPLICATE_FROM if blunt else _DUPLICATE_FROM):
        reason = "There are no other tasks." if not existing else "No existing task says the same."
        return {"duplicate": False, "duplicate_of": None, "confidence": round(1 - best, 2), "reason": reason}
    other = existing[index]
    return {
        "duplicate": True,
        "duplicate_of": _name_of(other, index),
        "confidence": round(best, 2),
        "reason": f"It says the same as {_title_of(other)!r}.",
    }


def priority_of(text: str) -> str | None:
    return next((priority for priority, phrases in PRIORITIES if words.has_any(text, phrases)), None)


def _without(text: str, span: tuple[int, int]) -> str:
    return words.text_of(f"{text[: span[0]].rstrip()} {text[span[1] :]}").replace(" ,", ",")


def _without_priority(text: str) -> str:
    """Without the words of urgency, and without what they leave behind ("it's", empty commas)."""
    for _, phrases in PRIORITIES:
        for phrase in phrases:
            edge = r"(?:(?<=^)|(?<=[\s,;(]))"
            lead = r"(?:(?:it'?s|it is|this is|that's)\s+)?(?:very\s+|really\s+)?"
            pattern = rf"{edge}{lead}{re.escape(phrase)}(?!\w)\s*[:!]?"
            # Inside of the sentence an adjective belongs to its noun: "important papers" stay what they are.
            if phrase in _HIGH and not re.search(rf"^{pattern}[\s,]|[,;(]\s*{pattern}\s*$|^{pattern}", text, re.I):
                continue
            text = re.sub(pattern, " ", text, flags=re.IGNORECASE)
    return words.text_of(re.sub(r"\s*,(?:\s*,)*\s*(?=$|[,.])", "", text).lstrip(" ,;:")).replace(" ,", ",")


def _person(text: str) -> str | None:
    """Whom a contact verb names, or to whom something goes."""
    for pattern in (_CONTACTED, _GIVEN_TO):
        found = _match(pattern, text, "person")
        if found and found.split()[0].casefold() not in _PRONOUNS:
            return found
    return None


def _match(pattern: re.Pattern[str], text: str, group: str) -> str | None:
    found = pattern.search(text)
    return found[group].strip(" -'’.") or None if found else None


def _by_day(days: int) -> dict[str, Any]:
    if days < 0:
        return {"priority": "urgent", "reason": "It is overdue."}
    if days == 0:
        return {"priority": "urgent", "reason": "It is due today."}
    if days == 1:
        return {"priority": "high", "reason": "It is due tomorrow."}
    if days <= 3:
        return {"priority": "high", "reason": f"It is due in {days} days."}
    return {"priority": "normal" if days <= 30 else "low", "reason": f"It is due in {days} days."}


def _likeness_of_tasks(task: Any, title: str, other: Any) -> float:
    """Titles decide; two different people, or two different days, make two tasks."""
    score = words.likeness(title, _title_of(other))
    if isinstance(task, Mapping) and isinstance(other, Mapping):
        for field in ("person", "due"):
            mine, theirs = words.text_of(task.get(field)).casefold(), words.text_of(other.get(field)).casefold()
            if mine and theirs and mine != theirs:
                score *= 0.5
    return score


def _title_of(task: Any) -> str:
    return words.first_text(task, "title", "text") or words.text_of(task)


def _name_of(task: Any, index: int) -> str:
    """How the other task is called: its id where it has one."""
    found = task.get("id") if isinstance(task, Mapping) else None
    if isinstance(found, str | int) and not isinstance(found, bool):
        return str(found)
    return _title_of(task) or str(index)
