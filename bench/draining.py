"""The inner half of `bench.drain` and `bench.lag`: the processes, the work that does nothing, and the counting. Not for
use by itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "donna_skills.settings")
django.setup()

from django.db.models import Max, Min  # noqa: E402
from django.utils import timezone  # noqa: E402

from automations.models import OPEN, Automation, AutomationRun  # noqa: E402
from automations.services import tick  # noqa: E402
from bench.tick import said  # noqa: E402
from donna_skills.accounts.actors import Actor  # noqa: E402
from donna_skills.accounts.models import User  # noqa: E402
from lifecycle.models import AuthorKind, Skill  # noqa: E402
from lifecycle.services import capabilities, transitions, versions, walks  # noqa: E402
from lifecycle.states import Reason, State  # noqa: E402

_PATIENCE_S = 900
_WARM_S = 8
_WHOLE_CLUSTER = 6
"""Processes: the first, the one that looks after the others, a pusher, a monitor, two workers."""
_PACKAGE = {
    "skill.yaml": (
        b"capability_name: nothing\nversion: '1'\ndescription: Nothing.\nsteps:\n  - name: look\n    kind: tool\n"
        b"    tools: [html_extract]\n    tool_invocations:\n      - tool: html_extract\n        store_as: found\n"
        b"        args: {html: '<p>1</p>', selector: p}\n        on_failure: fail_skill\n"
        b"final_output: state.look.found\n"
    ),
    "fixtures/one.json": (
        b'{"input": {}, "tool_mocks": [{"tool": "html_extract", "args": {"html": "<p>1</p>", "selector": "p"}, '
        b'"result": {"text": "1"}}], "assertions": [{"path": "text", "op": "exists"}]}'
    ),
}


def ours(count: int) -> None:
    fill(count)
    with process("qcluster") as cluster:
        time.sleep(_WARM_S)
        before, began = used(cluster.pid) + time.process_time(), time.perf_counter()
        tick.run(timezone.now())
        wait(lambda: not AutomationRun.objects.filter(status__in=OPEN).exists() and AutomationRun.objects.exists())
        seconds, cpu = time.perf_counter() - began, used(cluster.pid) + time.process_time() - before
    done = AutomationRun.objects.filter(status="succeeded").count()
    said(figures(count, seconds, cpu) | {"succeeded": done})


def bare(count: int) -> None:
    """As many tasks as we have runs; django-q2 keeps their results, as it does for everybody."""
    from django_q.models import OrmQ
    from django_q.tasks import async_task

    with process("qcluster") as cluster:
        time.sleep(_WARM_S)
        before, began = used(cluster.pid) + time.process_time(), time.perf_counter()
        for _ in range(count):
            async_task("math.sqrt", 4)
        wait(lambda: not OrmQ.objects.exists())
        seconds, cpu = time.perf_counter() - began, used(cluster.pid) + time.process_time() - before
    said(figures(count, seconds, cpu))


def figures(count: int, seconds: float, cpu: float) -> dict[str, float]:
    return {
        "per_s": round(count / seconds, 1),
        "seconds": round(seconds, 2),
        "processor_ms_each": round(cpu / count * 1000, 2),
        "load": round(os.getloadavg()[0], 1),
    }


def used(group: int) -> float:
    """Seconds of processor time that the living processes of a group have used."""
    return sum(members(group).values()) / os.sysconf("SC_CLK_TCK")


def members(group: int) -> dict[int, int]:
    """The living processes of a group, and the ticks of processor time that each has used."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[2]) == group:
                found[int(stat.parent.name)] = int(fields[11]) + int(fields[12])
    return found


