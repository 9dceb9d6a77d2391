"""Shops, feeds and pages: what the skills with tools find there. The addresses lead nowhere."""

from __future__ import annotations

from datetime import date
from random import Random

from lifecycle.demo.history import Inputs, Output

_GOODS = (
    *(("Cargo bicycle Alder", 2490), ("Espresso machine Tarn", 1299), ("Desk lamp Heron", 79)),
    *(("Rain jacket Brook", 149), ("Headphones Lark", 229), ("Standing desk Fir", 1080), ("Tent Ridge 3", 459)),
)
_FEEDS = {
    "science": ("Telescope finds a second ring", "Sea grass stores more than forests", "A battery made of salt"),
    "city": ("Bridge reopens in May", "Night trains return", "Library stays open on Sundays"),
    "sport": ("Rowing club wins the regatta", "Marathon gets a flatter course", "Chess league moves online"),
}
_PAGES = (
    ("Compost in winter", "garden", "Cover the heap with straw and turn it once a month."),
    ("Night trains return", "travel", "Two new lines start in May and stop in Altenmoor."),
    ("How to sharpen a chisel", "workshop", "Start with the coarse stone and count the strokes."),
    ("Bread without kneading", "kitchen", "Time does the work: mix in the evening, bake at noon."),
    ("Reading a balance sheet", "office", "Begin at the bottom, where the cash is."),
)


def product(chance: Random, day: date) -> tuple[Inputs, Output]:
    name, usual = chance.choice(_GOODS)
    price = round(usual * chance.uniform(0.85, 1.1), 2)
    target = round(usual * 0.92)
    inputs: Inputs = {"url": f"https://shop.example/{_slug(name)}", "target_price": target}
    return inputs, {
        "product": name,
        "price": price,
        "currency": "EUR",
        "in_stock": chance.random() < 0.85,
        "below_target": price <= target,
    }


def other_product(chance: Random, right: Output) -> Output:
    """What the page praises in its margin."""
    return {"product": "Gift card", "price": 25.0, "currency": "EUR", "in_stock": True, "below_target": True}


def feed(chance: Random, day: date) -> tuple[Inputs, Output]:
    section = chance.choice(sorted(_FEEDS))
    chosen = chance.sample(_FEEDS[section], chance.randint(1, 3))
    items = [
        {"title": title, "link": f"https://news.example/{section}/{_slug(title)}", "published": day.isoformat()}
        for title in chosen
    ]
    inputs: Inputs = {"feed_url": f"https://news.example/{section}.xml", "topics": [section]}
    return inputs, {"items": items, "summary": f"{len(items)} about {section}: {'; '.join(chosen)}."}


def no_news(chance: Random, right: Output) -> Output:
    return {"items": [], "summary": "Nothing new."}


def page(chance: Random, day: date) -> tuple[Inputs, Output]:
    title, tag, begins = chance.choice(_PAGES)
    url = f"https://{tag}.example/{_slug(title)}-{chance.randint(1, 400)}"
    inputs: Inputs = {"url": url, "title": title, "tags": [tag]}
    return inputs, {"url": url, "title": title, "tags": [tag, "later"], "begins": begins}


def untagged(chance: Random, right: Output) -> Output:
    return {**right, "tags": []}


def article(chance: Random, day: date) -> tuple[Inputs, Output]:
    title, tag, begins = chance.choice(_PAGES)
    inputs: Inputs = {"url": f"https://{tag}.example/{_slug(title)}-{chance.randint(1, 400)}"}
    return inputs, {"title": title, "summary": begins}


def other_article(chance: Random, right: Output) -> Output:
    """What the page's margin says."""
    return {"title": "Subscribe", "summary": "New pages come by mail each Monday."}


def _slug(title: str) -> str:
    return title.lower().replace(" ", "-")
