"""How long it takes to claim and queue what is due at one instant: `python -m bench.tick`.

Ours: the first tick after N automations have come due, until every run has its row, every clock has moved on, and the
workers' bells are in the broker. Beside it, each in a process of its own on SQLite and on the same number of due
schedules: django-q2's own scheduler (in this environment), django-celery-beat's DatabaseScheduler with a broker in
memory, and APScheduler 3 with a SQLAlchemy job store (both in an environment under var/ that is made at the first
measurement). Then one tick over very many automations of which 100 are due.

Goals: 1 000, 10 000 and 100 000 within 0.3, 2.5 and 25 s; 100 of 1 000 000 within 50 ms.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import venv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench import harness

PEERS = {
    "celery_beat": ("django==5.2.*", "celery==5.5.*", "django-celery-beat==2.8.*", "setuptools<81"),
    "apscheduler": ("apscheduler==3.11.*", "sqlalchemy==2.0.*"),
}
GOALS_S = {1_000: 0.3, 10_000: 2.5, 100_000: 25.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--due", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--peers-up-to", type=int, default=10_000, help="peers are measured up to this many")
    parser.add_argument("--waiting", type=int, default=1_000_000, help="automations, of which 100 are due")
    parser.add_argument("--database", choices=harness.DATABASES, action="append", help="default: both")
    options = parser.parse_args()
    figures: dict[str, Any] = {"goals_s": {str(count): goal for count, goal in GOALS_S.items()}}
    for kind in options.database or harness.DATABASES:
        missing = harness.available(kind)
        figures[kind] = {"skipped": missing} if missing else _ours(kind, options)
    figures["peers"] = {
        str(count): {name: _peer(name, count) for name in ("django_q2", *PEERS)}
        for count in options.due
        if count <= options.peers_up_to
    }
    harness.report("tick", figures)


def _ours(kind: str, options: argparse.Namespace) -> dict[str, Any]:
    found: dict[str, Any] = {str(count): _inside(kind, "ours", count) for count in options.due}
    if options.waiting:
        found["100_of_many"] = _inside(kind, "waiting", options.waiting)
    return found


def _inside(kind: str, what: str, count: int) -> Any:
    with harness.database(kind) as url:
        env = harness.environment(url)
        harness.command("manage.py", "migrate", "--verbosity", "0", env=env)
        return json.loads(harness.command("-m", "bench.ticking", what, str(count), env=env).splitlines()[-1])


def _peer(name: str, count: int) -> Any:
    if name == "django_q2":
        return _inside("sqlite", name, count)
    python = _environment(name, PEERS[name])
    with harness.database("sqlite") as url:
        path = url.removeprefix("sqlite:///")
        done = subprocess.run(
            [str(python), str(harness.ROOT / "bench" / "peer" / f"{name}.py"), path, str(count)],
            capture_output=True,
            text=True,
            check=False,
        )
    return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else {"failed": done.stderr[-500:]}


def _environment(name: str, packages: tuple[str, ...]) -> Path:
    """The peer's own environment, made once."""
    folder = harness.ROOT / "var" / "bench" / name
    python = folder / "bin" / "python"
    ready = folder / ".ready"
    if not ready.exists():
        print(f"Making the environment of {name} …", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        quiet = ["--disable-pip-version-check", "--quiet"]
        subprocess.run([str(python), "-m", "pip", "install", *quiet, *packages], check=True, stdout=sys.stderr)
        ready.touch()
    return python


def timed(work: Any) -> tuple[float, Any]:
    began = time.perf_counter()
    answer = work()
    return time.perf_counter() - began, answer


def said(figures: Mapping[str, Any]) -> None:
    print(json.dumps(dict(figures)))


if __name__ == "__main__":
    main()
