"""The plain rules: what they read in notes, messages and pages, and that nothing makes them stumble."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from donna_skills.llm import offline
from donna_skills.llm.adapters.offline import OfflineAdapter
from donna_skills.llm.port import ModelRequest, Purpose
from donna_skills.llm.routing import Route
from lifecycle.execution import triage

TODAY = "2026-11-21"  # a Saturday


def ask(
    task_type: str, *, schema: Mapping[str, Any] | None = None, blunt: bool = False, **facts: Any
) -> dict[str, Any]:
    request = ModelRequest(purpose=Purpose.NATIVE, task_type=task_type, prompt="", schema=schema, facts=facts)
    found: dict[str, Any] = json.loads(offline.answer(request, blunt=blunt))
    return found


def read_note(text: str, **changes: Any) -> dict[str, Any]:
    return ask("parse_task", inputs={"text": text, "today": TODAY}, **changes)


@pytest.mark.parametrize("blunt", [False, True])
def test_the_readmes_note_becomes_a_task(blunt: bool) -> None:
    assert read_note("call the mechanic monday about the brakes, urgent", blunt=blunt) == {
        "title": "Call the mechanic about the brakes",
        "person": "mechanic",
        "topic": "the brakes",
        "due": "2026-11-23",
        "due_text": "monday",
        "priority": "urgent",
    }


@pytest.mark.parametrize(
    ("note", "due", "due_text"),
    [
        ("pay rent today", "2026-11-21", "today"),
        ("pay rent tomorrow morning", "2026-11-22", "tomorrow morning"),
        ("pay rent the day after tomorrow", "2026-11-23", "the day after tomorrow"),
        ("pay rent on Saturday", "2026-11-28", "Saturday"),
        ("pay rent by next friday at 5pm", "2026-11-27", "next friday at 5pm"),
        ("pay rent in 3 days", "2026-11-24", "in 3 days"),
        ("pay rent in two weeks", "2026-12-05", "in two weeks"),
        ("pay rent before 2027-01-31", "2027-01-31", "2027-01-31"),
        ("pay rent by 1st of december", "2026-12-01", "1st of december"),
        ("pay rent on march 5", "2027-03-05", "march 5"),
        ("pay rent on 5 march 2028", "2028-03-05", "5 march 2028"),
        ("pay rent by the end of the month", "2026-11-30", "the end of the month"),
        ("pay rent next week", "2026-11-23", "next week"),
        ("pay rent on 2026-13-45", None, None),
        ("pay rent for the sun room", None, None),
    ],
)
def test_words_that_say_when_become_days(note: str, due: str | None, due_text: str | None) -> None:
    found = read_note(note)
    assert (found["due"], found["due_text"]) == (due, due_text)


def test_without_a_known_today_only_a_full_date_is_a_day() -> None:
    assert ask("parse_task", inputs={"text": "pay on friday"})["due"] is None
    assert ask("parse_task", inputs={"text": "pay on friday"})["due_text"] == "friday"
    assert ask("parse_task", inputs={"text": "pay by 2027-01-31"})["due"] == "2027-01-31"


@pytest.mark.parametrize(
    ("note", "person"),
    [
        ("remind me to email Sara about the contract", "Sara"),
        ("lunch with Ana Lopez on thursday", "Ana Lopez"),
        ("send the tax papers to the accountant", "accountant"),
        ("follow up with Peter", "Peter"),
        ("ask my brother whether he can come", "brother"),
        ("call back", None),
        ("buy milk", None),
        ("replace the tyres with new ones", None),
    ],
)
def test_whom_a_note_names(note: str, person: str | None) -> None:
    assert read_note(note)["person"] == person


@pytest.mark.parametrize(
    ("note", "title", "priority"),
    [
        ("URGENT: fix the door", "Fix the door", "urgent"),
        ("fix the door asap!", "Fix the door", "urgent"),
        ("fix the door, it's not urgent", "Fix the door", "low"),
        ("important: fix the door", "Fix the door", "high"),
        ("fetch the important papers", "Fetch the important papers", "high"),
        ("can you please fix the door", "Fix the door", "normal"),
    ],
)
def test_words_of_urgency_are_read_and_left_out_of_the_title(note: str, title: str, priority: str) -> None:
    found = read_note(note)
    assert (found["title"], found["priority"]) == (title, priority)


def test_the_parser_is_blunter_than_the_reference_but_not_elsewhere() -> None:
    note = "pay rent in two weeks"
    assert (read_note(note)["due"], read_note(note, blunt=True)["due"]) == ("2026-12-05", None)
    adapter = OfflineAdapter()
    request = ModelRequest(
        purpose=Purpose.NATIVE, task_type="parse_task", prompt="", facts={"inputs": {"text": note, "today": TODAY}}
    )
    replies = [adapter.complete(a_route(alias), request, 1.0) for alias in ("reasoner", "parser")]
    assert replies[0].text != replies[1].text
    assert [reply.model for reply in replies] == ["offline-reasoner", "offline-parser"]


def a_route(alias: str) -> Route:
    return Route(alias=alias, adapter="offline", provider="offline", model=f"offline-{alias}")


def test_a_double_is_found_and_another_person_or_day_makes_another_task() -> None:
    existing = [{"id": "t1", "title": "Buy milk"}, {"id": "t2", "title": "Call the mechanic about brakes"}]
    found = ask("dedup_check", inputs={"task": {"title": "call mechanic about the brakes"}, "existing": existing})
    assert (found["duplicate"], found["duplicate_of"]) == (True, "t2")
    task = {"title": "Call about the contract", "person": "Sara"}
    other = [{"id": "t3", "title": "Call about the contract", "person": "Peter"}]
    assert ask("dedup_check", inputs={"task": task, "existing": other})["duplicate"] is False
    assert ask("dedup_check", inputs={"task": task, "existing": []})["duplicate_of"] is None


@pytest.mark.parametrize(
    ("inputs", "priority"),
    [
        ({"title": "Server is down, critical"}, "urgent"),
        ({"title": "Pay", "due": "2026-11-20", "today": TODAY}, "urgent"),
        ({"title": "Pay", "due": "2026-11-22", "today": TODAY}, "high"),
        ({"title": "Pay", "due": "2026-12-05", "today": TODAY}, "normal"),
        ({"title": "Sort photos", "notes": "no rush"}, "low"),
        ({"title": "Buy milk"}, "normal"),
    ],
)
def test_urgency_comes_from_words_first_and_from_the_day_second(inputs: dict[str, Any], priority: str) -> None:
    assert ask("classify_priority", inputs=inputs)["priority"] == priority


def test_prices_are_read_in_either_way_of_writing_them() -> None:
    def price(text: str) -> tuple[Any, Any, Any]:
        found = ask("product_watch", inputs={}, tools={"page": {"title": "A lamp", "text": text, "fields": {}}})
        return found["price"], found["currency"], found["in_stock"]

    assert price("Now only 1.299,00 € — in stock") == (1299.0, "EUR", True)
    assert price("$1,299.50. Sold out") == (1299.5, "USD", False)
    assert price("GBP 20") == (20.0, "GBP", None)
    assert price("Ask us for a price") == (None, None, None)


def test_marked_fields_come_before_the_text() -> None:
    fields = {"product": "Lamp X", "price": "49.90", "currency": "EUR", "availability": "https://schema.org/InStock"}
    page = {"title": "Shop", "text": "Before: 99 €. Sold out elsewhere", "fields": fields}
    found = ask("product_watch", inputs={}, tools={"page": page})
    assert (found["product"], found["price"], found["currency"], found["in_stock"]) == ("Lamp X", 49.9, "EUR", True)


def test_news_are_chosen_by_topic() -> None:
    feed = {"title": "Feed", "items": [{"title": "Rail strike ends", "link": "a"}, {"title": "New phone", "link": "b"}]}
    found = ask("news_check", inputs={"topics": ["strikes"]}, tools={"feed": feed})
    assert [item["link"] for item in found["items"]] == ["a"]
    assert len(ask("news_check", inputs={}, tools={"feed": feed})["items"]) == 2
    assert ask("news_check", inputs={"topics": ["opera"]}, tools={"feed": feed})["items"] == []


def test_a_summary_is_made_of_the_texts_own_sentences() -> None:
    sentences = [f"Sentence number {number} speaks of the harbour and its cranes." for number in range(9)]
    page = {"title": "Harbour", "text": " ".join(["Hello there all.", *sentences]), "fields": {}}
    found = ask("fetch_and_summarize", inputs={"url": "https://a.example"}, tools={"page": page})
    assert found["title"] == "Harbour"
    assert found["summary"] and all(part in page["text"] for part in found["summary"].split(". "))


@pytest.mark.parametrize(
    ("first", "second", "agreement"),
    [
        ({"a": 1, "b": "x"}, {"a": 1, "b": "x"}, 1.0),
        ({"a": 1, "b": "x"}, {"a": 2, "b": "x"}, 0.5),
        ({"due": "2026-11-23"}, {"due": "2026-11-24"}, 0.0),
        ({"title": "Call the mechanic"}, {"title": "call mechanic."}, 1.0),
        ({"topic": None}, {}, 1.0),
        ({"done": True}, {"done": 1}, 0.0),
        ([1, 2], [1, 2, 3], 0.6667),
        ({}, {}, 1.0),
    ],
)
def test_the_judge_is_strict_on_facts_and_lenient_on_wording(first: Any, second: Any, agreement: float) -> None:
    found = ask("judge", first=first, second=second)
    assert found["agreement"] == agreement
    assert found["rationale"]
    assert ask("judge", first=second, second=first)["agreement"] == agreement


def test_triage_sends_a_failed_step_to_the_reference() -> None:
    decision = triage.parse_triage(json.dumps(ask("triage", schema=triage.SCHEMA, inputs={"text": "x"})))
    assert decision.action is triage.Action.ESCALATE
    assert "offline rules" in decision.reason


def test_an_unknown_task_is_answered_with_echoes_and_empty_values() -> None:
    schema = {
        "type": "object",
        "additionalProperties": False,
        "required": ["city", "count", "when", "kind", "tags", "note"],
        "properties": {
            "city": {"type": "string"},
            "count": {"type": "integer", "minimum": 2},
            "when": {"type": "string", "format": "date"},
            "kind": {"enum": ["small", "large"]},
            "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1},
            "note": {"type": ["string", "null"]},
            "extra": {"type": "string"},
        },
    }
    found = ask("never_seen", schema=schema, inputs={"city": "Oslo", "count": "three", "other": 1})
    assert (found["city"], found["count"], found["kind"]) == ("Oslo", 2, "small")
    jsonschema.validate(found, schema)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
field_names = st.sampled_from(
    [
        "text",
        "title",
        "task",
        "existing",
        "due",
        "today",
        "topics",
        "items",
        "fields",
        "subject",
        "body",
        "price",
        "url",
    ]
)
inputs = st.dictionaries(field_names, json_values, max_size=6)


@given(
    task_type=st.sampled_from(sorted(offline.RULES)),
    facts=st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(("inputs", "tools", "state", "first", "second", "step"), inputs | json_values),
    ),
    blunt=st.booleans(),
)
def test_no_input_makes_a_rule_stumble_and_twice_is_the_same(task_type: str, facts: Any, blunt: bool) -> None:
    schema = {"type": "object", "required": ["title"], "properties": {"title": {"type": "string", "maxLength": 200}}}
    found = ask(task_type, schema=schema, blunt=blunt, **facts)
    assert isinstance(found["title"], str)
    assert found == ask(task_type, schema=schema, blunt=blunt, **facts)


@pytest.mark.parametrize("task_type", sorted(offline.RULES))
@pytest.mark.parametrize(
    "text",
    ["a" * 100_000, "send " * 20_000, "about, " * 15_000, "1.1.1." * 15_000, "in two " * 15_000, " " * 100_000],
    ids=["one word", "verbs", "commas", "numbers", "times", "blanks"],
)
def test_a_long_text_is_read_quickly(task_type: str, text: str) -> None:
    inputs = {"text": text, "title": text, "subject": text, "body": text, "task": {"title": text}, "existing": [text]}
    page = {"title": text, "text": text, "fields": {"price": text}, "items": [{"title": text, "summary": text}]}
    started = time.thread_time()
    ask(task_type, inputs={**inputs, "topics": ["rail"]}, tools={"page": page}, first=inputs, second=page)
    assert time.thread_time() - started < 2
