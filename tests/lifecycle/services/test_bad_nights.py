"""Nights in bad weather: no provider, no money, no worker that lives, two at once. Nothing is lost, nothing is paid
twice, and the report says what happened."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, connections
from django.utils import timezone

from donna_skills.jobs import services as jobs
from donna_skills.jobs.models import JobRun, JobStatus
from donna_skills.jobs.progress import Progress
from donna_skills.llm import budget
from donna_skills.llm.models import BudgetPeriod, ModelCall, to_micros
from donna_skills.llm.port import Purpose
from donna_skills.notifications.models import Event
from lifecycle.models import (
    AttemptStatus,
    Candidate,
    DraftAttempt,
    Evolution,
    Review,
    ReviewKind,
    RunPath,
    Skill,
)
from lifecycle.services import drafts, nightly
from lifecycle.services.nightly import Step, Turn
from lifecycle.services.sweeps import Swept
from lifecycle.states import State
from tests import builders
from tests.lifecycle import guests
from tests.lifecycle.services.evolving import add_cases, degrade
from tests.lifecycle.services.nights import Kept
from tests.lifecycle.services.test_nightly_at_once import at_once
from tests.stubs.model_server import MALFORMED_JSON, Answer, Cut, Fail, ModelServer, Silent

pytestmark = pytest.mark.django_db

WRITES = [(3, 11), (4, 5), (6, 7)]
"""At which of its writes a step's worker dies, the first time and the second."""

_ends: list[tuple[str, int]] = []


def night() -> dict[str, dict[str, Any]]:
    return {step["step"]: step for step in nightly.work(watch=Kept())["steps"]}


def to_draft(*names: str) -> list[Candidate]:
    return [guests.candidate(guests.capability(name)) for name in names]


def to_evolve() -> Skill:
    """A degraded skill with enough cases for the night."""
    skill = builders.skill(State.TRUSTED)
    add_cases(skill, 16)
    return degrade(skill)


def slipped() -> Skill:
    skill = builders.skill(State.TRUSTED)
    baseline = {"baseline_mean": 0.95, "baseline_success_rate": 1.0, "baseline_n": 100}
    Skill.objects.filter(pk=skill.pk).update(**baseline, baseline_version=skill.current_version)
    for _ in range(30):
        builders.divergence(skill, 0.1)
    return skill


def earned() -> Skill:
    skill = builders.skill(State.SANDBOX)
    Skill.objects.filter(pk=skill.pk).update(requires_human_gate=False)
    for _ in range(20):
        builders.run(skill, path=RunPath.SANDBOX)
    return skill


def state_of(skill: Skill) -> str:
    return Skill.objects.values_list("state", flat=True).get(pk=skill.pk)


def spend_all_but(usd: str) -> None:
    """Of what background work may spend today, so much is left."""
    left = nightly.remaining_usd(timezone.now()) - Decimal(usd)
    for period in budget.periods(timezone.now()):
        row, _ = BudgetPeriod.objects.get_or_create(
            key=period.key, defaults={"limit_micros": to_micros(period.limit_usd)}
        )
        BudgetPeriod.objects.filter(pk=row.pk).update(spent_micros=row.spent_micros + to_micros(left))


def test_a_provider_that_is_down_for_the_whole_night_loses_nothing_and_the_next_night_goes_on(
    openai_stub: ModelServer, settings: Any
):
    skills = [to_evolve() for _ in range(3)]
    to_draft("first", "second", "third")
    down, up = slipped(), earned()
    openai_stub.otherwise(Fail(503))

    found = night()

    assert found["evolve"]["counts"] == {"model_error": 2, "model_away": 1}
    assert found["draft"]["counts"] == {"model_error": 2, "model_away": 1}
    assert {step["status"] for step in found.values()} == {"done"}
    assert (state_of(down), state_of(up)) == (State.FLAGGED_FOR_REVIEW, State.SHADOW_PRIMARY)
    assert {state_of(skill) for skill in skills} == {State.DEGRADED}
    assert Candidate.objects.open().count() == 3
    assert not Event.objects.filter(kind__in=["nightly.failed", "evolution.given_up"]).exists()
    assert not DraftAttempt.objects.filter(status=AttemptStatus.REFUSED).exists()

    settings.MODEL_ADAPTER = "offline"
    again = night()
    assert again["draft"]["counts"] == {"drafted": 3}
    assert "model_error" not in again["evolve"]["counts"]


@pytest.mark.parametrize("reply", [Fail(500), Fail(429), Silent(), Cut(), MALFORMED_JSON, Answer(after_s=3)], ids=str)
def test_an_author_that_is_slow_or_breaks_off_is_away_and_has_refused_nothing(
    openai_stub: ModelServer, tmp_path: Any, reply: Any
):
    (tmp_path / "skills.yaml").write_text("validation_per_step_timeout_s: 1\nvalidation_per_run_timeout_s: 1\n")
    [candidate] = to_draft("guest_notes")
    skill = to_evolve()
    openai_stub.otherwise(reply)
    found = night()
    assert (found["draft"]["counts"], found["evolve"]["counts"]) == ({"model_error": 1}, {"model_error": 1})
    candidate.refresh_from_db()
    assert (candidate.status, state_of(skill)) == ("new", State.DEGRADED)
    assert drafts.blocker(Candidate.objects.for_page().get(), now=timezone.now()) is None


def test_a_budget_that_ends_between_two_steps_leaves_the_second_for_another_night():
    """Evolution is paid before drafting; what costs nothing goes on."""
    skill, _ = to_evolve(), to_draft("guest_notes")
    down = slipped()
    spend_all_but("0")
    found = night()
    assert found["evolve"]["counts"] == {"budget_short": 1}
    assert found["draft"]["counts"] == {"no_budget": 1}
    assert (state_of(skill), state_of(down)) == (State.DEGRADED, State.FLAGGED_FOR_REVIEW)
    assert not ModelCall.objects.exists() and not DraftAttempt.objects.exists() and not Evolution.objects.exists()
    assert {step["status"] for step in found.values()} == {"done"}


