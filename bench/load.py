"""The load: one process, many kept-alive connections, the next request as soon as the last is answered.

Requests are made before the clock starts and answers are read by length only, so that the client costs as little as it
can: it shares the machine with what it measures.
"""

from __future__ import annotations

import selectors
import socket
import statistics
import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass
class Result:
    """What one round came to; latencies in seconds."""

    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)

    @property
    def answered(self) -> int:
        return len(self.latencies)

    @property
    def per_second(self) -> float:
        return self.answered / self.seconds if self.seconds else 0.0

    def summary(self) -> dict[str, object]:
        cuts = statistics.quantiles(self.latencies, n=100) if len(self.latencies) > 1 else [0.0] * 99
        return {
            "per_s": round(self.per_second, 1),
            "p50_ms": round(cuts[49] * 1000, 2),
            "p95_ms": round(cuts[94] * 1000, 2),
            "requests": self.answered,
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
        }


def request(method: str, path: str, *, port: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """One HTTP/1.1 request, ready to be sent."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def drive(
    requests: Iterable[bytes], *, port: int, expect: int, connections: int = 8, at_most_s: float = 20.0
) -> Result:
    """Send every request, or as many as the time allows. A broken connection counts as status 0 and is opened again.

    Raises RuntimeError when an answer has another status than the expected one: a rate of errors is no figure.
    """
    waiting, result = deque(requests), Result()
    selector = selectors.DefaultSelector()
    began = time.perf_counter()
    for _ in range(min(connections, len(waiting))):
        _open(selector, port, waiting)
    while selector.get_map() and time.perf_counter() - began < at_most_s:
        for key, _ in selector.select(timeout=1.0):
            _read(selector, key.data, port, waiting, result)
    result.seconds = time.perf_counter() - began
    for key in list(selector.get_map().values()):
        key.data.socket.close()
    selector.close()
    if set(result.statuses) != {expect}:
        raise RuntimeError(f"Expected {expect} only, and got {dict(result.statuses)}.")
    return result


class _Connection:
    """A socket with one request under way."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent_at = 0.0
        self.received = b""

    def send(self, data: bytes) -> None:
        self.received, self.sent_at = b"", time.perf_counter()
        self.socket.sendall(data)


def _open(selector: selectors.BaseSelector, port: int, waiting: deque[bytes]) -> None:
    connection = _Connection(port)
    selector.register(connection.socket, selectors.EVENT_READ, connection)
    connection.send(waiting.popleft())


def _read(
    selector: selectors.BaseSelector, connection: _Connection, port: int, waiting: deque[bytes], result: Result
) -> None:
    try:
        piece = connection.socket.recv(262_144)
    except OSError:
        piece = b""
    connection.received += piece
    status = _complete(connection.received)
    if piece and status is None:
        return
    if status is not None:
        result.latencies.append(time.perf_counter() - connection.sent_at)
        result.statuses[status] += 1
    if not waiting or status is None or b"connection: close" in connection.received[:2000].lower():
        selector.unregister(connection.socket)
        connection.socket.close()
        if status is None:
            result.statuses[0] += 1
        if waiting:
            _open(selector, port, waiting)
        return
    connection.send(waiting.popleft())


def _complete(received: bytes) -> int | None:
    """The status once the whole answer is there."""
    head, separator, body = received.partition(b"\r\n\r\n")
    if not separator:
        return None
    status = int(head[9:12])
    if status == 304:
        return status
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return status if len(body) >= int(value) else None
    return status if b"chunked" not in head.lower() or body.endswith(b"0\r\n\r\n") else None
