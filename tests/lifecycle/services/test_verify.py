"""The verify job: examples from real runs, one pass of the gates, a report; and who may ask for it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from donna_skills.accounts.actors import Actor
from donna_skills.errors import NotPermitted
from donna_skills.jobs import services as jobs
from donna_skills.jobs.models import JobRun, JobStatus
from donna_skills.llm import budget
from donna_skills.llm.models import BudgetPeriod, ModelCall
from lifecycle.decisions.splits import split_of
from lifecycle.models import Fixture, FixtureSource, GateDecision, Skill, SkillRun, SkillVersion
from lifecycle.services import seeds, skills, verify, versions
from lifecycle.states import State
from tests import builders
from tests.lifecycle.services.talking import GOOD, draft, recorded
from tests.stubs.model_server import Answer, ModelServer

pytestmark = pytest.mark.django_db

SECRET = "the eight words in a row that nobody may have quoted before"


def version_of(skill: Skill) -> SkillVersion:
    return SkillVersion.objects.select_related("skill__capability").get(pk=skill.current_version_id)


def history(of: Skill) -> None:
    """Different runs, until there is one that the hash holds out and enough that it does not."""
    held = free = 0
    while held < 1 or free < 4:
        run = recorded(of, f"note {held + free}")
        is_held = split_of(f"{of.pk}:run-{run.pk}") == "holdout"
        held, free = held + is_held, free + (not is_held)


def made_for(skill: Skill) -> list[str]:
    version = version_of(skill)
    return verify.make_fixtures(version, versions.files_of(version))


def test_a_version_with_too_few_examples_gets_some_from_real_runs():
    skill = draft()
    history(skill)

    made = made_for(skill)

    captured = Fixture.objects.filter(source=FixtureSource.CAPTURED)
    assert len(made) == 4
    assert skill.fixtures.count() == 5
    assert len({json.dumps(fixture.input) for fixture in captured}) == 4
    assert {fixture.name for fixture in captured} == set(made)
    assert skill.fixtures.filter(split="holdout").exists()


def test_a_version_with_enough_examples_gets_none_but_one_that_is_held_out():
    skill = draft()
    history(skill)
    made_for(skill)
    assert made_for(skill) == []

    skill.fixtures.filter(split="holdout").delete()
    assert [split_of(f"{skill.pk}:{name}") for name in made_for(skill)] == ["holdout"]


def test_without_runs_there_is_nothing_to_make_examples_of():
    skill = builders.skill(State.DRAFT)
    builders.run(skill, status="failed")
    assert made_for(skill) == []


def test_an_input_that_is_an_example_already_is_not_captured_again():
    skill = builders.skill(State.DRAFT)
    for _ in range(5):
        recorded(skill, "hello")
    assert made_for(skill) == []


def test_what_the_instructions_quote_is_never_held_out():
    skill = builders.skill(State.DRAFT)
    builders.version(skill, files=builders.step_package(skill.capability.name, prompt=f"For example: {SECRET}."))
    for number in range(40):
        recorded(skill, f"{SECRET} {number}")
    made_for(skill)
    assert not skill.fixtures.filter(split="holdout", source=FixtureSource.CAPTURED).exists()


@pytest.mark.django_db(transaction=True)
def test_the_job_reports_the_verdict_and_what_comes_next(openai_stub: ModelServer):
    skill = draft()
    history(skill)
    runs = SkillRun.objects.count()

    def says(body: Any) -> str:
        asked = "\n".join(message["content"] for message in body["messages"])
        return json.dumps(GOOD if "Label this" in asked else {"nothing": "of use"})

    openai_stub.will(*[Answer(says, input_tokens=100, output_tokens=5)] * 60)
    asked = verify.ask(version_of(skill), by=Actor.person(builders.person("author")))

    job = jobs.run(asked.pk)

    assert job is not None and job.status == JobStatus.SUCCEEDED, job and job.error
    decision = GateDecision.objects.get()
    assert job.report["decision_id"] == str(decision.pk)
    assert job.report["verdict"] == decision.verdict
    assert [gate["gate"] for gate in job.report["gates"]][-1] == "baseline"
    assert len(job.report["fixtures_made"]) == 4
    assert job.report["readiness"] == {
        "step": "waiting_for_review",
        "sentence": "The evidence is there; a person has to decide.",
        "action": "review",
    }
    assert job.progress_total > 0 and job.progress_message.startswith("Without the skill, fixture")
    assert SkillRun.objects.count() == runs
    assert {call.purpose for call in ModelCall.objects.all()} == {"validation"}
    assert decision.cost_usd == sum(call.cost_usd for call in ModelCall.objects.all())


@pytest.mark.django_db(transaction=True)
def test_verifying_twice_is_one_decision_and_costs_once():
    seeds.load()
    skill = Skill.objects.get(capability__name="parse_task")
    for _ in range(2):
        job = jobs.run(verify.ask(version_of(skill), by=builders.SYSTEM).pk)
        assert job is not None and job.status == JobStatus.SUCCEEDED, job and job.error
    assert GateDecision.objects.count() == 1
    assert ModelCall.objects.count() == 10


@pytest.mark.django_db(transaction=True)
def test_a_cancelled_job_leaves_no_decision():
    seeds.load()
    skill = Skill.objects.get(capability__name="parse_task")
    asked = verify.ask(version_of(skill), by=builders.SYSTEM)
    jobs.cancel(asked, by=builders.SYSTEM)
    assert jobs.run(asked.pk) is None
    assert not GateDecision.objects.exists()


def test_a_version_that_is_gone_is_an_error_in_words():
    job = jobs.enqueue(verify.KIND, by=builders.SYSTEM, arguments={"version_id": str(builders.person().pk)})
    with pytest.raises(Exception, match="not there any more"):
        verify.carry_out(job, lambda *told: None)  # type: ignore[arg-type]


def test_asking_twice_is_one_job():
    version = version_of(builders.skill(State.DRAFT))
    assert verify.ask(version, by=builders.SYSTEM) == verify.ask(version, by=builders.SYSTEM)


@pytest.mark.parametrize("role", ["viewer", "operator", ""])
def test_who_may_neither_write_nor_decide_may_not_spend_on_evidence(role: str):
    version = version_of(builders.skill(State.DRAFT))
    with pytest.raises(NotPermitted):
        verify.ask(version, by=Actor.person(builders.person(role)))
    assert not JobRun.objects.filter(kind=verify.KIND).exists()


@pytest.mark.parametrize("role", ["author", "reviewer", "admin"])
def test_authors_and_reviewers_may(role: str):
    version = version_of(builders.skill(State.DRAFT))
    assert verify.ask(version, by=Actor.person(builders.person(role))).requested_by is not None


def test_what_is_handed_in_is_verified_without_being_asked_for():
    skill = builders.capability().skill
    token, _ = builders.bot_token()
    version, _ = skills.submit_version(
        skill, files=builders.step_package(skill.capability.name), actor=Actor.bot(token)
    )
    job = JobRun.objects.get(kind=verify.KIND)
    assert (job.arguments, job.subject_id) == ({"version_id": str(version.pk)}, str(version.pk))


def test_what_is_handed_in_while_the_budget_is_used_up_waits_to_be_asked_for():
    day = next(period for period in budget.periods(datetime.now(UTC)) if period.name == "day")
    BudgetPeriod.objects.create(
        key=day.key, spent_micros=int(day.limit_usd * 1_000_000), limit_micros=int(day.limit_usd * 1_000_000)
    )
    skill = builders.capability().skill
    skills.submit_version(skill, files=builders.step_package(skill.capability.name), actor=builders.SYSTEM)
    assert not JobRun.objects.filter(kind=verify.KIND).exists()
