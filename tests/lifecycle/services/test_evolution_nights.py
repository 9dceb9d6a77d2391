"""When skills are evolved: by night, by hand, again after a crash, and when it is given up."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from donna_skills.accounts.actors import Actor
from donna_skills.errors import Conflict, NotPermitted
from donna_skills.jobs import services as jobs
from donna_skills.jobs.models import JobRun, JobStatus
from donna_skills.llm.models import BudgetPeriod
from lifecycle.models import (
    AttemptStatus,
    Evolution,
    Review,
    ReviewKind,
    Skill,
)
from lifecycle.services import evolutions, material
from lifecycle.states import Reason, State
from tests import builders
from tests.lifecycle.services.evolving import (
    Models,
    add_cases,
    degraded,
    mends,
    rewrite,
    successes,
    try_once,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def models(openai_stub):
    return Models(openai_stub)


def test_two_refusals_in_a_row_leave_a_skill_without_a_healthy_version_to_the_reference(models):
    reviewer = builders.person("reviewer")
    skill = degraded()
    models.replies = ["no", "no"]
    try_once(skill)
    assert Skill.objects.get(pk=skill.pk).state == State.DEGRADED
    try_once(skill)
    skill.refresh_from_db()
    assert (skill.state, skill.transitions.first().reason) == (State.CLAUDE_NATIVE, Reason.EVOLUTION_FAILED)
    assert reviewer.notifications.filter(title__contains="was refused 2 times").count() == 1


def test_budget_stops_and_model_errors_do_not_count(models, openai_stub):
    from tests.stubs.model_server import Fail

    skill = degraded()
    models.replies = ["no", "no"]
    try_once(skill)
    openai_stub.will(Fail(400))
    assert try_once(skill).status == AttemptStatus.MODEL_ERROR
    assert Skill.objects.get(pk=skill.pk).state == State.DEGRADED
    try_once(skill)
    assert Skill.objects.get(pk=skill.pk).state == State.CLAUDE_NATIVE


def test_attempts_asked_for_by_hand_do_not_count(models):
    author = Actor.person(builders.person("author"))
    skill = degraded()
    models.replies = ["no"] * 3
    for _ in range(3):
        try_once(skill, actor=author)
    assert Skill.objects.get(pk=skill.pk).state == State.DEGRADED


@pytest.mark.django_db(transaction=True)
def test_a_budget_that_runs_out_between_two_gates_stops_the_attempt_and_keeps_its_reply(models):
    skill = degraded()
    successes(skill)
    spent = []

    def drain(kind):
        if kind == "skill" and models.calls.count("skill") == 5 and not spent:
            spent.append(True)
            BudgetPeriod.objects.update(spent_micros=19_000_000)

    models.before = drain
    models.replies = [mends()]
    stopped = try_once(skill)

    assert (stopped.status, stopped.decision.verdict) == (AttemptStatus.BUDGET_STOPPED, "HOLD")
    assert stopped.reasons[0]["code"] == "budget_paused"
    assert Skill.objects.get(pk=skill.pk).state == State.DEGRADED
    assert Review.objects.filter(kind=ReviewKind.EVOLUTION).count() == 0

    BudgetPeriod.objects.update(spent_micros=0)
    again = try_once(skill)
    assert again.status == AttemptStatus.ACCEPTED
    assert models.calls.count("author") == 1


def test_a_budget_that_is_used_up_stops_before_the_author_is_asked(models):
    skill = degraded()
    models.replies = []
    BudgetPeriod.objects.all().delete()
    from donna_skills.llm import budget

    for period in budget.periods(timezone.now()):
        BudgetPeriod.objects.create(key=period.key, spent_micros=19_000_000, limit_micros=20_000_000)
    row = try_once(skill)
    assert (row.status, row.reply, models.calls) == (AttemptStatus.BUDGET_STOPPED, None, [])


def test_the_attempt_of_a_worker_that_died_is_taken_up_from_its_reply(models):
    skill = degraded()
    author = builders.person("author")
    given = material.gather(skill.current_version)
    row = Evolution.objects.create(
        skill=skill, from_version=skill.current_version, started_at=timezone.now(), lease_owner="gone",
        lease_until=timezone.now() - timedelta(seconds=1), samples=given.samples(),
        holdout=[str(one.pk) for one in given.holdout], reply=json.dumps(rewrite()),
        statistics={"asked": {"author": str(author.pk), "waived": []}},
    )  # fmt: skip

    assert evolutions.redeliver(timezone.now()) == 1
    assert evolutions.redeliver(timezone.now()) == 1  # the same open job
    done = jobs.run(JobRun.objects.get(kind=evolutions.KIND).pk)

    row.refresh_from_db()
    assert (done.status, row.status, row.to_version.author) == (JobStatus.SUCCEEDED, AttemptStatus.ACCEPTED, author)
    assert "author" not in models.calls
    assert evolutions.redeliver(timezone.now()) == 0


def test_an_attempt_that_takes_its_worker_with_it_again_and_again_is_given_up(models):
    skill = degraded()
    row = Evolution.objects.create(
        skill=skill, from_version=skill.current_version, started_at=timezone.now(), lease_owner="gone",
        lease_until=timezone.now() - timedelta(seconds=1), statistics={"taken_up": 3, "asked": {"waived": []}},
    )  # fmt: skip
    with pytest.raises(Conflict) as refused:
        try_once(skill)
    row.refresh_from_db()
    assert (refused.value.code, row.status) == ("interrupted", AttemptStatus.MODEL_ERROR)
    assert models.calls == []


@pytest.mark.django_db(transaction=True)
def test_one_attempt_at_a_time(models):
    skill = degraded()
    inside = []

    def meanwhile(kind):
        if kind == "author":
            with pytest.raises(Conflict) as refused:
                try_once(skill)
            inside.append(refused.value.code)

    models.before = meanwhile
    models.replies = [mends()]
    assert try_once(skill).status == AttemptStatus.ACCEPTED
    assert inside == ["evolution_running"]
    assert Evolution.objects.count() == 1


def test_a_serving_skill_goes_on_while_its_better_version_waits(models):
    skill = builders.skill(State.TRUSTED)
    add_cases(skill, 6)
    old = skill.current_version
    author = builders.person("author")
    models.replies = [mends()]
    job = evolutions.improve(skill, actor=Actor.person(author))
    assert evolutions.improve(skill, actor=Actor.person(author)).pk == job.pk

    done = jobs.run(job.pk)

    skill.refresh_from_db()
    row = Evolution.objects.get()
    assert (done.status, done.report["status"], done.report["version"]) == (JobStatus.SUCCEEDED, "accepted", 2)
    assert (skill.state, skill.current_version) == (State.TRUSTED, old)
    assert (row.degraded_by, row.to_version.author, row.review.asked_by) == (None, author, author)
    assert done.progress_message


def test_who_may_ask_for_a_better_version_and_who_may_waive(models):
    skill = degraded()
    viewer, author, reviewer = (Actor.person(builders.person(role)) for role in ("viewer", "author", "reviewer"))
    bot = Actor.bot(builders.bot_token()[0])
    with pytest.raises(NotPermitted):
        evolutions.improve(skill, actor=viewer)
    for actor in (author, bot):
        with pytest.raises(NotPermitted):
            evolutions.improve(skill, actor=actor, waived=["one"])
    with pytest.raises(Conflict) as unknown:
        evolutions.improve(skill, actor=reviewer, waived=["nobody"])
    assert unknown.value.code == "unknown_fixture"
    job = evolutions.improve(skill, actor=reviewer, waived=["one"])
    assert job.arguments["waived"] == ["one"]


def test_there_has_to_be_a_version_and_a_case(models):
    author = Actor.person(builders.person("author"))
    for skill, code in ((builders.skill(), "no_version"), (builders.skill(State.TRUSTED), "too_few_cases")):
        with pytest.raises(Conflict if code == "no_version" else material.NothingToLearn) as refused:
            evolutions.improve(skill, actor=author)
        assert refused.value.code == code


def configured(settings, text):
    path = settings.CONFIG_DIR / "skills.yaml"
    path.write_text(f"{text}\n{path.read_text()}")


def test_the_night_evolves_the_oldest_first_as_far_as_its_cap_goes(models, settings):
    configured(settings, "evolution_daily_cap: 3\nevolution_min_divergence_cases: 5")
    skills = [degraded() for _ in range(4)]
    models.replies = [mends(), "no", mends()]
    said = []
    planned = evolutions.sweep(now=timezone.now(), dry_run=True, budget_usd=Decimal(20))
    assert [line.outcome for line in planned.lines] == ["would_attempt", "would_attempt", "would_attempt", "capped"]
    assert Evolution.objects.count() == 0

    night = evolutions.sweep(
        now=timezone.now(), budget_usd=Decimal(20), progress=lambda done, total, message: said.append(message)
    )

    assert [line.skill_id for line in night.lines] == [str(skill.pk) for skill in skills]
    assert [line.outcome for line in night.lines] == ["accepted", "refused", "accepted", "capped"]
    assert night.cost_usd == sum(Evolution.objects.values_list("cost_usd", flat=True)) > 0
    assert len(said) == 4


def test_what_the_night_has_paid_is_no_longer_in_its_budget(models, settings):
    configured(settings, "evolution_min_divergence_cases: 5")
    degraded(), degraded()
    models.replies = ["no"]
    night = evolutions.sweep(now=timezone.now(), budget_usd=Decimal("0.75"))
    assert [line.outcome for line in night.lines] == ["refused", "budget_short"]


@pytest.mark.parametrize(
    ("budget", "outcome"), [("0.75", "refused"), ("0.749999", "budget_short"), ("0", "budget_short")]
)
def test_an_attempt_starts_only_while_its_estimated_cost_is_left(models, budget, outcome):
    degraded(cases=15)
    models.replies = ["no"]
    night = evolutions.sweep(now=timezone.now(), budget_usd=Decimal(budget))
    assert [line.outcome for line in night.lines] == [outcome]


def test_the_days_cap_counts_what_was_begun_today(models):
    from lifecycle.configuration import knobs

    skill = degraded(cases=15)
    move = skill.transitions.first()
    for _ in range(knobs().evolution_daily_cap):
        Evolution.objects.create(
            skill=skill, from_version=skill.current_version, degraded_by=move, status=AttemptStatus.MODEL_ERROR,
            started_at=timezone.now(), finished_at=timezone.now(),
        )  # fmt: skip
    assert [line.outcome for line in evolutions.sweep(now=timezone.now(), budget_usd=Decimal(9)).lines] == ["capped"]


def test_too_few_cases_for_three_nights_are_told_once(models):
    reviewer = builders.person("reviewer")
    degraded(cases=14)
    now = timezone.now()
    told = []
    for night in range(5):
        at = (now + timedelta(days=night)).replace(hour=23, minute=59)
        lines = evolutions.sweep(now=at, budget_usd=Decimal(9)).lines
        assert [(line.outcome, line.reasons) for line in lines] == [("too_few_cases", ("too_few_cases",))]
        told.append(reviewer.notifications.filter(title__contains="too few cases").count())
    assert (told[0], told[1], told[-1]) == (0, 0, 1)
    assert models.calls == []


def test_the_night_does_nothing_with_the_master_switch_off(models, settings):
    configured(settings, "enabled: false")
    degraded(cases=15)
    assert evolutions.sweep(now=timezone.now(), budget_usd=Decimal(9)).lines == []


def test_the_night_reads_what_there_is_in_a_constant_number_of_queries(models, django_assert_num_queries):
    for _ in range(2):
        degraded(cases=3)
    now = timezone.now()
    with django_assert_num_queries(5):
        evolutions.sweep(now=now, dry_run=True, budget_usd=Decimal(9))
    degraded(cases=3)
    with django_assert_num_queries(5):
        evolutions.sweep(now=now, dry_run=True, budget_usd=Decimal(9))
