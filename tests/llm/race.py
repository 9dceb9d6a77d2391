"""Several processes that spend from one budget at once. One of them:
`python -m tests.llm.race PURPOSE THREADS CALLS ESTIMATE EVERY`.

Every EVERYth call that was allowed is settled at its estimate, the others are left held. Prints how many were allowed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import django

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def run_together(config: Path, commands: Sequence[str]) -> list[int]:
    """Start one process for each line of arguments, all on the test's database; how many calls each was allowed."""
    environment = {**os.environ, "DATABASE_URL": _test_database(), "DONNA_CONFIG_DIR": str(config)}
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.llm.race", *command.split()],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for command in commands
    ]
    answers = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0] * len(running)
    return [int(answer) for answer in answers]


def main() -> None:
    purpose, threads, calls, estimate, every = sys.argv[1:]
    with ThreadPoolExecutor(int(threads)) as pool:
        allowed = pool.map(
            lambda _: spend(int(calls), Decimal(estimate), purpose=purpose, every=int(every)), range(int(threads))
        )
        sys.stdout.write(str(sum(allowed)))


def spend(calls: int, estimate: Decimal, *, purpose: str, every: int) -> int:
    from django.db import connection

    from donna_skills.errors import BudgetPaused
    from donna_skills.llm import budget
    from donna_skills.llm.models import CallStatus
    from donna_skills.llm.port import Purpose
    from tests.llm.ledger import a_call

    allowed = 0
    for _ in range(calls):
        call = a_call(estimate=estimate, at=NOON, purpose=Purpose(purpose))
        try:
            budget.reserve(call)
        except BudgetPaused:
            continue
        allowed += 1
        if allowed % every == 0:
            budget.settle(call, budget.Closing(status=CallStatus.SUCCEEDED, finished_at=NOON, cost_usd=estimate))
    connection.close()
    return allowed


def _test_database() -> str:
    from django.db import connection

    given = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{given['NAME']}"
    return f"postgres://{given['USER']}:{given['PASSWORD']}@{given['HOST']}:{given['PORT']}/{given['NAME']}"


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "donna_skills.settings")
    django.setup()
    main()
