"""Nights of a test's own steps: `chosen` holds them, and `carry_out` is the handler that settings.JOB_HANDLERS names
(HANDLER)."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from donna_skills.jobs.models import JobRun
from donna_skills.jobs.progress import JobStopped, Progress
from lifecycle.services import nightly
from lifecycle.services.nightly import Step, Turn
from lifecycle.services.sweeps import Swept

HANDLER = "tests.lifecycle.services.nights.carry_out"
DEADLY_HANDLER = "tests.lifecycle.services.nights.deadly"
DEADLY = ("detect", "draft", "reminders")

chosen: list[Step] = []


def steps(*works: Callable[[Turn], Swept], paid: bool = False) -> tuple[Step, ...]:
    """Steps called one, two, three."""
    return tuple(
        Step(name, f"Step {name}", work, paid=paid) for name, work in zip(("one", "two", "three"), works, strict=False)
    )


def choose(*works: Callable[[Turn], Swept]) -> None:
    chosen[:] = steps(*works)


def carry_out(job: JobRun, progress: Progress) -> Mapping[str, Any]:
    return nightly.carry_out(job, progress, steps=chosen)


def deadly(job: JobRun, progress: Progress) -> Mapping[str, Any]:
    """A night of the real steps that takes its worker with it as a step is done and has not said so yet: the first
    time in one step, then in a later one, and the last time in none."""
    dies_after = dict(enumerate(DEADLY)).get(job.arguments.get("hops", 0))

    def after(step: Step) -> Step:
        def work(turn: Turn) -> Swept:
            swept = step.work(turn)
            if step.name == dies_after:
                os.kill(os.getpid(), signal.SIGKILL)
            return swept

        return replace(step, work=work)

    return nightly.carry_out(job, progress, steps=[after(step) for step in nightly.STEPS])


class Kept:
    """Watches a night as a job's progress does, and remembers every report that it was given."""

    def __init__(self, *, stop_at: int = 0) -> None:
        self.reports: list[dict[str, Any]] = []
        self.told: list[tuple[int, int, str]] = []
        self._stop_at = stop_at

    def __call__(self, done: int, total: int, message: str = "") -> None:
        self.told.append((done, total, message))

    def keep(self, report: Mapping[str, Any]) -> None:
        self.reports.append({**report, "steps": [dict(step) for step in report["steps"]]})
        if self._stop_at and len(self.reports) == self._stop_at:
            raise JobStopped
