"""The built-in tools: fetch a page, read a feed, take text and fields out of HTML."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

from donna_skills import netguard

from . import parsers
from .registry import ToolContext, ToolFailed, register

MAX_BYTES = 2_000_000
MAX_ITEMS = 100
MAX_FIELDS = 50
MAX_SELECTOR = 500
_TIMEOUT_S = 15.0


@register("web_fetch")
def web_fetch(context: ToolContext, url: str) -> dict[str, Any]:
    """{status, url after redirects, content_type, text}. A status of 400 or more is a failure."""
    fetched = _fetch(context, url)
    kind = fetched.content_type
    if kind and not (kind.startswith("text/") or re.search(r"json|xml|javascript", kind)):
        raise ToolFailed(f"{url[:200]} is {kind[:80]}, not text.", code="not_text")
    text = parsers.clean(fetched.text, parsers.MAX_TEXT)
    return {"status": fetched.status, "url": fetched.url, "content_type": kind, "text": text}


@register("rss_fetch")
def rss_fetch(context: ToolContext, url: str, limit: int = 20) -> dict[str, Any]:
    """{title, items: [{title, link, published, summary}]} of an RSS or Atom feed, in the feed's own order."""
    if type(limit) is not int or not 1 <= limit <= MAX_ITEMS:
        raise ToolFailed(f"limit must be a whole number from 1 to {MAX_ITEMS}.", code="bad_arguments")
    started = time.monotonic()
    fetched = _fetch(context, url)
    left = context.deadline_s - (time.monotonic() - started)
    try:
        return parsers.read_feed(
            fetched.body, content_type=fetched.headers.get("content-type", ""), limit=limit, deadline_s=left
        )
    except parsers.Unreadable as error:
        raise ToolFailed(f"{url[:200]} cannot be read as a feed: {error}", code="not_a_feed") from error


@register("html_extract")
def html_extract(
    context: ToolContext, html: str, selector: str | None = None, fields: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """{title, text, fields}: readable text of the page, or of what the CSS selector finds, and named fields.

    A field is a CSS selector for an element's text, or `selector@attribute`, as in `a.next@href`; of a `meta` element
    it is the content. A field that finds nothing is null.
    """
    if not isinstance(html, str) or len(html) > MAX_BYTES:
        raise ToolFailed(f"html must be text of at most {MAX_BYTES} characters.", code="bad_arguments")
    wanted = {} if fields is None else fields
    if not isinstance(wanted, Mapping) or len(wanted) > MAX_FIELDS:
        raise ToolFailed(f"fields must be at most {MAX_FIELDS} names, each with a selector.", code="bad_arguments")
    for each in (*wanted.values(), *(() if selector is None else (selector,))):
        if not isinstance(each, str) or not each.strip() or len(each) > MAX_SELECTOR:
            raise ToolFailed(f"A selector must be text of 1 to {MAX_SELECTOR} characters.", code="bad_arguments")
    try:
        return parsers.read_html(html, selector=selector, fields=wanted, deadline_s=context.deadline_s)
    except parsers.Unreadable as error:
        raise ToolFailed(str(error), code="unreadable_html") from error


def _fetch(context: ToolContext, url: Any) -> netguard.Fetched:
    if not isinstance(url, str):
        raise ToolFailed("url must be text.", code="bad_arguments")
    limit = min(context.deadline_s, _TIMEOUT_S)
    try:
        fetched = netguard.fetch(url, timeout_s=limit, max_bytes=MAX_BYTES, allow_hosts=context.allow_hosts)
    except netguard.FetchFailed as error:
        raise ToolFailed(error.message, code=error.code) from error
    if fetched.status >= 400:
        raise ToolFailed(f"{url[:200]} answers with status {fetched.status}.", code="http_status")
    return fetched
