"""A web server on this machine that behaves as badly as it is asked to."""

from __future__ import annotations

import gzip
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = (
    b"<html><head><title>A page</title><meta property='og:title' content='OG'></head><body><p>Hello</p></body></html>"
)
FEED = b"""<?xml version="1.0"?><rss version="2.0"><channel><title>News</title>
<item><title>One</title><link>https://a.example/1</link><pubDate>Fri, 20 Nov 2026 08:00:00 GMT</pubDate>
<description>&lt;p&gt;First &lt;b&gt;item&lt;/b&gt;&lt;/p&gt;&lt;script&gt;x&lt;/script&gt;</description></item>
<item><title>Two</title><link>https://a.example/2</link></item></channel></rss>"""
ATOM = b"""<feed xmlns="http://www.w3.org/2005/Atom"><title>Atom</title><entry><title>E</title><link href="https://a.example/e"/>
<updated>2026-11-20T08:00:00Z</updated><summary>S</summary></entry></feed>"""
LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a0 "ha">'
    + b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 10))
    + b"]><rss><channel><title>&a9;</title></channel></rss>"
)


class Server:
    """Paths say what comes; `seen` holds (method, path, headers) of each request."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.elsewhere = ""
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                server.seen.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
                name = self.path.split("?")[0].strip("/").replace("-", "_")
                try:
                    getattr(server, f"say_{name}", server.say_nothing_there)(self)
                except OSError:
                    self.close_connection = True  # the client hung up on us, as it should

            do_HEAD = do_GET

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.headers["X-Body"] = body.decode()
                self.do_GET()

            def log_message(self, *args: object) -> None:
                return None

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.http.server_port}"
        self.url = f"http://{self.host}"

    @staticmethod
    def answer(
        handler: BaseHTTPRequestHandler,
        body: bytes,
        kind: str = "text/html; charset=utf-8",
        status: int = 200,
        **headers: str,
    ) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(body)

    def say_page(self, handler: BaseHTTPRequestHandler) -> None:
        self.answer(handler, PAGE)

    def say_latin(self, handler: BaseHTTPRequestHandler) -> None:
        self.answer(handler, "é\x00".encode("latin-1"), "text/plain; charset=iso-8859-1")

    def say_odd_charset(self, handler: BaseHTTPRequestHandler) -> None:
        self.answer(handler, b"x" * 10_000, "text/plain; charset=idna")

    def say_image(self, handler: BaseHTTPRequestHandler) -> None:
        self.answer(handler, b"\x89PNG", "image/png")

    def say_gone(self, handler: BaseHTTPRequestHandler) -> None:
        self.answer(handler, b"gone", status=410)

    def say_nothing_there(self, handler: BaseHTTPRequestHandler) -> None:
        self.answer(handler, b"nothing", status=404)

    def say_feed(self, handler: BaseHTTPRequestHandler) -> None:
        self.answer(handler, FEED, "application/rss+xml")

    def say_atom(self, handler: BaseHTTPRequestHandler) -> None:
        self.answer(handler, ATOM, "application/atom+xml")

    def say_laughs(self, handler: BaseHTTPRequestHandler) -> None:
        self.answer(handler, LAUGHS, "application/rss+xml")

    def say_large(self, handler: BaseHTTPRequestHandler) -> None:
        self.answer(handler, b"x" * 3_000_000, "text/plain")

    def say_lie(self, handler: BaseHTTPRequestHandler) -> None:
        """Chunked, without a length, and without an end."""
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for _ in range(10_000):
            handler.wfile.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")

    def say_gzip(self, handler: BaseHTTPRequestHandler) -> None:
        self.answer(handler, gzip.compress(PAGE), Content_Encoding="gzip")

    def say_deflate(self, handler: BaseHTTPRequestHandler) -> None:
        raw = zlib.compressobj(wbits=-15)
        self.answer(handler, raw.compress(PAGE) + raw.flush(), Content_Encoding="deflate")

    def say_zlib(self, handler: BaseHTTPRequestHandler) -> None:
        self.answer(handler, zlib.compress(PAGE), Content_Encoding="deflate")

    def say_bomb(self, handler: BaseHTTPRequestHandler) -> None:
        pack = zlib.compressobj(9, wbits=31)
        bomb = b"".join(pack.compress(b"\0" * 1_000_000) for _ in range(500)) + pack.flush()
        self.answer(handler, bomb, Content_Encoding="gzip")

    def say_broken_gzip(self, handler: BaseHTTPRequestHandler) -> None:
        self.answer(handler, b"this is no gzip", Content_Encoding="gzip")

    def say_cut_gzip(self, handler: BaseHTTPRequestHandler) -> None:
        self.answer(handler, gzip.compress(PAGE)[:40], Content_Encoding="gzip")

    def say_brotli(self, handler: BaseHTTPRequestHandler) -> None:
        self.answer(handler, b"xx", Content_Encoding="br")

    def say_drip(self, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b"x")
            time.sleep(0.1)

    def say_drip_headers(self, handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        for _ in range(100):
            handler.wfile.write(b"x")
            time.sleep(0.1)

    def say_never(self, handler: BaseHTTPRequestHandler) -> None:
        time.sleep(3)

    def say_cut(self, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"short")
        handler.close_connection = True

    def say_garbage(self, handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"\x00\xffthis is not HTTP\r\n\r\n")
        handler.close_connection = True

    def say_long_header(self, handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000 + b"\r\n\r\n")

    def say_to_page(self, handler: BaseHTTPRequestHandler) -> None:
        self.answer(handler, b"", status=302, Location="/page")

    def say_round(self, handler: BaseHTTPRequestHandler) -> None:
        self.answer(handler, b"", status=307, Location="/round")

    def say_to_elsewhere(self, handler: BaseHTTPRequestHandler) -> None:
        self.answer(handler, b"", status=301, Location=self.elsewhere)


@contextmanager
def serving() -> Iterator[Server]:
    server = Server()
    server.http.daemon_threads = True
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.http.shutdown()
        server.http.server_close()
        thread.join()
