"""The night: when it is due, that it is one, what its report says, and that a step that fails fails alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import DatabaseError
from django.utils import timezone as clock

from donna_skills.accounts.actors import Actor
from donna_skills.audit.models import AuditEvent
from donna_skills.errors import Conflict, NotPermitted
from donna_skills.jobs import services as jobs
from donna_skills.jobs.models import JobRun, JobStatus
from donna_skills.jobs.progress import JobStopped
from donna_skills.llm import budget
from donna_skills.llm.models import BudgetPeriod, to_micros
from donna_skills.notifications.models import Event, Notification
from lifecycle.models import Candidate, Skill
from lifecycle.services import nightly
from lifecycle.services.nightly import Turn
from lifecycle.services.sweeps import Line, Swept
from lifecycle.states import State
from tests import builders
from tests.lifecycle.services import nights
from tests.lifecycle.services.nights import Kept

pytestmark = pytest.mark.django_db

BY = Actor.system("test")
DUE = datetime(2026, 11, 21, 3, tzinfo=UTC)


@pytest.fixture
def own_steps(settings: Any) -> Callable[..., None]:
    """Choose the steps of the jobs that a test carries out."""
    settings.JOB_HANDLERS = {nightly.KIND: nights.HANDLER}
    return nights.choose


def fine(turn: Turn) -> Swept:
    return Swept([Line("", "alpha", "healthy"), Line("", "beta", "flagged", "It slipped.", ("degraded",))])


def configured(settings: Any, tmp_path: Path, text: str) -> None:
    (tmp_path / "skills.yaml").write_text(text)
    settings.CONFIG_DIR = tmp_path


def over(job: JobRun, status: JobStatus, **fields: Any) -> None:
    JobRun.objects.filter(pk=job.pk).update(status=status, finished_at=clock.now(), **fields)


@pytest.mark.parametrize(
    ("now", "due"),
    [
        (DUE, DUE),
        (DUE - timedelta(microseconds=1), DUE - timedelta(days=1)),
        (datetime(2026, 11, 21, 0, 0, tzinfo=UTC), DUE - timedelta(days=1)),
        (datetime(2026, 11, 21, 23, 59, 59, tzinfo=UTC), DUE),
        # 04:30 on the first of March in a zone ahead of UTC is the night of a leap day's morrow in UTC.
        (datetime(2028, 3, 1, 4, 30, tzinfo=timezone(timedelta(hours=5))), datetime(2028, 2, 29, 3, tzinfo=UTC)),
    ],
)
def test_a_night_begins_at_its_hour_in_utc(now: datetime, due: datetime):
    assert nightly.due_at(now) == due


@pytest.mark.parametrize("day", [date(2026, 3, 8), date(2026, 11, 1)])
def test_the_days_on_which_clocks_change_have_one_night_each(day: date):
    """Wall clocks in New York jump from two to three, or have one o'clock twice; the night does neither."""
    begins = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo("America/New_York")) - timedelta(hours=6)
    minutes = [begins.astimezone(UTC) + timedelta(minutes=15 * number) for number in range(4 * 48)]
    dues = sorted({nightly.due_at(one.astimezone(ZoneInfo("America/New_York"))) for one in minutes})
    assert [later - earlier for earlier, later in pairwise(dues)] == [timedelta(days=1)] * 2
    assert {(due.hour, due.utcoffset()) for due in dues} == {(3, timedelta(0))}


def test_the_hour_is_configurable_up_to_midnight(settings: Any, tmp_path: Path):
    configured(settings, tmp_path, "nightly_run_hour_utc: 0\n")
    midnight = datetime(2026, 11, 21, tzinfo=UTC)
    assert nightly.due_at(midnight) == midnight
    assert nightly.due_at(midnight - timedelta(microseconds=1)) == midnight - timedelta(days=1)


def test_a_night_is_asked_for_once_however_often_and_by_whomever_it_is_looked_at():
    first = nightly.wake(DUE)
    assert first is not None
    assert (first.kind, first.key, first.arguments["night"]) == (nightly.KIND, "night 2026-11-21", "2026-11-21")
    assert nightly.wake(DUE + timedelta(seconds=5)) is None  # it is open
    over(first, JobStatus.SUCCEEDED)
    for later in (timedelta(seconds=10), timedelta(hours=10), timedelta(hours=23)):
        assert nightly.wake(DUE + later) is None
    second = nightly.wake(DUE + timedelta(days=1))
    assert second is not None
    assert second.key == "night 2026-11-22"
    assert JobRun.objects.filter(kind=nightly.KIND).count() == 2


