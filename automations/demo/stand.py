"""The demo's web before the application is up: a small server at the same address, on whose calendar it is any day."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from automations.demo import site

PREFIX = "/demo/"


class Stand(ThreadingHTTPServer):
    """Serves `site` as it looks on `day`."""

    day: date

    def __init__(self, address: tuple[str, int], *, day: date) -> None:
        super().__init__(address, _Handler)
        self.day = day


@contextmanager
def opened(address: str, *, day: date) -> Iterator[Stand | None]:
    """At host:port for the time of the block; None where somebody else is there, the application for one."""
    host, _, port = address.rpartition(":")
    try:
        stand = Stand((host, int(port)), day=day)
    except OSError:
        yield None
        return
    thread = threading.Thread(target=stand.serve_forever, kwargs={"poll_interval": 0.05}, name="demo-stand")
    thread.start()
    try:
        yield stand
    finally:
        stand.shutdown()
        thread.join()
        stand.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Stand)
        path = self.path.removeprefix(PREFIX) if self.path.startswith(PREFIX) else ""
        found = site.page(path, day=self.server.day)
        if found is None:
            self.send_error(404)
            return
        body = found.text.encode()
        self.send_response(200)
        self.send_header("Content-Type", found.content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: the demo tells its own story."""
