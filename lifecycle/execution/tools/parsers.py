"""Reading strangers' HTML and feeds: pure functions, and the process of its own that large ones are read in.

A page may be built so that a parser needs minutes or gigabytes for it: elements nested a hundred thousand deep,
formatting that every paragraph has to open again. Neither shows from outside without parsing. So small pages are read
here, where they can do no harm, and all others in a process with limits on its time and memory. That process runs this
file as a script: it imports nothing of ours, and so starts fast.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from html import unescape
from io import BytesIO
from typing import Any

MAX_TEXT = 200_000
MAX_FIELD_TEXT = 10_000
SMALL_TAGS = 1_000
"""With so few tags not even the worst nesting takes more than some milliseconds or megabytes."""
WORKER_CPU_S = 5
WORKER_BYTES = 1_500_000_000

_HIDDEN = "script, style, noscript, template, svg, head"
_TAG = re.compile(r"<[A-Za-z]")
_ATTRIBUTE = re.compile(r"(.+)@([A-Za-z][\w:.-]*)", re.DOTALL)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class Unreadable(Exception):
    """What was given is not what it should be; the message is a sentence."""


def read_html(html: str, *, selector: str | None, fields: Mapping[str, str], deadline_s: float) -> dict[str, Any]:
    """{title, text, fields}. Raises Unreadable."""
    job = {"kind": "html", "html": html, "selector": selector, "fields": dict(fields)}
    small = sum(1 for _ in _TAG.finditer(html)) <= SMALL_TAGS
    return _html(job) if small else _isolated(job, deadline_s)


def read_feed(body: bytes, *, content_type: str, limit: int, deadline_s: float) -> dict[str, Any]:
    """{title, items}. Raises Unreadable."""
    spelled = base64.b64encode(body).decode()
    return _isolated({"kind": "feed", "body": spelled, "content_type": content_type, "limit": limit}, deadline_s)


def clean(text: str, most: int) -> str:
    """At most so many characters, all of which can be stored."""
    return _UNSTORABLE.sub("\ufffd", text[:most])


def _isolated(job: Mapping[str, Any], deadline_s: float) -> dict[str, Any]:
    environment = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "PYTHONIOENCODING": "utf-8"}
    try:
        done = subprocess.run(  # noqa: S603 - our own module, with its input on stdin
            [sys.executable, "-S", "-P", __file__],
            input=json.dumps(job).encode(),
            capture_output=True,
            env=environment,
            timeout=max(0.1, deadline_s),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Unreadable("It took too long to read.") from error
    if done.returncode != 0:
        raise Unreadable("It is built in a way that takes too much time or memory to read.")
    answer: dict[str, Any] = json.loads(done.stdout)
    if "problem" in answer:
        raise Unreadable(answer["problem"])
    return answer


# -- what the process does -------------------------------------------------------------------------------------------


def _html(job: Mapping[str, Any]) -> dict[str, Any]:
    from selectolax.lexbor import LexborHTMLParser

    page = LexborHTMLParser(job["html"])
    fields = {name: _field(page, wanted) for name, wanted in job["fields"].items()}
    title = page.css_first("title")
    found_title = "" if title is None else line(title.text(strip=True))
    for hidden in page.css(_HIDDEN):
        hidden.decompose()
    chosen = page.root if job["selector"] is None else _first(page, job["selector"])
    text = "" if chosen is None else chosen.text(separator="\n", strip=True)
    lines = [stripped for each in text.splitlines() if (stripped := each.strip())]
    return {"title": found_title, "text": clean("\n".join(lines), MAX_TEXT), "fields": fields}


def _field(page: Any, wanted: str) -> str | None:
    named = _ATTRIBUTE.fullmatch(wanted)
    selector, attribute = (named[1], named[2]) if named else (wanted, "")
    node = _first(page, selector)
    if node is None:
        return None
    if not attribute and node.tag == "meta":
        attribute = "content"
    value = node.attributes.get(attribute) if attribute else node.text(separator=" ", strip=True)
    return None if value is None else clean(value, MAX_FIELD_TEXT)


def _first(page: Any, selector: str) -> Any:
    from selectolax.lexbor import SelectolaxError

    try:
        return page.css_first(selector)
    except (SelectolaxError, ValueError) as error:
        raise Unreadable(f"{selector[:100]!r} is not a CSS selector.") from error


def _feed(job: Mapping[str, Any]) -> dict[str, Any]:
    import feedparser

    body = BytesIO(base64.b64decode(job["body"]))
    feed = feedparser.parse(body, response_headers={"content-type": job["content_type"]})
    if not feed.get("version") and not feed.entries:
        raise Unreadable("It is not a feed.")
    return {"title": line(feed.feed.get("title")), "items": [_item(entry) for entry in feed.entries[: job["limit"]]]}


def _item(entry: Any) -> dict[str, str]:
    return {
        "title": line(entry.get("title")),
        "link": line(entry.get("link")),
        "published": line(entry.get("published") or entry.get("updated")),
        "summary": clean(_without_tags(str(entry.get("summary") or "")), MAX_FIELD_TEXT),
    }


def _without_tags(text: str) -> str:
    from selectolax.lexbor import LexborHTMLParser

    if "<" not in text:
        return unescape(text)
    root = LexborHTMLParser(text).root
    return "" if root is None else root.text(separator=" ", strip=True)


def line(value: Any) -> str:
    return clean(" ".join(str(value or "")[:5_000].split()), 1_000)


def _limit_process() -> None:
    if sys.platform == "win32":
        return  # only the time limit of the parent is there
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (WORKER_CPU_S, WORKER_CPU_S))
    if sys.platform == "linux":  # elsewhere the limit is refused or has no effect
        resource.setrlimit(resource.RLIMIT_AS, (WORKER_BYTES, WORKER_BYTES))


_KINDS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {"html": _html, "feed": _feed}


def main() -> None:
    """Read one job from stdin, write its answer to stdout, as JSON."""
    _limit_process()
    job = json.load(sys.stdin.buffer)
    try:
        answer = _KINDS[job["kind"]](job)
    except Unreadable as error:
        answer = {"problem": str(error)}
    sys.stdout.buffer.write(json.dumps(answer).encode())


if __name__ == "__main__":
    main()
