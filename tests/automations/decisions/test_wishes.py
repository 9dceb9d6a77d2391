"""From words to a form: what is said is read, what is not said is left open."""

from __future__ import annotations

from typing import Any

import pytest

from automations.decisions import schedule, wishes
from automations.decisions.wishes import Threshold


@pytest.mark.parametrize(
    ("text", "cron"),
    [
        ("check every morning", "0 8 * * *"),
        ("every day at 9", "0 9 * * *"),
        ("daily at 7:30 pm", "30 19 * * *"),
        ("every evening at 8", "0 20 * * *"),
        ("every weekday at 6:15", "15 6 * * 1-5"),
        ("every monday and friday at noon", "0 12 * * 1,5"),
        ("on weekends", "0 9 * * 0,6"),
        ("every hour", "0 * * * *"),
        ("every 15 minutes", "*/15 * * * *"),
        ("every two hours", "0 */2 * * *"),
        ("once a week", "0 9 * * 1"),
        ("every month at 10am", "0 10 1 * *"),
        ("daily at 12 am", "0 0 * * *"),
        ("every 7 minutes", None),
        ("every 5 hours", None),
        ("when it rains", None),
        ("", None),
    ],
)
def test_a_rhythm_is_read_where_cron_can_say_it(text: str, cron: str | None):
    assert wishes.schedule_of(text) == cron
    if cron:
        schedule.validate_schedule(cron, "UTC")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("when the jacket drops below $100", Threshold("<", 100)),
        ("if it is under 1,299.50 eur", Threshold("<", 1299.5)),
        ("when it costs more than 20", Threshold(">", 20)),
        ("tell me when it is at most 5", Threshold("<=", 5)),
        ("when it drops to 80", Threshold("<=", 80)),
        ("rises by at least 10%", Threshold("increased_by", "10%")),
        ("falls by 5", Threshold("decreased_by", 5)),
        ("when the page changes", Threshold("changed", None)),
        ("tell me the news", None),
    ],
)
def test_a_threshold_is_read_as_a_condition(text: str, found: Threshold | None):
    assert wishes.threshold_of(text) == found


SHOP = {
    "required": ["url", "size"],
    "properties": {"url": {"type": "string", "format": "uri"}, "size": {"type": "string"}, "text": {"type": "string"}},
}
ANSWER = {
    "properties": {
        "price": {"type": ["number", "null"]},
        "stock_count": {"type": "integer"},
        "in_stock": {"type": "boolean"},
    }
}


def test_inputs_are_taken_from_the_words_and_the_rest_is_asked_for():
    found = wishes.inputs_of("watch https://shop.example/a, please", SHOP)
    assert found == {"url": "https://shop.example/a", "text": "watch https://shop.example/a, please"}
    assert wishes.missing_of(found, SHOP) == ["size"]


@pytest.mark.parametrize(
    ("text", "numbers", "field"),
    [
        ("below $100", True, "price"),
        ("when the stock count is under 3", True, "stock_count"),
        ("below 100", True, None),
        ("when in stock changes", False, "in_stock"),
        ("when it changes", False, None),
    ],
)
def test_the_field_is_the_one_that_is_named_or_none(text: str, numbers: bool, field: str | None):
    assert wishes.field_of(text, ANSWER, numbers=numbers) == field


@pytest.mark.parametrize("schema", [None, True, {}, {"properties": {"a": True}}])
def test_a_contract_that_says_nothing_is_no_obstacle(schema: Any):
    assert wishes.inputs_of("https://a.example", schema) == {}
    assert wishes.field_of("below 3", schema, numbers=True) is None
    assert wishes.missing_of({}, schema) == []


def test_a_name_is_the_beginning_of_the_text():
    assert (
        wishes.name_of("Please tell me when the jacket drops below $100, check daily")
        == "Tell me when the jacket drops below $100"
    )
    assert wishes.name_of("notify me if the site is down. thanks") == "The site is down"
    assert len(wishes.name_of("x" * 500)) == 60
