"""How fast a bot learns that its package is still the released one: `python -m bench.packages`.

GET packages/{capability} with If-None-Match, beside a bare endpoint that reads one row and answers 304, in turns. Goal:
2 000 a second.
"""

from __future__ import annotations

import argparse
import http.client
import statistics
from typing import Any

from bench import harness, pair
from bench.load import Result, drive, request

PATH = "/api/v1/packages/parse_task"
PEER_PATH = "/api/rows/parse_task"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=5_000, help="a round, for each of the two")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--database", choices=harness.DATABASES, action="append", help="default: both")
    options = parser.parse_args()
    figures: dict[str, Any] = {"workers": harness.WORKERS, "goal": {"per_s": 2_000}}
    for kind in options.database or harness.DATABASES:
        missing = harness.available(kind)
        figures[kind] = {"skipped": missing} if missing else _measure(kind, options)
    harness.report("packages", figures)


def _measure(kind: str, options: argparse.Namespace) -> dict[str, Any]:
    with pair.running(kind) as both:
        bearer = {"Authorization": f"Bearer {both.token}"}
        size, etag = _first(both.ours_port, PATH, bearer)
        ours_request = request("GET", PATH, port=both.ours_port, headers={**bearer, "If-None-Match": etag})
        _, peer_etag = _first(both.peer_port, PEER_PATH, {})
        peer_request = request("GET", PEER_PATH, port=both.peer_port, headers={"If-None-Match": peer_etag})
        ours: list[Result] = []
        peer: list[Result] = []
        for number in range(options.rounds + 1):
            count = options.requests if number else 200  # the first round warms both up and is not counted
            peer.append(drive([peer_request] * count, port=both.peer_port, expect=304, connections=options.connections))
            ours.append(drive([ours_request] * count, port=both.ours_port, expect=304, connections=options.connections))
    return {
        "ours_per_s": round(statistics.median(result.per_second for result in ours[1:]), 1),
        "peer_per_s": round(statistics.median(result.per_second for result in peer[1:]), 1),
        "package_bytes": size,
        "ours": ours[-1].summary(),
        "peer": peer[-1].summary(),
    }


def _first(port: int, path: str, headers: dict[str, str]) -> tuple[int, str]:
    """Bytes and ETag of the whole answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    etag = answer.headers["ETag"]
    if answer.status != 200 or not etag:
        raise RuntimeError(f"GET {path} answered {answer.status} without an ETag: {body[:300]!r}")
    return len(body), etag


if __name__ == "__main__":
    main()
