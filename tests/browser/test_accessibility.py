"""Every page, filled and empty, in light and in dark: no serious fault by axe-core, no sideways scrolling at 390 px, light
enough for a slow line. The `visit` fixture fails a test whose console holds an error."""

from __future__ import annotations

import gzip
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from donna_skills.accounts.models import User
from tests.browser import tour, world
from tests.browser.conftest import DESK, PHONE, log_in, overflow

GRAVE = {"serious", "critical"}
HEAVIEST_BYTES = 200_000
"""What a page and all that it needs may weigh on the way, packed as whitenoise serves static files."""
ALL_RULES = {"resultTypes": ["violations"]}
COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"], "resultTypes": ["violations"]}
"""The rules that another theme could break."""
SIZES = """() => [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
    .map(entry => [entry.name, entry.encodedBodySize])"""

STICKS_OUT = """() => [...document.querySelectorAll('main *')]
    .filter(one => one.getBoundingClientRect().right > innerWidth && !one.closest('.table-scroll, pre'))
    .map(one => one.outerHTML.slice(0, 120)).at(-1)"""


def test_every_page_can_be_read_by_everybody(visit: Any, demo_people: str) -> None:
    world.build()
    page = visit("/", reduced_motion="reduce")
    log_in(page, "admin", demo_people)
    _tour(page, "admin")


@pytest.mark.parametrize("name", ["viewer", "author"])
def test_every_empty_page_can_be_read_by_everybody(visit: Any, demo_people: str, name: str) -> None:
    page = visit("/", reduced_motion="reduce")
    assert _faults(page) == []
    log_in(page, name, demo_people)
    _tour(page, name)


def _tour(page: Page, name: str) -> None:
    faults: list[str] = []
    for stop in tour.stops(User.objects.get(username=name)):
        page.goto(stop.path)
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
        faults += [f"{stop.name} ({stop.path}) {fault}" for fault in _faults(page)]
    assert not faults, "\n".join(faults)


def _faults(page: Page) -> list[str]:
    """What is wrong with the page that is open, as sentences."""
    found = []
    page.emulate_media(color_scheme="light")
    found += [f"in light: {said}" for said in _grave(page, ALL_RULES)]
    page.emulate_media(color_scheme="dark")
    found += [f"in dark: {said}" for said in _grave(page, COLOURS)]
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    if wider := overflow(page):
        found.append(f"is {wider} px wider than a phone: {page.evaluate(STICKS_OUT)}")
    page.set_viewport_size(DESK)  # type: ignore[arg-type]
    if (weight := _weight(page)) > HEAVIEST_BYTES:
        found.append(f"weighs {weight:,} bytes")
    return found


def _grave(page: Page, options: dict[str, Any]) -> list[str]:
    violations = Axe().run(page, options=options).response["violations"]
    return [
        f"{fault['id']}: {fault['help']}: {node['html'][:160]}"
        for fault in violations
        if fault["impact"] in GRAVE
        for node in fault["nodes"][:3]
    ]


def _weight(page: Page) -> int:
    """The document as it comes, and all that it loaded, packed."""
    sizes = dict(page.evaluate(SIZES))
    statics = [url for url in sizes if urlsplit(url).path.startswith("/static/")]
    return sum(size for url, size in sizes.items() if url not in statics) + sum(_packed(page, url) for url in statics)


_PACKED: dict[str, int] = {}


def _packed(page: Page, url: str) -> int:
    path = urlsplit(url).path
    if path not in _PACKED:
        _PACKED[path] = len(gzip.compress(page.request.get(url).body()))
    return _PACKED[path]
