"""What an alert says: by the template of its capability where there is one and it has something to say."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings

from automations.decisions import alerts
from automations.models import Automation
from automations.services import texts
from automations.services.texts import Text
from lifecycle.models import Capability

JACKET = {"product": "Rain jacket", "price": 89.5, "currency": "EUR", "in_stock": True, "below_target": True}
BELOW = {"field": "price", "op": "<", "value": 100}
SHOP = {"url": "https://shop.example/jacket", "target_price": 100}
NEWS = {"title": "The bridge opens", "link": "https://news.example/1"}
FAILED: dict[str, Any] = {"on": "failure"}


def said(capability: str, output: Any, *, conditions: Any = BELOW, inputs: Any = SHOP, status: Any = "success") -> Text:
    automation = Automation(
        name="Watch", capability=Capability(name=capability), inputs=inputs, alert_conditions=conditions
    )
    return texts.of(automation, alerts.evaluate(conditions, output, status=status), output)


def test_a_product_is_named_with_its_price_and_where_to_buy_it():
    assert said("product_watch", JACKET) == Text(
        "Watch: Rain jacket costs 89.5 EUR",
        "The price that was waited for: 100.\nIt is in stock.\nhttps://shop.example/jacket",
    )


def test_a_product_that_became_dearer_is_over_and_what_the_page_does_not_say_is_left_out():
    dearer = {**JACKET, "product": None, "price": 120, "currency": None, "in_stock": None}
    assert said("product_watch", dearer, inputs={"url": "https://shop.example/jacket"}) == Text(
        "Watch: it is over, the product costs 120",
        "What was reported is no longer so.\nhttps://shop.example/jacket",
    )


def test_a_product_that_is_gone_says_so():
    told = said("product_watch", {**JACKET, "in_stock": False}, conditions={"field": "in_stock", "op": "exists"})
    assert told.title == "Watch: Rain jacket costs 89.5 EUR, out of stock"


@pytest.mark.parametrize("capability", ["product_watch", "news_check"])
def test_a_run_without_an_output_is_told_of_in_plain_words(capability: str):
    assert said(capability, None, conditions=FAILED, status="failure").title == "Watch: The run failed"


def test_news_are_a_line_each_and_the_many_are_counted():
    output = {"items": [NEWS, {"title": "No link", "link": None}], "summary": "Two things."}
    told = said("news_check", output, conditions={"field": "items.0.title", "op": "exists"}, inputs={})
    assert told == Text(
        "Watch: 2 entries of interest", "Two things.\n- The bridge opens https://news.example/1\n- No link"
    )
    many = said("news_check", {**output, "items": [NEWS] * 10}, conditions={"field": "items", "op": "exists"})
    assert many.title == "Watch: 10 entries of interest"
    assert many.body.endswith("\nand 2 more.")


def test_every_template_belongs_to_a_capability_that_is_shipped():
    folder = settings.BASE_DIR / "templates" / "automations" / "alerts"
    shipped = {path.name for path in (settings.BASE_DIR / "skills").iterdir()}
    assert {path.stem for path in folder.iterdir()} <= shipped
