"""How fast bots can report runs, beside an endpoint that inserts one bare row: `python -m bench.ingest`.

Both are served by the same gunicorn settings on the same database, in turns, several rounds each; the figure is the
median round. Goals: at least 0.6 of the bare endpoint's rate, and 5 000 runs a second as NDJSON batches.
"""

from __future__ import annotations

import argparse
import json
import statistics
import uuid
from typing import Any

from bench import harness, pair
from bench.load import Result, drive, request

BATCH_LINES = 1_000
_JSON = {"Content-Type": "application/json"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=2_000, help="a round, for each of the two")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batches", type=int, default=15)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--database", choices=harness.DATABASES, action="append", help="default: both")
    options = parser.parse_args()
    figures: dict[str, Any] = {"workers": harness.WORKERS, "goal": {"ratio": 0.6, "batch_runs_per_s": 5_000}}
    for kind in options.database or harness.DATABASES:
        missing = harness.available(kind)
        figures[kind] = {"skipped": missing} if missing else _measure(kind, options)
    harness.report("ingest", figures)


def _measure(kind: str, options: argparse.Namespace) -> dict[str, Any]:
    with pair.running(kind) as both:
        return _rounds(options, token=both.token, ours_port=both.ours_port, peer_port=both.peer_port)


def _rounds(options: argparse.Namespace, *, token: str, ours_port: int, peer_port: int) -> dict[str, Any]:
    headers = {**_JSON, "Authorization": f"Bearer {token}"}
    ours: list[Result] = []
    peer: list[Result] = []
    for number in range(options.rounds + 1):
        count = options.requests if number else 200  # the first round warms both up and is not counted
        peer.append(_reports(peer_port, "/api/rows", _JSON, count, options.connections))
        ours.append(_reports(ours_port, "/api/v1/runs/report", headers, count, options.connections))
    batches = [
        request("POST", "/api/v1/runs/batch", port=ours_port, body=_lines(BATCH_LINES),
                headers={"Content-Type": "application/x-ndjson", "Authorization": f"Bearer {token}"})
        for _ in range(options.batches)
    ]  # fmt: skip
    batched = drive(batches, port=ours_port, expect=201, connections=2, at_most_s=60)
    ours_rate = statistics.median(result.per_second for result in ours[1:])
    peer_rate = statistics.median(result.per_second for result in peer[1:])
    stored = batched.statuses[201] * BATCH_LINES
    return {
        "ours_per_s": round(ours_rate, 1),
        "peer_per_s": round(peer_rate, 1),
        "ratio": round(ours_rate / peer_rate, 3),
        "ratio_by_round": [round(a.per_second / b.per_second, 3) for a, b in zip(ours[1:], peer[1:], strict=True)],
        "batch_runs_per_s": round(stored / batched.seconds),
        "ours": ours[-1].summary(),
        "peer": peer[-1].summary(),
        "batch": batched.summary(),
    }


def _reports(port: int, path: str, headers: dict[str, str], count: int, connections: int) -> Result:
    requests = [request("POST", path, port=port, body=_report(), headers=headers) for _ in range(count)]
    return drive(requests, port=port, expect=201, connections=connections)


def _report() -> bytes:
    text = "call the mechanic monday about the brakes, urgent"
    return json.dumps({
        "capability": "parse_task",
        "status": "succeeded",
        "inputs": {"text": text},
        "output": {"title": "Call the mechanic about the brakes", "priority": "urgent"},
        "cost_usd": "0.000412",
        "latency_ms": 640,
        "external_id": uuid.uuid4().hex,
    }).encode()  # fmt: skip


def _lines(count: int) -> bytes:
    return b"\n".join(_report() for _ in range(count)) + b"\n"


if __name__ == "__main__":
    main()
