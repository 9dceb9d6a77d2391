"""The registry and the built-in tools, against a real server and hostile pages."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.execution import tools
from lifecycle.execution.tools import RegisteredTools, ToolContext, ToolFailed, parsers, registry

from .builders import run, tool, use
from .servers import Server, serving


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


def call(name: str, *, allow: tuple[str, ...] = (), deadline_s: float = 20, **args: Any) -> Any:
    return RegisteredTools(allow_hosts=allow).call(name, args, deadline_s)


def failure(name: str, **more: Any) -> str:
    with pytest.raises(ToolFailed) as failed:
        call(name, **more)
    assert failed.value.message.endswith(".")
    return failed.value.code


def test_tools_are_found_by_name() -> None:
    assert set(tools.names()) >= {"web_fetch", "rss_fetch", "html_extract"}
    assert failure("nope") == "unknown_tool"
    with pytest.raises(ValueError, match="already"):
        tools.register("web_fetch")(print)


def test_a_new_tool_registers_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_TOOLS", dict(registry._TOOLS))

    @tools.register("double")
    def double(context: ToolContext, n: int) -> int:
        return n * 2 if context.deadline_s > 0 else 0

    outcome = run(tool("s", use("double", args={"n": 4})), tools=RegisteredTools(), granted=("double",))
    assert outcome.state == {"s": {"found": 8}}


@pytest.mark.parametrize("args", [{}, {"url": "x", "more": 1}, {"context": 1, "url": "x"}])
def test_wrong_arguments_are_said_to_be_wrong(args: Mapping[str, Any]) -> None:
    assert failure("web_fetch", **args) == "bad_arguments"


def test_web_fetch_gives_the_page(server: Server) -> None:
    page = call("web_fetch", allow=(server.host,), url=f"{server.url}/to-page")
    assert page["status"] == 200
    assert page["url"] == f"{server.url}/page"
    assert page["content_type"] == "text/html"
    assert "<p>Hello</p>" in page["text"]
    assert call("web_fetch", allow=(server.host,), url=f"{server.url}/latin")["text"] == "é\ufffd"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/image", "not_text"),
        ("/gone", "http_status"),
        ("/lie", "too_large"),
        ("/large", "too_large"),
        ("/garbage", "bad_answer"),
    ],
)
def test_web_fetch_fails_with_a_reason(server: Server, path: str, code: str) -> None:
    assert failure("web_fetch", allow=(server.host,), url=f"{server.url}{path}") == code


def test_web_fetch_reaches_nothing_private(server: Server) -> None:
    assert failure("web_fetch", url=f"{server.url}/page") == "target_refused"
    server.elsewhere = "http://127.0.0.1:1/admin"
    assert failure("web_fetch", allow=(server.host,), url=f"{server.url}/to-elsewhere") == "target_refused"
    assert failure("web_fetch", url=5) == "bad_arguments"


def test_a_tool_call_is_over_at_the_deadline(server: Server) -> None:
    started = time.perf_counter()
    assert failure("web_fetch", allow=(server.host,), url=f"{server.url}/drip", deadline_s=0.5) == "timeout"
    assert time.perf_counter() - started < 30


def test_rss_fetch_reads_rss_and_atom(server: Server) -> None:
    feed = call("rss_fetch", allow=(server.host,), url=f"{server.url}/feed")
    assert feed["title"] == "News"
    assert [item["title"] for item in feed["items"]] == ["One", "Two"]
    first = feed["items"][0]
    assert first["link"] == "https://a.example/1"
    assert first["published"].startswith("Fri, 20 Nov 2026")
    assert "First item" in first["summary"]
    assert "<" not in first["summary"]
    assert feed["items"][1]["summary"] == ""
    assert len(call("rss_fetch", allow=(server.host,), url=f"{server.url}/feed", limit=1)["items"]) == 1
    atom = call("rss_fetch", allow=(server.host,), url=f"{server.url}/atom")
    assert atom["items"] == [
        {"title": "E", "link": "https://a.example/e", "published": "2026-11-20T08:00:00Z", "summary": "S"}
    ]


def test_what_is_no_feed_is_a_failure(server: Server) -> None:
    assert failure("rss_fetch", allow=(server.host,), url=f"{server.url}/page") == "not_a_feed"
    assert failure("rss_fetch", allow=(server.host,), url=f"{server.url}/gone") == "http_status"
    for limit in (0, 101, "x", True, 1.5):
        assert failure("rss_fetch", allow=(server.host,), url=f"{server.url}/feed", limit=limit) == "bad_arguments"


def test_a_feed_of_entities_within_entities_ends_soon(server: Server) -> None:
    started = time.process_time()
    try:
        feed = call("rss_fetch", allow=(server.host,), url=f"{server.url}/laughs")
        assert len(feed["title"]) <= 1_000
    except ToolFailed as error:
        assert error.code == "not_a_feed"
    assert time.process_time() - started < 15


HTML = """<html><head><title> A
 page</title><meta property="og:title" content="OG title"><style>p{}</style></head><body><script>alert(1)</script>
