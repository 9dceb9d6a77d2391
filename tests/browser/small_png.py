"""Pictures of pages as PNG with a palette: a page has few colours, and a repository keeps every picture for ever."""

from __future__ import annotations

import base64
import struct
import zlib
from collections import Counter
from pathlib import Path

from playwright.sync_api import Page

COLOURS = 256
_PIXELS = """async encoded => {
    const picture = await createImageBitmap(await (await fetch('data:image/png;base64,' + encoded)).blob());
    const sheet = new OffscreenCanvas(picture.width, picture.height).getContext('2d');
    sheet.drawImage(picture, 0, 0);
    const pixels = sheet.getImageData(0, 0, picture.width, picture.height).data;
    let text = '';
    for (let at = 0; at < pixels.length; at += 32768) text += String.fromCharCode(...pixels.subarray(at, at + 32768));
    return [picture.width, picture.height, btoa(text)];
}"""


def keep(picture: bytes, path: Path, *, page: Page) -> None:
    """Write a PNG with at most 256 colours; rarer ones become the nearest of those. `page`, a blank one, decodes it."""
    width, height, encoded = page.evaluate(_PIXELS, base64.b64encode(picture).decode())
    data = base64.b64decode(encoded)
    pixels = [data[at : at + 3] for at in range(0, len(data), 4)]
    counted = Counter(pixels).most_common()
    palette = [colour for colour, _ in counted[:COLOURS]]
    index = {colour: number for number, colour in enumerate(palette)}
    for colour, _ in counted[COLOURS:]:
        index[colour] = min(range(len(palette)), key=lambda number: _distance(palette[number], colour))
    flat = bytes(index[pixel] for pixel in pixels)
    lines = b"".join(b"\0" + flat[at : at + width] for at in range(0, len(flat), width))
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = [(b"IHDR", header), (b"PLTE", b"".join(palette)), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, body) for name, body in parts))


def _distance(one: bytes, other: bytes) -> int:
    return sum((left - right) ** 2 for left, right in zip(one, other, strict=True))


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
