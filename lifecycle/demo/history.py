"""Six weeks of reported runs, planned from a fixed seed: the same every time, but for the day that they lead up to."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from lifecycle.services.reports import Report

DAYS = 42
RECENT_DAYS = 14
"""What drifts, drifts in these last days."""

_SEED = "donna demo"
_BY_WEEKDAY = (1.0, 1.05, 1.0, 0.95, 0.85, 0.4, 0.3)
_BY_HOUR = (*[0] * 5, 1, 3, 6, 9, 10, 9, 8, 7, 8, 9, 9, 8, 6, 4, 3, 2, 1, 0, 0)
_GROWTH = 0.4
_FAILURES = (
    ("failed", "The model's answer is not JSON, after one repair too."),
    ("failed", "The model's answer does not match the step's schema, after one repair too."),
    ("timed_out", "The model did not answer within 60 seconds."),
)
_SERVED = ("ines", "tomas", "the garden office", "the workshop")

Inputs = dict[str, Any]
Output = dict[str, Any]


@dataclass(frozen=True)
class Shares:
    """How many of all runs fail, break the contract, and are valid and mistaken; the rest is right."""

    failed: float = 0.008
    broken: float = 0.004
    mistaken: float = 0.01


@dataclass(frozen=True)
class Course:
    """One capability's six weeks. `version` is None where the reference model answers."""

    capability: str
    runs: int
    version: int | None
    cost_usd: tuple[float, float]
    latency_ms: tuple[int, int]
    make: Callable[[random.Random, date], tuple[Inputs, Output]]
    mistake: Callable[[random.Random, Output], Output]
    breaking: Callable[[random.Random, Output], Output]
    usual: Shares = Shares()
    recent: Shares = Shares()


@dataclass(frozen=True)
class Planned:
    """A run to report; `reference` is the right answer, and `right` too where the answer is valid and mistaken."""

    report: Report
    days_ago: int
    reference: Mapping[str, Any]
    right: Mapping[str, Any] | None = None


def plan(courses: Iterable[Course], *, today: date) -> list[Planned]:
    """Every run of every course, oldest first, all of them before `today` begins (UTC).

    External ids count from 1 in each course whatever the day, so that a demo that was cut off goes on where it stopped.
    """
    planned = [one for course in courses for one in _planned(course, today)]
    return sorted(planned, key=lambda one: (one.report.started_at, one.report.external_id))


def _planned(course: Course, today: date) -> list[Planned]:
    chance = random.Random(f"{_SEED}/{course.capability}")  # noqa: S311 -- a story, no secret
    moments = sorted(_moments(chance, course.runs, today))
    return [_run(chance, course, number, started, today) for number, started in enumerate(moments, start=1)]


def _moments(chance: random.Random, count: int, today: date) -> list[datetime]:
    """More on weekdays, by day, and towards the end."""
    days = [today - timedelta(days=ago) for ago in range(1, DAYS + 1)]
    weights = [_BY_WEEKDAY[day.weekday()] * (1 + _GROWTH * (1 - ago / DAYS)) for ago, day in enumerate(days, start=1)]
    midnights = [datetime.combine(day, time(), UTC) for day in chance.choices(days, weights, k=count)]
    hours = chance.choices(range(24), _BY_HOUR, k=count)
    return [
        midnight + timedelta(hours=hour, seconds=chance.randrange(3600))
        for midnight, hour in zip(midnights, hours, strict=True)
    ]


def _run(chance: random.Random, course: Course, number: int, started: datetime, today: date) -> Planned:
    inputs, right = course.make(chance, started.date())
    days_ago = (today - started.date()).days
    shares = course.recent if days_ago <= RECENT_DAYS else course.usual
    output: Output | None = right
    status, error, mistaken = "succeeded", "", False
    fate = chance.random()
    if fate < shares.failed:
        status, error = chance.choice(_FAILURES)
        output = None
    elif fate < shares.failed + shares.broken:
        output = course.breaking(chance, right)
    elif fate < shares.failed + shares.broken + shares.mistaken:
        output, mistaken = course.mistake(chance, right), True
    report = Report(
        capability=course.capability,
        version=course.version,
        status=status,
        inputs=inputs,
        output=output,
        error=error,
        external_id=f"demo-{course.capability}-{number:05}",
        cost_usd=Decimal(f"{chance.uniform(*course.cost_usd):.6f}"),
        latency_ms=60_000 if status == "timed_out" else chance.randint(*course.latency_ms),
        started_at=started,
        user_id=chance.choice(_SERVED),
    )
    return Planned(report, days_ago, right, right if mistaken else None)
