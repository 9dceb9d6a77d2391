"""What the night costs that no model is paid for, and whether that grows: `python -m bench.nightly`.

Detection, degradation, corrections and promotions over up to 1 000 skills with 1 000 000 runs, as many model calls, and
200 000 comparisons, all made inside the database. Each size has a database of its own, and the measured process is
another than the one that filled it, so that its memory is the night's alone. A rehearsal counts the queries that read;
the night after it writes. Goals: 60 s together, 300 MB and flat, a handful of reading queries a step.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from bench import harness

GOAL = {"seconds": 60, "peak_rss_mb": 300, "skills": 1_000, "runs": 1_000_000, "comparisons": 200_000}
SHARES = (16, 4, 1)
DAYS = 40
"""Runs are spread over so many days, the last 30 of which the detection looks at."""
_CHUNK = 100_000
_BASE = 1_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--skills", type=int, default=GOAL["skills"], help="at the largest size")
    parser.add_argument("--runs", type=int, default=GOAL["runs"], help="at the largest size")
    parser.add_argument("--database", choices=harness.DATABASES, action="append", help="default: both")
    parser.add_argument("--fill", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fill or options.measure:
        import django

        django.setup()
        print(json.dumps(_fill(options.skills, options.runs) if options.fill else _measure()))
        return
    figures: dict[str, Any] = {"goal": GOAL}
    for kind in options.database or harness.DATABASES:
        missing = harness.available(kind)
        figures[kind] = {"skipped": missing} if missing else _by_size(kind, options)
    harness.report("nightly", figures)


def _by_size(kind: str, options: argparse.Namespace) -> dict[str, Any]:
    found = [_at_size(kind, options.skills // share, options.runs // share) for share in SHARES]
    small, large = found[0], found[-1]
    return {
        "sizes": found,
        "seconds": large["seconds"],
        "peak_rss_mb": large["peak_rss_mb"],
        "growth": {name: round(large[name] / small[name], 2) for name in ("seconds", "peak_rss_mb")},
    }


def _at_size(kind: str, skills: int, runs: int) -> dict[str, Any]:
    with harness.database(kind) as url:
        env = {**harness.environment(url), "DJANGO_SETTINGS_MODULE": "donna_skills.settings"}
        harness.command("manage.py", "migrate", "--verbosity", "0", env=env)
        size = ("--skills", str(skills), "--runs", str(runs))
        stored = json.loads(harness.command("-m", "bench.nightly", "--fill", *size, env=env))
        return {**stored, **json.loads(harness.command("-m", "bench.nightly", "--measure", env=env))}


def _measure() -> dict[str, Any]:
    from django.utils import timezone

    from lifecycle.services import candidates, corrections, degradations, promotions

    now = timezone.now()
    steps: dict[str, Callable[..., Any]] = {
        "detect": lambda **options: candidates.detect(now, **options),
        "degradation": lambda **options: degradations.sweep(now, **options),
        "corrections": lambda **options: corrections.sweep(**options),
        "promotions": lambda **options: promotions.sweep(**options),
    }
    began, found = _rss_mb(), {}
    for name, step in steps.items():
        read, _ = _timed(lambda step=step: step(dry_run=True))
        written, swept = _timed(step)
        if swept.counts.get("error"):
            raise RuntimeError(f"{name}: {next(line.detail for line in swept.lines if line.outcome == 'error')}")
        found[name] = {
            "seconds": written["seconds"],
            "rehearsal_seconds": read["seconds"],
            "reading_queries": read["queries"],
            "queries": written["queries"],
            "counts": swept.counts,
        }
    return {
        "steps": found,
        "seconds": round(sum(step["seconds"] for step in found.values()), 2),
        "rss_before_mb": began,
        "peak_rss_mb": _rss_mb(),
    }


def _timed(work: Callable[[], Any]) -> tuple[dict[str, Any], Any]:
    from django.db import connection

    queries = 0

    def count(execute: Callable[..., Any], *args: Any) -> Any:
        nonlocal queries
        queries += 1
        return execute(*args)

    began = time.perf_counter()
    with connection.execute_wrapper(count):
        answer = work()
    return {"seconds": round(time.perf_counter() - began, 3), "queries": queries}, answer


def _rss_mb() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def _fill(skills: int, runs: int) -> dict[str, int]:
    """Skills in every state that a step looks at, and what they have behind them; each number twice gives the same."""
    from django.db import connection

    from donna_skills.llm.models import ModelCall
    from lifecycle.models import Correction, Divergence, SkillRun

    run, call, divergence, correction = _patterns(skills)
    when = _moment(connection.vendor, runs)
    own = {"id": _id(connection.vendor), "capability_id": "b.capability_id", "skill_id": "b.skill_id"}
    of_run = {**own, "version_id": "b.version_id", "path": "b.path", "cost_usd": "0.02 + (n % 100) * 0.001"}
    times = dict.fromkeys(("created_at", "started_at", "finished_at"), when)
    compared = {
        "id": own["id"],
        "run_id": own["id"],
        "skill_id": "b.skill_id",
        "version_id": "b.version_id",
        "at": when,
    }
    # One in twenty serving skills slips; of the others, most answers agree.
    agreement = "CASE WHEN b.place % 20 = 7 THEN 0.2 ELSE 0.85 + (n % 16) * 0.01 END"
    per = f"(n / {skills})"
    for start in range(0, runs, _CHUNK):
        numbers = (start, min(start + _CHUNK, runs))
        _copy(run, numbers, {**of_run, **times})
        _copy(call, numbers, {"id": own["id"], "call_id": own["id"], "run_id": own["id"], "started_at": when})
        _copy(divergence, numbers, {**compared, "agreement": agreement}, where=f"b.path = 'skill' AND {per} % 3 = 0")
        _copy(
            correction,
            numbers,
            {"id": own["id"], "run_id": own["id"], "at": when},
            where=f"b.path = 'skill' AND {per} % 100 = 1",
        )
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE bench_skill")
        cursor.execute("ANALYZE")
    return {
        "skills": skills,
        "runs": SkillRun.objects.count(),
        "model_calls": ModelCall.objects.count(),
        "comparisons": Divergence.objects.count(),
        "corrections": Correction.objects.count(),
    }


def _patterns(skills: int) -> tuple[Any, Any, Any, Any]:
    """The skills, and one row of each table to copy; by place: a quarter on the reference, a sixth in the sandbox, the
    others live or trusted."""
    from django.db import connection
    from django.utils import timezone

    from donna_skills.accounts.models import User
    from donna_skills.llm.models import CallStatus, ModelCall, PriceSource
    from donna_skills.llm.port import Purpose
    from lifecycle.models import (
        AuthorKind,
        Capability,
        Correction,
        CorrectionSource,
        Divergence,
        DivergenceStatus,
        RunPath,
        RunStatus,
        Skill,
        SkillRun,
        SkillVersion,
        StateTransition,
        VersionStatus,
    )  # fmt: skip
    from lifecycle.states import Reason, State

    now = timezone.now()
    reviewer = User.objects.create_user("reviewer")
    schemas = {"input_schema": {"type": "object"}, "output_schema": {"type": "object"}}
    capabilities = Capability.objects.bulk_create(
        Capability(name=f"bench_{place}", description=f"Does the work number {place} of the bench.", **schemas)
        for place in range(skills)
    )
    states = [_state(place, State) for place in range(skills)]
    made = Skill.objects.bulk_create(
        Skill(capability=capability, state_entered_at=now, requires_human_gate=False) for capability in capabilities
    )
    versions = SkillVersion.objects.bulk_create(
        SkillVersion(
            skill=skill,
            number=1,
            digest=f"{place:064x}",
            author_kind=AuthorKind.AUTO_DRAFT,
            status=VersionStatus.RELEASED,
        )
        for place, skill in enumerate(made)
    )
    for skill, version, state in zip(made, versions, states, strict=True):
        skill.state = state
        if state != State.CLAUDE_NATIVE:
            skill.current_version = version
        if state == State.TRUSTED:
            skill.baseline_mean, skill.baseline_success_rate, skill.baseline_n = 0.93, 0.98, 100
            skill.baseline_version = version
    columns = ["state", "current_version", "baseline_mean", "baseline_success_rate", "baseline_n", "baseline_version"]
    Skill.objects.bulk_update(made, columns, batch_size=500)
    StateTransition.objects.bulk_create(
        StateTransition(
            skill=skill, version=version, from_state=State.DRAFT, to_state=State.SANDBOX, reason=Reason.HUMAN_APPROVAL,
            actor_kind="person", person=reviewer, at=now - timedelta(days=DAYS + number),
        )
        for number in range(1, 6) for skill, version in zip(made, versions, strict=True)
    )  # fmt: skip
    paths = {State.CLAUDE_NATIVE: RunPath.NATIVE, State.SANDBOX: RunPath.SANDBOX}
    with connection.cursor() as cursor:
        kind = "uuid" if connection.vendor == "postgresql" else "char(32)"
        cursor.execute(
            f"CREATE TABLE bench_skill (place integer PRIMARY KEY, skill_id {kind}, capability_id {kind}, "
            f"version_id {kind}, path varchar(12))"
        )
        rows = [
            (place, _db(skill), _db(capability), None if states[place] == State.CLAUDE_NATIVE else _db(version),
             paths.get(states[place], RunPath.SKILL).value)
            for place, (skill, capability, version) in enumerate(zip(made, capabilities, versions, strict=True))
        ]  # fmt: skip
        cursor.executemany("INSERT INTO bench_skill VALUES (%s, %s, %s, %s, %s)", rows)
    first, ended = made[0], {"status": RunStatus.SUCCEEDED, "outcome": RunStatus.SUCCEEDED}
    run = SkillRun.objects.create(
        capability=capabilities[0], skill=first, path=RunPath.SHADOW, inputs={"text": "call the mechanic monday"},
        output={"title": "Call the mechanic", "priority": "high"}, created_at=now, started_at=now, finished_at=now,
        **ended,
    )  # fmt: skip
    call = ModelCall.objects.create(
        purpose=Purpose.NATIVE, task_type="native", alias="reasoner", provider="bench", model="large", run_id=run.pk,
        prompt_digest="0" * 64, prompt="call the mechanic monday " * 20, output="{}",
        price_source=PriceSource.CONFIGURED,
        status=CallStatus.SUCCEEDED, started_at=now, expires_at=now, finished_at=now, cost_usd="0.02",
    )  # fmt: skip
    divergence = Divergence.objects.create(
        skill=first, version=versions[0], run=run, status=DivergenceStatus.JUDGED, agreement=0.9, at=now,
        rationale="They agree on what has to be done.", output=run.output, reference_output=run.output,
    )  # fmt: skip
    correction = Correction.objects.create(
        run=run, field="priority", original="high", corrected="low", source=CorrectionSource.API
    )
    return run, call, divergence, correction


def _state(place: int, states: Any) -> str:
    if place % 4 == 0:
        return str(states.CLAUDE_NATIVE)
    if place % 6 == 1:
        return str(states.SANDBOX)
    return str(states.TRUSTED if place % 2 else states.SHADOW_PRIMARY)


def _copy(row: Any, numbers: tuple[int, int], changed: dict[str, str], *, where: str = "1 = 1") -> None:
    """Insert numbered copies of a row in one statement, with these columns as expressions of n and of the skill b."""
    from django.db import connection

    quote = connection.ops.quote_name
    columns = [field.column for field in row._meta.concrete_fields]
    values = [changed.get(column, f"old.{quote(column)}") for column in columns]
    table = quote(row._meta.db_table)
    places = "(SELECT count(*) FROM bench_skill)"
    first, end = numbers
    statement = (
        f"WITH RECURSIVE series(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM series WHERE n + 1 < {end}) "
        f"INSERT INTO {table} ({', '.join(map(quote, columns))}) SELECT {', '.join(values)} "
        f"FROM series JOIN bench_skill b ON b.place = n % {places} JOIN {table} old ON old.id = '{_db(row)}' "
        f"WHERE {where}"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement)


def _db(row: Any) -> str:
    from django.db import connection

    key = row._meta.pk.get_db_prep_value(row.pk, connection)
    return str(key)


def _id(vendor: str) -> str:
    """A key like those of the past, growing with the number."""
    if vendor == "postgresql":
        return f"('01000000' || lpad(to_hex(n + {_BASE}), 24, '0'))::uuid"
    return f"'01000000' || printf('%024x', n + {_BASE})"


def _moment(vendor: str, runs: int) -> str:
    """The runs one after the other over DAYS, the last of them now."""
    seconds = f"(({runs} - n) * {DAYS * 86_400}.0 / {runs})"
    if vendor == "postgresql":
        return f"now() - {seconds} * interval '1 second'"
    # The shape that Django stores: without it, comparisons of texts would go wrong.
    return f"strftime('%Y-%m-%d %H:%M:%f', 'now', '-' || {seconds} || ' seconds')"


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "donna_skills.settings")
    main()