def test_a_spend_that_is_not_known_counts_as_nothing_left():
    to_draft("guest_notes")

    def fail(execute: Any, sql: str, *rest: Any) -> Any:
        if "budgetperiod" in sql and sql.startswith("SELECT"):
            raise RuntimeError("The ledger cannot be read.")
        return execute(sql, *rest)

    with connection.execute_wrapper(fail):
        assert nightly.remaining_usd(timezone.now()) == 0
        found = night()
    assert (found["draft"]["budget_usd"], found["draft"]["counts"]) == ("0", {"no_budget": 1})


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"])
@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25", "2026-11-01", "2026-12-31"])
def test_the_days_number_of_drafts_begins_anew_at_midnight_utc_also_when_clocks_change(zone: str, day: str):
    midnight = datetime.fromisoformat(f"{day}T00:00:00+00:00") + timedelta(days=1)
    [candidate] = to_draft("guest_notes")
    for late in (timedelta(hours=-24), timedelta(hours=-3), timedelta(microseconds=-1), timedelta()):
        DraftAttempt.objects.create(
            candidate=candidate,
            skill=candidate.capability.skill,
            status=AttemptStatus.REFUSED,
            started_at=midnight + late,
            finished_at=midnight + late,
        )
    there = ZoneInfo(zone)
    assert drafts.started_on((midnight - timedelta(microseconds=1)).astimezone(there)) == 3
    assert drafts.started_on(midnight.astimezone(there)) == 1


@pytest.mark.django_db(transaction=True)
def test_two_nights_of_real_work_at_once_do_everything_once():
    """Not through a job, which would keep them apart: whatever they share has to bear it."""
    skill, down, up = to_evolve(), slipped(), earned()
    to_draft("guest_notes")
    Candidate.objects.all().delete()
    reports = at_once(night, night)

    assert {step["status"] for report in reports for step in report.values()} == {"done"}
    assert not [step["errors"] for report in reports for step in report.values() if step["errors"]]
    _everything_once(skill, down, up)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("writes", WRITES, ids=str)
def test_workers_that_are_killed_in_every_step_are_followed_by_one_that_finishes_the_night(
    settings: Any, writes: tuple[int, int]
):
    """By SIGKILL, twice in each step: at its n-th write, or as it is done and has not said so where it writes less."""
    settings.JOB_HANDLERS = {nightly.KIND: f"{__name__}.dying"}
    skill, down, up = to_evolve(), slipped(), earned()
    to_draft("guest_notes")
    Candidate.objects.all().delete()
    due = nightly.due_at(timezone.now())
    _ends[:] = [(step.name, write) for step in nightly.STEPS for write in writes]
    job = nightly.wake(due)
    for _ in _ends:
        assert job is not None and _is_killed_on(job)
        assert jobs.reap(timezone.now() + timedelta(hours=1)) == 1
        for rows in (DraftAttempt.objects, Evolution.objects):
            rows.filter(status=AttemptStatus.RUNNING).update(lease_until=timezone.now() - timedelta(seconds=1))
        job = nightly.wake(due)
    assert job is not None and not _is_killed_on(job)

    job.refresh_from_db()
    assert (job.status, nightly.wake(due)) == (JobStatus.SUCCEEDED, None)
    assert [(step["status"], step["begun"]) for step in job.report["steps"]] == [("done", 3)] * len(nightly.STEPS)
    _everything_once(skill, down, up)


def dying(job: JobRun, progress: Progress) -> Mapping[str, Any]:
    """The night's handler, which takes its process with it at the end that is this job's turn."""
    name, write = dict(enumerate(_ends)).get(job.arguments.get("hops", 0), ("", 0))

    def deadly(step: Step) -> Step:
        def work(turn: Turn) -> Swept:
            if step.name != name:
                return step.work(turn)
            with connection.execute_wrapper(_Deadly(write)):
                step.work(turn)
            os.kill(os.getpid(), signal.SIGKILL)
            raise AssertionError("It is dead.")

        return replace(step, work=work)

    return nightly.carry_out(job, progress, steps=[deadly(step) for step in nightly.STEPS])


def _everything_once(skill: Skill, down: Skill, up: Skill) -> None:
    assert Candidate.objects.get().status == "drafted"
    assert DraftAttempt.objects.get().status == AttemptStatus.ACCEPTED
    assert ModelCall.objects.filter(purpose=Purpose.DRAFT, status="succeeded").count() == 1
    assert ModelCall.objects.filter(purpose=Purpose.EVOLUTION, status="succeeded").count() == 1
    assert Evolution.objects.count() == 1
    assert down.transitions.filter(to_state=State.FLAGGED_FOR_REVIEW).count() == 1
    assert up.transitions.filter(to_state=State.SHADOW_PRIMARY).count() == 1
    assert Review.objects.filter(kind=ReviewKind.FLAG, skill=down).count() == 1
    assert Review.objects.open().filter(kind=ReviewKind.DRAFT).count() == 1
    assert state_of(skill) in {State.DEGRADED, State.DRAFT}


def _is_killed_on(job: JobRun) -> bool:
    """Carry the job out in a process of its own; whether that was killed on the way."""
    connections.close_all()
    child = os.fork()
    if not child:
        try:
            jobs.run(job.pk)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


class _Deadly:
    def __init__(self, write: int) -> None:
        self.left = write

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Mapping[str, Any]) -> Any:
        if sql.startswith(("INSERT", "UPDATE", "DELETE")):
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return execute(sql, params, many, context)
