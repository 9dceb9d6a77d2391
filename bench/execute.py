"""What the executor itself costs for one run, and whether that grows with the runs stored: `python -m bench.execute`.

The offline adapter answers at once, so the time of a whole run (checks, rows, rendering, the gateway with its budget
and ledger, validation, settling) is overhead. Stored runs are copies of a real one with its step and its model call,
made inside the database. Beside it stands the bare insert of one run's row in a transaction, in the same process.
Goals: under 15 ms in the median, and flat from 0 to 1 000 000 stored runs.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

from bench import harness, pair

INPUTS = {"text": "call the mechanic monday about the brakes, urgent"}
STEPS = (0, 10_000, 100_000, 1_000_000)
_CHUNK = 100_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--top", type=int, default=STEPS[-1], help="the most stored runs to measure with")
    parser.add_argument("--runs", type=int, default=200, help="measured at each size")
    parser.add_argument("--database", choices=harness.DATABASES, action="append", help="default: sqlite")
    options = parser.parse_args()
    figures: dict[str, Any] = {"goal": {"median_ms": 15, "growth": "flat"}}
    kinds = options.database or ["sqlite"]
    for kind in kinds:
        if missing := harness.available(kind):
            figures[kind] = {"skipped": missing}
        else:
            # Django reads its settings once a process: with several databases, each has a process of its own.
            figures[kind] = _measure(kind, options) if len(kinds) == 1 else _in_child(kind, options)
    harness.report("execute", figures)


def _measure(kind: str, options: argparse.Namespace) -> dict[str, Any]:
    with harness.database(kind) as url:
        env = harness.environment(url)
        pair.prepare(env)
        for name in set(os.environ) - set(env):
            del os.environ[name]
        os.environ.update(env, DJANGO_SETTINGS_MODULE="donna_skills.settings")
        import django

        django.setup()
        try:
            return _by_size([*(size for size in STEPS if size < options.top), options.top], runs=options.runs)
        finally:
            from django.db import connections

            connections.close_all()


def _by_size(sizes: list[int], *, runs: int) -> dict[str, Any]:
    found: list[dict[str, Any]] = []
    for size in sizes:
        _fill(size)
        for _ in range(20):
            _execute()
        found.append({"stored": size, "ours": _timed(_execute, runs), "bare_insert": _timed(_insert, runs)})
    first, last = found[0]["ours"]["median_ms"], found[-1]["ours"]["median_ms"]
    return {"sizes": found, "median_ms": first, "growth": round(last / first, 3)}


def _execute() -> Any:
    from donna_skills.accounts.actors import Actor
    from lifecycle.services import runs

    run = runs.execute("parse_task", inputs=INPUTS, request=runs.Request(actor=Actor.system("bench")))
    if run.status != "succeeded":
        raise RuntimeError(f"The run ended as {run.status}: {run.error}")
    return run


def _insert() -> None:
    from django.db import transaction
    from django.utils import timezone

    from lifecycle.models import Capability, RunPath, RunStatus, SkillRun

    now = timezone.now()
    with transaction.atomic():
        SkillRun(
            capability_id=_once("capability", lambda: Capability.objects.get(name="parse_task").pk),
            path=RunPath.NATIVE,
            status=RunStatus.SUCCEEDED,
            inputs=INPUTS,
            created_at=now,
            started_at=now,
            finished_at=now,
        ).save(force_insert=True)


_known: dict[str, Any] = {}


def _once(name: str, find: Callable[[], Any]) -> Any:
    if name not in _known:
        _known[name] = find()
    return _known[name]


def _timed(work: Callable[[], Any], times: int) -> dict[str, float]:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began) * 1000)
    cuts = statistics.quantiles(taken, n=100)
    return {"median_ms": round(cuts[49], 2), "p95_ms": round(cuts[94], 2)}


def _fill(size: int) -> None:
    """Copy one real run, its step and its model call until so many runs are stored, spread over the last year."""
    from django.db import connection

    from donna_skills.llm.models import ModelCall
    from lifecycle.models import SkillRun, StepResult

    missing = size - SkillRun.objects.count()
    if missing <= 0:
        return
    run = _execute()
    step, call = StepResult.objects.filter(run=run).first(), ModelCall.objects.filter(run_id=run.pk).first()
    if step is None or call is None:
        raise RuntimeError("The run to copy has no step or no model call.")
    for start in range(0, missing, _CHUNK):
        numbers = (size * 10 + start, size * 10 + start + min(_CHUNK, missing - start))
        for row in (run, step, call):
            _copy(row, numbers)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _copy(row: Any, numbers: tuple[int, int]) -> None:
    """Insert numbered copies of a row in one statement: ids follow the number, so that a run's parts find their run."""
    from django.db import connection, models

    quote = connection.ops.quote_name
    columns, values = [], []
    for field in row._meta.concrete_fields:
        column = quote(field.column)
        columns.append(column)
        if field.primary_key or field.column in {"run_id", "call_id"}:
            values.append(_id(connection.vendor))
        elif isinstance(field, models.DateTimeField) and getattr(row, field.attname) is not None:
            values.append(_earlier(connection.vendor, column))
        else:
            values.append(f"old.{column}")
    table = quote(row._meta.db_table)
    key = row._meta.pk.get_db_prep_value(row.pk, connection)
    first, end = numbers
    statement = (
        f"WITH RECURSIVE series(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM series WHERE n + 1 < {end}) "
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)} FROM {table} old, series "
        f"WHERE old.{quote(row._meta.pk.column)} = %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [key])


def _id(vendor: str) -> str:
    """A key like those of the past: smaller than each new one, growing with the number."""
    if vendor == "postgresql":
        return "('01000000' || lpad(to_hex(n), 24, '0'))::uuid"
    return "'01000000' || printf('%%024x', n)"


def _earlier(vendor: str, column: str) -> str:
    if vendor == "postgresql":
        return f"old.{column} - (n %% 500000) * interval '1 minute'"
    # The shape that Django stores: without it, comparisons of texts would go wrong.
    return f"strftime('%%Y-%%m-%%d %%H:%%M:%%f', old.{column}, '-' || (n %% 500000) || ' minutes')"


def _in_child(kind: str, options: argparse.Namespace) -> Any:
    import json

    words = ["-m", "bench.execute", "--database", kind, "--top", str(options.top), "--runs", str(options.runs)]
    return json.loads(harness.command(*words, env=dict(os.environ)).strip().splitlines()[-1])[kind]


if __name__ == "__main__":
    main()