<h1 class="t">Head</h1><p>One <b>bold</b></p><p>Two</p>
<a class="next" href="/2?a=1">next</a><a href="mailto:a@b.example">m</a>
</body></html>"""


def test_html_extract_gives_title_text_and_fields() -> None:
    found = call(
        "html_extract",
        html=HTML,
        fields={
            "og": "meta[property='og:title']", "head": "h1.t", "next": "a.next@href", "none": "h6", "para": "p, h6",
            "mail": "a[href*='@']", "gone": "h1@data-x",
        },
    )  # fmt: skip
    assert found["title"] == "A page"
    assert found["text"].split("\n")[:2] == ["Head", "One"]
    assert "alert" not in found["text"]
    assert found["fields"] == {
        "og": "OG title", "head": "Head", "next": "/2?a=1", "none": None, "para": "One bold", "mail": "m", "gone": None
    }  # fmt: skip
    assert call("html_extract", html=HTML, selector="h1")["text"] == "Head"
    assert call("html_extract", html=HTML, selector="h6")["text"] == ""
    assert call("html_extract", html="") == {"title": "", "text": "", "fields": {}}


@pytest.mark.parametrize(
    "args",
    [
        {"html": 5}, {"html": "x" * 2_000_001}, {"html": "x", "selector": " "}, {"html": "x", "selector": 5},
        {"html": "x", "fields": []}, {"html": "x", "fields": {"a": 1}}, {"html": "x", "fields": {"a": "p" * 501}},
        {"html": "x", "fields": {str(n): "p" for n in range(51)}},
    ],
)  # fmt: skip
def test_html_extract_refuses_wrong_arguments(args: dict[str, Any]) -> None:
    assert failure("html_extract", **args) == "bad_arguments"


@pytest.mark.parametrize("selector", ["p[[", "::::", "p:nope(", "@", "p@", "@href"])
def test_a_selector_that_is_none_is_a_failure(selector: str) -> None:
    assert failure("html_extract", html="<p>x</p>", fields={"a": selector}) == "unreadable_html"


def test_a_large_honest_page_is_read_in_the_other_process() -> None:
    html = "<title>T</title>" + "<div><p>hello</p></div>" * 3_000
    found = call("html_extract", html=html, fields={"t": "title", "none": "h1"})
    assert found["title"] == "T"
    assert found["text"].count("hello") == 3_000
    assert found["fields"] == {"t": "T", "none": None}
    with pytest.raises(ToolFailed, match="not a CSS selector"):
        call("html_extract", html=html, selector="p[[")


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 300_000,
        "<p>" + "".join(f"<b a={n}>" for n in range(2_000)) + "</p>" + "<p>x" * 300_000,
        "<table>" * 200_000,
        "<a><p>" * 200_000,
    ],
)
def test_a_page_built_to_wear_the_parser_out_ends_soon(html: str) -> None:
    started = time.process_time()
    try:
        assert len(call("html_extract", html=html, deadline_s=4)["text"]) <= parsers.MAX_TEXT
    except ToolFailed as error:
        assert error.code == "unreadable_html"
    assert time.process_time() - started < 12


@given(st.text(max_size=200), st.text(min_size=1, max_size=20))
@settings(deadline=None)
def test_any_html_and_selector_give_a_result_or_a_failure(html: str, selector: str) -> None:
    for more in ({}, {"selector": selector}, {"fields": {"a": selector, "b": f"p@{selector}"}}):
        try:
            assert set(call("html_extract", html=html, **more)) == {"title", "text", "fields"}
        except ToolFailed as error:
            assert error.code in {"bad_arguments", "unreadable_html"}
