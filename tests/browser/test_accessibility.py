"""Every page, filled and empty, in light and in dark: no serious fault by axe-core, no sideways scrolling at 390 px,
light enough for a slow line. The `visit` fixture fails a test whose console holds an error."""

from __future__ import annotations

import gzip
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, expect

from donna_skills import menu
from donna_skills.accounts.models import User
from tests.browser import tour, world
from tests.browser.conftest import DESK, PHONE, log_in, overflow

GRAVE = {"serious", "critical"}
HEAVIEST_BYTES = 200_000
"""What a page and all that it needs may weigh on the way, packed as whitenoise serves static files."""
WITH_ROWS = {
    "automation_detail", "automation_edit", "automation_run", "capability_detail", "comparison_list", "job_detail",
    "review_detail", "review_edit", "run_detail", "skill_detail", "version_diff",
}  # fmt: skip
"""Pages that the tour has to find a row for."""
WHERE = {"exclude": [["tbody tr:nth-child(n + 13)"]]}
"""Rows further down a table are like those above them, and looking at each would take a minute."""
ALL_RULES = {"resultTypes": ["violations"]}
COLOURS = {**ALL_RULES, "runOnly": ["color-contrast", "link-in-text-block"]}
"""The rules that another theme could break."""
NO_COLOURS = {**ALL_RULES, "rules": {"color-contrast": {"enabled": False}}}
SIZES = """() => [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
    .map(entry => [entry.name, entry.encodedBodySize])"""
STICKS_OUT = """() => [...document.querySelectorAll('main *')]
    .filter(one => one.getBoundingClientRect().right > innerWidth && !one.closest('.table-scroll, pre'))
    .map(one => one.outerHTML.slice(0, 120)).at(-1)"""


def test_every_page_can_be_read_by_everybody(visit: Any, demo_people: str) -> None:
    world.build()
    page = visit("/", color_scheme="light", reduced_motion="reduce")
    log_in(page, "admin", demo_people)
    seen = _tour(page, "admin")
    assert ({entry.url_name for entry in menu.ENTRIES} | WITH_ROWS) - {"admin:index"} <= seen


def test_every_empty_page_can_be_read_by_everybody(visit: Any, demo_people: str) -> None:
    page = visit("/", color_scheme="light", reduced_motion="reduce")
    assert _faults(page) == []
    log_in(page, "author", demo_people)
    _tour(page, "author")


def _tour(page: Page, name: str) -> set[str]:
    """The kinds of pages that were seen. Colours take the most time, so they are looked at once for each kind."""
    faults: list[str] = []
    seen: set[str] = set()
    for stop in tour.stops(User.objects.get(username=name)):
        page.goto(stop.path)
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
        kind = stop.name.split()[0]
        faults += [f"{stop.name} ({stop.path}) {fault}" for fault in _faults(page, colours=kind not in seen)]
        seen.add(kind)
    assert not faults, "\n".join(faults)
    return seen


def _faults(page: Page, *, colours: bool = True) -> list[str]:
    """What is wrong with the page that is open, as sentences."""
    page.evaluate(AXE_SCRIPT)
    found = _grave(page, ALL_RULES if colours else NO_COLOURS)
    if colours:
        page.emulate_media(color_scheme="dark")
        found += [f"in the dark: {said}" for said in _grave(page, COLOURS)]
        page.emulate_media(color_scheme="light")
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    if wider := overflow(page):
        found.append(f"is {wider} px wider than a phone: {page.evaluate(STICKS_OUT)}")
    page.set_viewport_size(DESK)  # type: ignore[arg-type]
    if (weight := _weight(page)) > HEAVIEST_BYTES:
        found.append(f"weighs {weight:,} bytes")
    return found


def _grave(page: Page, options: dict[str, Any]) -> list[str]:
    violations = page.evaluate("asked => axe.run(asked[0], asked[1]).then(found => found.violations)", [WHERE, options])
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