def lag(count: int, *, seconds: float = 60.0) -> None:
    """Two schedulers, `count` automations due at every whole minute, and a cluster that is killed whole two seconds
    after it is up, again and again: one that loses a worker alone may hang, for the queue's lock dies with it."""
    fill(count)
    Automation.objects.update(schedule="* * * * *", floor_seconds=60, next_run_at=timezone.now() + timedelta(hours=1))
    minute = (timezone.now() + timedelta(seconds=75)).replace(second=0, microsecond=0)
    Automation.objects.update(next_occurrence=minute, next_run_at=minute)
    killed = 0
    with process("scheduler"), process("scheduler"):
        wait(lambda: AutomationRun.objects.exists())
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with process("qcluster") as cluster:
                wait(lambda group=cluster.pid: len(members(group)) >= _WHOLE_CLUSTER)  # type: ignore[misc]
                time.sleep(2)
            killed += 1
        Automation.objects.update(status="paused", pause_reason="person", next_run_at=None, next_occurrence=None)
        with process("qcluster"):
            wait(lambda: not AutomationRun.objects.filter(status__in=OPEN).exists())
    lags = sorted(
        (run.started_at - run.scheduled_for).total_seconds()
        for run in AutomationRun.objects.exclude(started_at=None).only("started_at", "scheduled_for")
        if run.started_at
    )
    span = AutomationRun.objects.aggregate(first=Min("scheduled_for"), last=Max("scheduled_for"))
    occurrences = AutomationRun.objects.values_list("automation", "scheduled_for")
    expected = count * (int((span["last"] - span["first"]).total_seconds() // 60) + 1)
    found = occurrences.count()
    said(
        {
            "p50_s": round(lags[len(lags) // 2], 2),
            "p99_s": round(lags[int(len(lags) * 0.99)], 2),
            "max_s": round(lags[-1], 2),
            "killed": killed,
            "rows": found,
            "duplicates": found - occurrences.distinct().count(),
            "lost": expected
            - found
            - sum(max(run.missed - 1, 0) for run in AutomationRun.objects.filter(missed__gt=0)),
            "interrupted": AutomationRun.objects.filter(status="interrupted").count(),
            "load": round(os.getloadavg()[0], 1),
            "skipped": AutomationRun.objects.filter(status__startswith="skipped").count(),
        }
    )


def fill(count: int) -> None:
    owner = User.objects.create_superuser("bench")
    skill = _skill(owner)
    now = timezone.now()
    Automation.objects.bulk_create(
        Automation(
            owner=owner, name=f"automation {number}", capability=skill.capability, schedule="0 * * * *",
            floor_seconds=900, floor_state=State.TRUSTED, next_occurrence=now, next_run_at=now,
            alert_conditions={"field": "text", "op": "==", "value": "never"},
        )
        for number in range(count)
    )  # fmt: skip


def _skill(owner: User) -> Skill:
    """Trusted, of one tool step that looks at a paragraph."""
    anything = {"type": "object"}
    system, person = Actor.system("bench"), Actor.person(owner)
    capability = capabilities.register(
        "nothing", description="Nothing.", input_schema=anything, output_schema=anything, actor=system,
        granted_tools=["html_extract"],
    )  # fmt: skip
    skill: Skill = capability.skill
    walks.make_current(skill, versions.add(skill, files=_PACKAGE, actor=system, author_kind=AuthorKind.AUTO_DRAFT))
    for state, reason, actor in (
        (State.SKILL_CANDIDATE, Reason.GATE_PASSED, system),
        (State.DRAFT, Reason.GATE_PASSED, system),
        (State.SANDBOX, Reason.HUMAN_APPROVAL, person),
        (State.SHADOW_PRIMARY, Reason.HUMAN_APPROVAL, person),
        (State.TRUSTED, Reason.HUMAN_APPROVAL, person),
    ):
        transitions.move(skill, state, reason=reason, actor=actor)
    return skill


@contextmanager
def process(command: str) -> Iterator[subprocess.Popen[bytes]]:
    """`manage.py <command>` in a process group of its own, which is gone after the block."""
    found = subprocess.Popen(
        [sys.executable, "manage.py", command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    try:
        yield found
    finally:
        with suppress(ProcessLookupError):
            os.killpg(found.pid, signal.SIGKILL)
        found.wait()


def wait(done: Callable[[], bool]) -> None:
    end = time.monotonic() + _PATIENCE_S
    while not done():
        if time.monotonic() > end:
            raise RuntimeError("It did not end in time.")
        time.sleep(0.05)


if __name__ == "__main__":
    {"ours": ours, "bare": bare, "lag": lag}[sys.argv[1]](int(sys.argv[2]))