@pytest.mark.parametrize(("late", "made_up_for"), [(20, True), (20.01, False), (23.9, False)])
def test_a_night_that_was_missed_is_made_up_for_within_twenty_hours(late: float, made_up_for: bool):
    assert bool(nightly.wake(DUE + timedelta(hours=late))) is made_up_for


def test_several_missed_nights_are_made_up_for_once():
    nightly.wake(DUE - timedelta(days=5))
    JobRun.objects.update(status=JobStatus.SUCCEEDED, finished_at=clock.now())
    assert nightly.wake(DUE + timedelta(hours=1)) is not None
    assert JobRun.objects.filter(kind=nightly.KIND).count() == 2


def test_a_night_whose_worker_went_away_is_gone_on_with():
    first = nightly.wake(DUE)
    assert first is not None
    over(first, JobStatus.INTERRUPTED)
    second = nightly.wake(DUE + timedelta(minutes=2))
    assert second is not None
    assert second.arguments == {"night": "2026-11-21", "continues": str(first.pk), "hops": 1}
    over(second, JobStatus.FAILED, error_code="timed_out")
    third = nightly.wake(DUE + timedelta(minutes=4))
    assert third is not None
    assert (third.arguments["continues"], third.arguments["hops"]) == (str(second.pk), 2)


@pytest.mark.parametrize(("status", "code"), [("failed", "steps_failed"), ("failed", "unexpected"), ("cancelled", "")])
def test_a_night_that_failed_by_itself_or_was_called_off_is_over(status: JobStatus, code: str):
    first = nightly.wake(DUE)
    assert first is not None
    over(first, status, error_code=code)
    assert nightly.wake(DUE + timedelta(minutes=2)) is None


def test_a_night_that_ends_every_worker_is_given_up_in_the_end_and_people_hear_of_it_once():
    operator = builders.person("operator")
    job = nightly.wake(DUE)
    for _ in range(30):
        if job is None:
            break
        over(job, JobStatus.INTERRUPTED)
        last, job = job, nightly.wake(DUE + timedelta(hours=1))
    assert job is None
    assert last.arguments["hops"] == 25
    assert nightly.wake(DUE + timedelta(hours=2)) is None
    told = Notification.objects.filter(person=operator, event__kind="nightly.failed")
    assert [line.title for line in told] == ["The night's work of 2026-11-21 failed"]


def test_a_night_asked_for_by_hand_is_the_one_that_is_under_way():
    tonight = nightly.wake(clock.now().replace(hour=3))
    assert tonight is not None
    assert nightly.request(by=BY).pk == tonight.pk
    assert nightly.request(by=Actor.person(builders.person("operator"))).pk == tonight.pk


def test_a_night_by_hand_keeps_the_next_one_waiting_and_does_not_replace_it():
    by_hand = nightly.request(by=BY)
    tomorrow = nightly.due_at(clock.now()) + timedelta(days=1)
    assert nightly.wake(tomorrow) is None
    over(by_hand, JobStatus.SUCCEEDED)
    assert nightly.wake(tomorrow) is not None


def test_a_rehearsal_is_no_night():
    rehearsal = nightly.request(by=BY, dry_run=True)
    assert nightly.request(by=BY, dry_run=True).pk == rehearsal.pk
    assert nightly.wake(DUE) is not None
    assert not AuditEvent.objects.filter(action="nightly.requested").exists()


@pytest.mark.parametrize(
    ("role", "may"),
    [("viewer", False), ("", False), ("operator", True), ("author", True), ("reviewer", True), ("admin", True)],
)
def test_who_may_start_a_night(role: str, may: bool):
    person = Actor.person(builders.person(role))
    if may:
        job = nightly.request(by=person)
        assert AuditEvent.objects.get(action="nightly.requested").subject_id == str(job.pk)
        return
    with pytest.raises(NotPermitted):
        nightly.request(by=person)
    assert not JobRun.objects.exists()


