"""Pictures for the README: as large as the page was, in its colours, and small."""

from __future__ import annotations

import struct
from pathlib import Path

from playwright.sync_api import Browser

from tests.browser import small_png

PAGE = """<body style="margin: 0; background: rgb(10, 20, 30)">
<div style="height: 50px; background: linear-gradient(to right, rgb(0, 0, 0), rgb(255, 0, 90))"></div>"""


def test_a_picture_keeps_its_size_and_its_common_colours(chromium: Browser, tmp_path: Path) -> None:
    page = chromium.new_page(viewport={"width": 300, "height": 100})
    page.set_content(PAGE)
    taken, kept = page.screenshot(), tmp_path / "kept.png"
    small_png.keep(taken, kept, page=page)
    assert struct.unpack(">II", kept.read_bytes()[16:24]) == (300, 100)
    assert _palette(kept)[0] == bytes((10, 20, 30))
    assert 100 < len(_palette(kept)) <= small_png.COLOURS

    page.goto(f"file://{kept}")
    again = tmp_path / "again.png"
    small_png.keep(page.locator("img").screenshot(), again, page=page)
    page.close()
    assert set(_palette(again)) == set(_palette(kept))


def _palette(picture: Path) -> list[bytes]:
    written = picture.read_bytes()
    at = written.index(b"PLTE")
    (length,) = struct.unpack(">I", written[at - 4 : at])
    colours = written[at + 4 : at + 4 + length]
    return [colours[start : start + 3] for start in range(0, length, 3)]
