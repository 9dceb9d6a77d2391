"""Runs that do nothing, end to end through two django-q2 workers on the ORM broker: `python -m bench.drain`.

Ours: N automations are due; a tick queues them, two workers drain them, and each run leaves its row, its lifecycle's
run with a step, the counters and the trace of an alert condition. Beside it, on a database of its own: N bare django-q2
tasks that do nothing. Both are counted from the first hand-over to the last end, and so is the processor time of all
processes that take part, which other work on the machine changes less. Goal: at least twice the bare rate.

A run that does nothing is one of a skill with a single step that looks at a paragraph with a tool: no model is asked.
None is sampled for a comparison with the reference, which would be another run.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from bench import harness


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2_000)
    parser.add_argument("--database", choices=harness.DATABASES, action="append", help="default: both")
    options = parser.parse_args()
    figures: dict[str, Any] = {"workers": harness.WORKERS, "goal": {"ratio": 2.0}}
    for kind in options.database or harness.DATABASES:
        missing = harness.available(kind)
        if missing:
            figures[kind] = {"skipped": missing}
            continue
        bare, ours = (_inside(kind, what, options.runs) for what in ("bare", "ours"))
        figures[kind] = {"bare": bare, "ours": ours, "ratio": round(ours["per_s"] / bare["per_s"], 2)}
    harness.report("drain", figures)


def _inside(kind: str, what: str, count: int) -> Any:
    with harness.database(kind) as url, tempfile.TemporaryDirectory() as folder:
        Path(folder, "skills.yaml").write_text("shadow_sample_rate_trusted: 0\n")
        env = harness.environment(url, DONNA_WORKERS=str(harness.WORKERS), DONNA_CONFIG_DIR=folder)
        harness.command("manage.py", "migrate", "--verbosity", "0", env=env)
        return json.loads(harness.command("-m", "bench.draining", what, str(count), env=env).splitlines()[-1])


if __name__ == "__main__":
    main()
