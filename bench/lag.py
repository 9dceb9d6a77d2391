"""How late runs start, and that none is lost or doubled while processes are killed: `python -m bench.lag`.

N automations are due at every whole minute, with two schedulers and a cluster of two workers that is killed with
SIGKILL, all its processes at once, two seconds after it is up, for a minute, and then one that lives. Counted: from the
occurrence to the claim of its run (p50, p99, max), rows that there are twice or not at all, and runs that were
interrupted. Goal: nothing twice, nothing lost.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from bench import harness


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--automations", type=int, default=1_000)
    parser.add_argument("--database", choices=harness.DATABASES, action="append", help="default: both")
    options = parser.parse_args()
    figures: dict[str, Any] = {"workers": harness.WORKERS, "goal": {"duplicates": 0, "lost": 0}}
    for kind in options.database or harness.DATABASES:
        missing = harness.available(kind)
        figures[kind] = {"skipped": missing} if missing else _inside(kind, options.automations)
    harness.report("lag", figures)


def _inside(kind: str, count: int) -> Any:
    with harness.database(kind) as url:
        quick = {"DONNA_LEASE_S": "6", "DONNA_LEASE_RENEW_S": "2", "DONNA_SCHEDULER_POLL_S": "1"}
        env = harness.environment(url, DONNA_WORKERS=str(harness.WORKERS), **quick)
        harness.command("manage.py", "migrate", "--verbosity", "0", env=env)
        return json.loads(harness.command("-m", "bench.draining", "lag", str(count), env=env).splitlines()[-1])


if __name__ == "__main__":
    main()