def test_the_report_says_what_each_step_did_and_is_kept_as_it_grows():
    watch = Kept()
    report = nightly.work(watch=watch, steps=nights.steps(fine, lambda turn: Swept(cost_usd=Decimal("0.25"))))

    first, second = report["steps"]
    assert (first["step"], first["status"], first["counts"]) == ("one", "done", {"healthy": 1, "flagged": 1})
    assert first["lines"][1] == {
        "skill": "beta",
        "skill_id": "",
        "outcome": "flagged",
        "says": "It slipped.",
        "reasons": ["degraded"],
    }
    assert (second["says"], report["cost_usd"]) == ("Nothing to do.", "0.25")
    assert report["says"] == "2 of 2 steps are done."
    begun = [[(step["step"], step["status"]) for step in kept["steps"]] for kept in watch.reports]
    assert begun == [
        [("one", "running")],
        [("one", "done")],
        [("one", "done"), ("two", "running")],
        [("one", "done"), ("two", "done")],
    ]
    assert watch.told[-1] == (2, 2, report["says"])


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (Conflict("The candidates are elsewhere."), "The candidates are elsewhere."),
        (ZeroDivisionError("x"), "An unexpected error (ZeroDivisionError)."),
        (DatabaseError("x"), "An unexpected error (DatabaseError)."),
    ],
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_step_that_fails_fails_alone(
    own_steps: Callable[..., None], error: Exception, sentence: str, place: int
) -> None:
    def breaks(turn: Turn) -> Swept:
        raise error

    works = [fine, fine, fine]
    works[place] = breaks
    own_steps(*works)
    operator, viewer = builders.person("operator"), builders.person("viewer")
    job = jobs.run(nightly.request(by=BY).pk)

    assert job is not None
    assert (job.status, job.error_code) == (JobStatus.FAILED, "steps_failed")
    assert [step["status"] for step in job.report["steps"]].count("done") == 2
    failed = job.report["steps"][place]
    assert (failed["status"], failed["says"], failed["errors"]) == ("failed", sentence, [sentence])
    assert job.error == f"1 of 3 steps failed: step {failed['step']}. The others ran."
    jobs.run(nightly.request(by=BY).pk)  # the same night fails again, and people know already
    told = Notification.objects.filter(event__kind="nightly.failed")
    assert [(line.person_id, line.level) for line in told] == [(operator.pk, "error")]
    assert viewer.pk not in {line.person_id for line in told}
    assert told[0].url == f"/jobs/{told[0].event.subject_id}/"


def test_the_error_of_one_skill_is_no_failed_step():
    report = nightly.work(
        watch=Kept(),
        steps=nights.steps(lambda turn: Swept([*fine(turn).lines, Line("", "gamma", "error", "Too old.")])),
    )
    assert report["steps"][0]["errors"] == ["gamma: Too old."]
    assert report["steps"][0]["lines"][0]["skill"] == "gamma"  # errors come first
    assert report["says"] == "1 of 1 steps are done; 1 skills could not be looked at."


def test_a_long_report_is_cut_and_says_so():
    many = [Line("", f"skill_{number}", "healthy") for number in range(1_000)]
    lines = [*many, Line("", "rare", "flagged", "x" * 9_000)]
    step = nightly.work(watch=Kept(), steps=nights.steps(lambda turn: Swept(lines)))["steps"][0]
    assert (len(step["lines"]), step["more"], step["counts"]) == (nightly.LINES, 801, {"healthy": 1_000, "flagged": 1})
    assert (step["lines"][0]["skill"], len(step["lines"][0]["says"])) == ("rare", 500)


def test_a_night_that_is_gone_on_with_takes_over_what_is_done():
    calls: list[str] = []

    def counted(name: str, cost: str) -> Callable[[Turn], Swept]:
        def work(turn: Turn) -> Swept:
            calls.append(name)
            return Swept(cost_usd=Decimal(cost))

        return work

    steps = nights.steps(counted("one", "0.10"), counted("two", "0.20"), counted("three", "0.40"))
    watch = Kept(stop_at=3)  # its worker goes as the second step begins
    with pytest.raises(JobStopped):
        nightly.work(watch=watch, steps=steps)
    report = nightly.work(watch=Kept(), earlier=watch.reports[-1], steps=steps)
    assert calls == ["one", "two", "three"]
    assert [step["begun"] for step in report["steps"]] == [1, 2, 1]
    assert report["cost_usd"] == "0.70"


