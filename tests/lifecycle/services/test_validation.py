"""The validation executor: examples and recorded runs with a real model and without real tools."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from donna_skills.jobs.progress import JobStopped
from donna_skills.llm.models import ModelCall
from donna_skills.llm.port import Purpose
from lifecycle.execution.ports import ModelFailed
from lifecycle.models import RunPath, Skill, SkillRun, StepResult
from lifecycle.packages.model import FixtureCase, Package
from lifecycle.packages.parse import parse
from lifecycle.services import gateinputs, seeds, validation, versions
from tests import builders
from tests.lifecycle.services.talking import CLUELESS, GOOD, Talking, recorded
from tests.scripted import Asked
from tests.stubs.model_server import Answer, Fail, ModelServer

ONE = FixtureCase(name="one", input={"text": "hello"}, assertions=({"path": "label", "op": "exists"},))
TWO = FixtureCase(
    name="two",
    input={"text": "bye"},
    assertions=({"path": "label", "op": "==", "value": "farewell"},),
)


@pytest.fixture
def skill(db: None) -> Skill:
    return builders.skill(state="draft")


@pytest.fixture
def package(skill: Skill) -> Package:
    return versions.package_of(skill.current_version)


def test_each_example_is_tried_and_leaves_no_run(skill: Skill, package: Package):
    found = validation.run_fixtures(skill, package, [ONE, TWO], models=Talking())

    assert [(one.name, one.passed) for one in found] == [("one", True), ("two", False)]
    assert found[1].problems == ('label is "greeting", which is not == "farewell".',)
    assert found[0].output == GOOD
    assert not SkillRun.objects.exists()
    assert not StepResult.objects.exists()


def test_no_examples_are_no_results(skill: Skill, package: Package):
    assert validation.run_fixtures(skill, package, [], models=Talking()) == []


@pytest.mark.parametrize(
    "failure",
    [
        ModelFailed("It is down."),
        ModelFailed("It took too long.", code="model_timeout"),
        ModelFailed("The key is wrong.", code="model_refused"),
        RuntimeError("a fault of our own"),
    ],
)
def test_a_model_that_gives_no_answer_is_no_failure_of_the_version(skill: Skill, package: Package, failure: Exception):
    def says(asked: Asked) -> Any:
        return failure if asked.facts["inputs"] == {"text": "hello"} else {"label": "farewell"}

    found = validation.run_fixtures(skill, package, [ONE, TWO], models=Talking(says))

    assert [one.passed for one in found] == [None, True]
    assert found[0].problems


def test_an_outage_that_a_step_absorbs_is_no_answer_either(skill: Skill):
    files = builders.step_package(skill.capability.name)
    files["skill.yaml"] = files["skill.yaml"].replace(b"    prompt:", b"    on_failure: continue\n    prompt:")
    files["skill.yaml"] = files["skill.yaml"].replace(b"state.answer", b"\"{'label': 'always'}\"")

    found = validation.run_fixtures(skill, parse(files), [ONE], models=Talking(lambda asked: ModelFailed("Down.")))

    assert found[0].status == "succeeded"
    assert found[0].passed is None


def test_once_the_budget_is_used_up_nothing_more_is_asked(skill: Skill, package: Package):
    models = Talking(lambda asked: ModelFailed("Nothing is left.", code="budget_paused"))

    found = validation.run_fixtures(skill, package, [ONE, TWO, ONE], models=models)

    assert [(one.passed, one.paused) for one in found] == [(None, True)] * 3
    assert len(models.history) == 1


def test_whoever_stops_the_job_stops_the_examples(skill: Skill, package: Package):
    models, told = Talking(), []

    def progress(done: int, total: int, message: str) -> None:
        told.append((done, total, message))
        if done == 2:
            raise JobStopped

    with pytest.raises(JobStopped):
        validation.run_fixtures(skill, package, [ONE, TWO], progress=progress, models=models)

    assert told == [(1, 2, "Fixture 1 of 2"), (2, 2, "Fixture 2 of 2")]
    assert len(models.history) == 1


def test_without_the_skill_only_the_contract_is_known(skill: Skill):
    models = Talking(lambda asked: {"label": "farewell"})

    found = validation.run_without(skill, [ONE, TWO], models=models)

    assert [one.passed for one in found] == [True, True]
    assert "Label this" not in models.history[0].prompt
    assert skill.capability.description in models.history[0].prompt


def test_both_sides_are_asked_of_the_alias_that_serves(skill: Skill, package: Package):
    models = Talking()
    validation.run_fixtures(skill, package, [ONE], models=models)
    validation.run_without(skill, [ONE], models=models)
    assert {asked.alias for asked in models.history} == {"parser"}


@pytest.mark.django_db(transaction=True)
def test_the_ledger_counts_failed_attempts_too_and_knows_the_purpose(openai_stub: ModelServer):
    skill = builders.skill(state="draft")
    openai_stub.will(Fail(500), Answer(json.dumps(GOOD), input_tokens=1000, output_tokens=100))

    found = validation.run_fixtures(skill, versions.package_of(skill.current_version), [ONE])

    assert found[0].passed is True
    assert found[0].cost_usd == Decimal("0.002")
    calls = ModelCall.objects.order_by("attempt")
    assert [(call.purpose, call.alias, call.status) for call in calls] == [
        (Purpose.VALIDATION, "parser", "failed"),
        (Purpose.VALIDATION, "parser", "succeeded"),
    ]


@pytest.mark.django_db(transaction=True)
def test_a_skill_whose_steps_are_routed_elsewhere_is_validated_there(
    configure: Callable[..., None], server: ModelServer
):
    skill = builders.skill(state="draft")
    option = {"provider": "openai_compatible", "base_url": server.openai_url, "timeout_s": 5}
    configure(
        parser=[{**option, "model": "small"}],
        reasoner=[{**option, "model": "large"}],
        task_types={f"skill_step/{skill.capability.name}": "reasoner"},
    )
    server.will(Answer(json.dumps(GOOD)))

    validation.run_fixtures(skill, versions.package_of(skill.current_version), [ONE])

    assert ModelCall.objects.get().model == "large"


def test_recorded_runs_are_done_again_beside_what_they_were(skill: Skill, package: Package):
    run, silent = recorded(skill, "hello"), recorded(skill, "bye", counted=False)

    found = validation.replay_runs(skill, package, [run, silent], models=Talking())

    assert [(one.run_id, one.status, one.answered) for one in found] == [
        (run.pk, "succeeded", True),
        (silent.pk, "succeeded", True),
    ]
    assert found[0].tokens_then == validation.Tokens(read=200, written=8)
    assert found[1].tokens_then is None
    assert found[0].tokens.written == len(json.dumps(GOOD)) // 4
    assert SkillRun.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_tools_answer_as_they_did_and_what_was_not_recorded_cannot_be_said():
    seeds.load()
    skill = Skill.objects.select_related("capability", "current_version").get(capability__name="fetch_and_summarize")
    package = versions.package_of(skill.current_version)
    case = package.fixtures[0]
    tried = validation.run_fixtures(skill, package, [case])
    assert tried[0].passed is True
    bare = builders.run(skill, path=RunPath.NATIVE, inputs=dict(case.input), output=tried[0].output)

    found = validation.replay_runs(skill, package, [bare])

    assert found[0].recorded is False


def test_a_stored_example_wins_over_that_of_the_package(skill: Skill, package: Package):
    skill.fixtures.update(assertions=[{"path": "label", "op": "==", "value": "stricter"}])
    assert [case.assertions[0]["value"] for case in gateinputs.cases_of(skill, package)] == ["stricter"]


def test_an_answer_that_breaks_the_schema_twice_fails(skill: Skill, package: Package):
    found = validation.run_fixtures(skill, package, [ONE], models=Talking(lambda asked: CLUELESS))
    assert found[0].passed is False
    assert found[0].problems[0].startswith("The run ended as failed")
