"""The demo's own small web: a shop, a city's news and an office's notice board, each as it looks on a given day.

The application serves it under /demo/ where settings.DEMO_SITE is set; before the first start `stand` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.template.loader import render_to_string

SEASON_DAYS = 14
"""So long the jacket keeps its price, more or less; then it is on sale."""
FEED = "news/city.xml"
BOARD = "office/board/"
_PRICES: tuple[str, ...] = (
    *("149.00", "149.00", "149.00", "144.00", "144.00", "149.00", "149.00"),
    *("149.00", "139.00", "139.00", "144.00", "134.00", "134.00", "134.00"),
)
_SALE, _SALE_DAYS, _AFTERWARDS = "119.00", 5, "129.00"
_NEWS = (
    ("Night trains return to the harbour line", "From May two trains run each night, with a stop at the old bridge."),
    ("City library opens on Sundays", "Readers asked for it for years; the reading room opens from ten to six."),
    ("Bridge reopens after repairs", "The works cost a tenth less than planned, says the city's engineer."),
    ("Rowing club wins the regatta", "Eight hundred people watched the last race from the quay."),
    ("Market moves to the station square", "Stalls stand there on Wednesdays while the hall gets its new roof."),
    ("More trees for the ring road", "Two hundred limes are planted before the winter."),
)
_NOTICES = (
    ("The lift is checked", "The lift stands still from nine to eleven. Parcels go to the ground floor meanwhile."),
    ("Fire drill", "The bell rings at two. Everybody meets by the bicycles, and nobody takes the stairs on the left."),
    ("New coffee machine", "It stands in the small kitchen. Ines shows how it is cleaned, at ten and again at three."),
    ("Guests from Brightwater", "Six people come for lunch. The large meeting room is taken until four."),
    ("Window cleaning", "The windows on the street side are cleaned. Please clear the sills by Thursday evening."),
)


@dataclass(frozen=True)
class Page:
    content_type: str
    text: str


def jacket(season: date) -> str:
    """Where the jacket of a season is sold, whose first day is part of the address."""
    return f"shop/{season.isoformat()}/rain-jacket/"


def page(path: str, *, day: date) -> Page | None:
    """What there is under /demo/ at this path on that day (UTC); None for any other path."""
    if path == FEED:
        return Page("application/rss+xml; charset=utf-8", render_to_string("automations/demo/city.xml", _feed(day)))
    if path == BOARD:
        title, text = _NOTICES[day.toordinal() % len(_NOTICES)]
        return _html("automations/demo/board.html", {"title": title, "text": text, "day": day})
    season = _season(path)
    if season is None:
        return None
    return _html("automations/demo/jacket.html", {"price": price(season, day=day), "day": day})


def price(season: date, *, day: date) -> str:
    age = (day - season).days
    if age < SEASON_DAYS:
        return _PRICES[max(0, age)]
    return _SALE if age < SEASON_DAYS + _SALE_DAYS else _AFTERWARDS


def _season(path: str) -> date | None:
    parts = path.split("/")
    if len(parts) != 4 or (parts[0], *parts[2:]) != ("shop", "rain-jacket", ""):
        return None
    try:
        return date.fromisoformat(parts[1])
    except ValueError:
        return None


def _feed(day: date) -> dict[str, object]:
    """Yesterday's and today's entries, the newest first."""
    entries = []
    for ago in range(2):
        that = day - timedelta(days=ago)
        for step in range(2):
            title, text = _NEWS[(2 * that.toordinal() - step) % len(_NEWS)]
            at = datetime.combine(that, time(6 - 3 * step), UTC)
            entries.append({"title": title, "text": text, "at": at, "slug": title.lower().replace(" ", "-")})
    return {"entries": entries}


def _html(template: str, context: dict[str, object]) -> Page:
    return Page("text/html; charset=utf-8", render_to_string(template, context))