def test_a_job_that_continues_another_reads_its_report(own_steps: Callable[..., None]):
    own_steps(fine, fine)
    first = nightly.wake(DUE)
    assert first is not None
    done = {"step": "one", "label": "Step one", "status": "done", "begun": 1, "counts": {"kept": 7}, "cost_usd": "1.5"}
    over(first, JobStatus.INTERRUPTED, report={"steps": [done], "seconds": 60})
    second = nightly.wake(DUE + timedelta(minutes=1))
    assert second is not None
    job = jobs.run(second.pk)
    assert job is not None
    assert job.report["steps"][0] == done
    assert (job.report["cost_usd"], job.report["seconds"] >= 60) == ("1.5", True)


def test_a_step_that_ends_its_worker_again_and_again_is_left_for_the_next_night():
    earlier = {"steps": [{"step": "one", "label": "Step one", "status": "running", "begun": 3}]}
    report = nightly.work(watch=Kept(), earlier=earlier, steps=nights.steps(fine, fine))
    assert [step["status"] for step in report["steps"]] == ["failed", "done"]
    assert report["steps"][0]["says"] == "It ended its worker 3 times tonight and is left for the next night."


def test_a_night_that_is_called_off_stops_before_its_next_step(own_steps: Callable[..., None]):
    def call_off(turn: Turn) -> Swept:
        jobs.cancel(JobRun.objects.get(), by=BY)
        return Swept()

    def never(turn: Turn) -> Swept:
        raise AssertionError("It was called off.")

    own_steps(call_off, never)
    job = jobs.run(nightly.request(by=BY).pk)
    assert job is not None
    assert job.status == JobStatus.CANCELLED
    assert not Event.objects.filter(kind="nightly.failed").exists()


def test_a_paid_step_is_told_what_is_left_of_day_and_month():
    given: list[Decimal] = []

    def spend(turn: Turn) -> Swept:
        given.append(turn.budget_usd)
        for period in budget.periods(clock.now()):
            BudgetPeriod.objects.filter(key=period.key).delete()
            BudgetPeriod.objects.create(
                key=period.key, limit_micros=to_micros(period.limit_usd), spent_micros=to_micros(Decimal("13.5"))
            )
        return Swept(cost_usd=Decimal("13.5"))

    report = nightly.work(watch=Kept(), steps=nights.steps(spend, spend, paid=True))
    assert given == [Decimal("14"), Decimal("0.5")]  # 20 a day, of which 30 % are kept for live traffic
    assert [Decimal(step["budget_usd"]) for step in report["steps"]] == given


def test_with_the_master_switch_off_it_records_that_it_did_nothing(settings: Any, tmp_path: Path):
    configured(settings, tmp_path, "enabled: false\n")
    job = jobs.run(nightly.request(by=BY).pk)
    assert job is not None
    assert (job.status, job.report["enabled"], job.report["steps"]) == (JobStatus.SUCCEEDED, False, [])
    assert job.report["says"] == "The master switch in config/skills.yaml is off: the night did nothing."


def test_a_real_night_carries_every_step_out_in_its_order_and_a_dry_run_changes_nothing():
    reviewer = builders.person("reviewer")
    found = builders.skill()
    builders.candidate(found)
    Candidate.objects.all().delete()
    Skill.objects.filter(pk=found.pk).update(state=State.CLAUDE_NATIVE)
    slipped = builders.skill(State.TRUSTED)
    Skill.objects.filter(pk=slipped.pk).update(
        baseline_mean=0.95, baseline_success_rate=1.0, baseline_n=100, baseline_version=slipped.current_version
    )
    for _ in range(30):
        builders.divergence(slipped, 0.1)
    events = Event.objects.count()

    would = nightly.work(watch=Kept(), dry_run=True)
    assert (Candidate.objects.count(), Event.objects.count()) == (0, events)
    names = ["detect", "evolve", "draft", "degradation", "corrections", "promotions", "reminders"]
    assert [step["step"] for step in would["steps"]] == names
    assert would["steps"][0]["counts"] == {"found": 1}
    assert would["steps"][3]["counts"] == {"flagged": 1}

    nightly.work(watch=Kept())
    assert Candidate.objects.count() == 1
    assert Skill.objects.get(pk=slipped.pk).state == State.FLAGGED_FOR_REVIEW
    assert Notification.objects.filter(person=reviewer, event__kind="review.reminder").count() == 1
