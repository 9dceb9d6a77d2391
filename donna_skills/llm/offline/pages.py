"""Rules for what tools brought back from the web: summaries made of the text's own sentences, news, prices."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from donna_skills.llm.offline import words
from donna_skills.llm.offline.shapes import inputs_of

_MAX_DEPTH = 6
_MAX_SENTENCES = 200
_SUMMARY_SENTENCES = 3
_LONGEST_SUMMARY = 1000

_SIGNS = {"€": "EUR", "$": "USD", "£": "GBP", "¥": "JPY"}
_CODE = r"USD|EUR|GBP|CHF|JPY|SEK|NOK|DKK|CAD|AUD|PLN"
_AMOUNT = r"\d{1,3}(?:[.,  ']\d{3})+(?:[.,]\d{1,2})?|\d+(?:[.,]\d{1,2})?"
_PRICE = re.compile(
    rf"(?P<before>[€$£¥]|\b(?:{_CODE}))\s?(?P<first>{_AMOUNT})|(?P<second>{_AMOUNT})\s?(?P<after>[€$£¥]|(?:{_CODE})\b)"
)
_OUT_OF_STOCK = ("out of stock", "sold out", "unavailable", "not available", "currently unavailable", "outofstock")
_IN_STOCK = ("in stock", "available", "add to cart", "add to basket", "buy now", "instock", "only a few left")


def summarise_page(facts: Mapping[str, Any], blunt: bool) -> dict[str, Any] | None:
    """A title and the sentences that say most, in their own order."""
    page = _page(facts) or inputs_of(facts)
    text = words.first_text(page, "text", "content", "body")
    raw = page.get("text") if isinstance(page.get("text"), str) else text
    if not text:
        return None
    title = words.first_text(page, "title") or words.shortened(words.sentences(text)[0], 120)
    return {"title": title, "summary": summary_of(str(raw), about=title, blunt=blunt)}


def summary_of(text: str, *, about: str = "", blunt: bool = False) -> str:
    """The reference takes the sentences whose words recur most; a blunt author takes the first ones."""
    found = words.sentences(text)[:_MAX_SENTENCES]
    if blunt or len(found) <= _SUMMARY_SENTENCES:
        chosen = found[:_SUMMARY_SENTENCES]
    else:
        weight = Counter(words.keywords(text)) + Counter(words.keywords(about))
        best = sorted(range(len(found)), key=lambda index: (-_weight_of(found[index], weight), index))
        chosen = [found[index] for index in sorted(best[:_SUMMARY_SENTENCES])]
    return words.shortened(" ".join(chosen), _LONGEST_SUMMARY)


def check_news(facts: Mapping[str, Any], blunt: bool) -> dict[str, Any] | None:
    """The entries of a feed that speak of the wanted topics (all of them where none are wanted)."""
    feed = _first(facts, lambda found: isinstance(found.get("items"), list))
    if feed is None:
        return None
    topics = [topic for topic in map(words.text_of, _list(inputs_of(facts).get("topics"))) if topic]
    entries = [entry for entry in feed["items"] if isinstance(entry, Mapping) and words.text_of(entry.get("title"))]
    chosen = [entry for entry in entries if not topics or any(_speaks_of(entry, topic) for topic in topics)]
    return {"items": [_entry(entry) for entry in chosen], "summary": _news_summary(chosen, topics)}


def watch_product(facts: Mapping[str, Any], blunt: bool) -> dict[str, Any] | None:
    """Name, price and whether it can be bought, from the page's marked fields first and its text second."""
    page = _page(facts)
    if page is None:
        return None
    fields = page["fields"] if isinstance(page.get("fields"), Mapping) else {}
    text = words.text_of(page.get("text"))
    price, currency = _price(words.first_text(fields, "price", "amount"), words.first_text(fields, "currency"))
    if price is None:
        price, currency = _price(text, currency or "")
    name = words.first_text(fields, "product", "name", "title") or words.first_text(page, "title")
    wanted = inputs_of(facts).get("target_price")
    return {
        "product": name or None,
        "price": price,
        "currency": currency,
        "in_stock": _in_stock(words.first_text(fields, "availability", "stock", "in_stock") or text),
        "below_target": bool(price is not None and isinstance(wanted, int | float) and price <= wanted),
    }


def _page(facts: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What html_extract gave, else what web_fetch gave."""
    return _first(facts, lambda found: "fields" in found and "text" in found) or _first(
        facts, lambda found: isinstance(found.get("text"), str)
    )


def _first(facts: Mapping[str, Any], wanted: Callable[[Mapping[str, Any]], bool]) -> Mapping[str, Any] | None:
    """This step's tool results first, then what earlier steps left."""
    for place in ("tools", "state"):
        found = next((value for value in _mappings(facts.get(place)) if wanted(value)), None)
        if found is not None:
            return found
    return None


def _mappings(value: Any, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    if depth > _MAX_DEPTH or not isinstance(value, Mapping | list):
        return
    if isinstance(value, Mapping):
        yield value
    for part in value.values() if isinstance(value, Mapping) else value:
        yield from _mappings(part, depth + 1)


def _weight_of(sentence: str, weight: Mapping[str, int]) -> float:
    """The mean, so that a long sentence does not win by its length."""
    found = words.keywords(sentence)
    return sum(weight.get(word, 0) for word in found) / len(found) if len(found) > 3 else 0.0


def _speaks_of(entry: Mapping[str, Any], topic: str) -> bool:
    text = f"{words.text_of(entry.get('title'))} {words.text_of(entry.get('summary'))}"
    return set(words.keywords(topic)) <= set(words.keywords(text)) or topic.casefold() in text.casefold()


def _entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value if name == "published" and value is None else words.text_of(value)
        for name in ("title", "link", "published", "summary")
        if (value := entry.get(name)) is not None
    }


def _news_summary(entries: list[Mapping[str, Any]], topics: list[str]) -> str:
    about = f" about {', '.join(topics)}" if topics else ""
    if not entries:
        return f"No news{about}."
    titles = "; ".join(words.text_of(entry.get("title")) for entry in entries[:5])
    return words.shortened(f"{len(entries)} item{'s' if len(entries) > 1 else ''}{about}: {titles}.", _LONGEST_SUMMARY)


def _price(text: str, currency: str) -> tuple[float | None, str | None]:
    """The first amount that stands by a currency, else the text itself where it is a bare number."""
    if found := _PRICE.search(text):
        sign = found["before"] or found["after"]
        return _number(found["first"] or found["second"]), _SIGNS.get(sign, sign)
    code = _SIGNS.get(currency, currency.upper()) or None
    return (_number(text) if re.fullmatch(_AMOUNT, text) else None), code


def _number(text: str) -> float | None:
    """1.299,00 and 1,299.00 alike: the last sign parts the cents where one or two digits follow it."""
    digits = re.sub(r"[  ']", "", text)
    cents = re.search(r"[.,](\d{1,2})$", digits)
    whole = re.sub(r"[.,]", "", digits[: cents.start()] if cents else digits)
    try:
        return float(Decimal(f"{whole}.{cents[1]}" if cents else whole))
    except InvalidOperation:
        return None


def _in_stock(text: str) -> bool | None:
    """None where the page does not say."""
    if words.has_any(text.replace("/", " "), _OUT_OF_STOCK):
        return False
    return True if words.has_any(text.replace("/", " "), _IN_STOCK) else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if isinstance(value, str) else []
