"""What the system that this one follows got wrong, one test each: its loop never closed in production."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from donna_skills.accounts.actors import Actor
from donna_skills.errors import Invalid
from donna_skills.llm.models import ModelCall
from donna_skills.llm.port import Purpose
from lifecycle.decisions import gates
from lifecycle.models import (
    AttemptStatus,
    AuthorKind,
    Candidate,
    DivergenceStatus,
    Review,
    RunPath,
    RunStatus,
    Skill,
    SkillRun,
)
from lifecycle.services import (
    candidates,
    degradations,
    divergences,
    drafts,
    evidence,
    promotions,
    reviews,
    runs,
    validation,
    versions,
)
from lifecycle.states import State
from tests import builders
from tests.lifecycle import guests
from tests.lifecycle.services import authors
from tests.stubs.model_server import Answer, Fail, ModelServer

pytestmark = pytest.mark.django_db


def trusted() -> Skill:
    skill = builders.skill(State.TRUSTED)
    baseline = {"baseline_mean": 0.95, "baseline_success_rate": 1.0, "baseline_n": 100}
    Skill.objects.filter(pk=skill.pk).update(**baseline, baseline_version=skill.current_version)
    return Skill.objects.for_page().get(pk=skill.pk)


def state_of(skill: Skill) -> str:
    return Skill.objects.values_list("state", flat=True).get(pk=skill.pk)


def test_a_sandbox_skill_is_executed_and_so_can_earn_its_promotion(openai_stub: ModelServer):
    """There, a skill in the sandbox was never run, and stayed there for good."""
    skill = builders.skill(State.SANDBOX)
    Skill.objects.filter(pk=skill.pk).update(requires_human_gate=False)
    openai_stub.otherwise(Answer(json.dumps({"label": "greeting"})))
    for _ in range(18):
        builders.run(skill, path=RunPath.SANDBOX)
    request = runs.Request(actor=Actor.bot(builders.bot_token()[0]))
    for _ in range(2):
        runs.execute(skill.capability.name, inputs={"text": "hello"}, request=request)
        runs.carry_out(SkillRun.objects.get(path=RunPath.SANDBOX, status=RunStatus.QUEUED).pk)
    assert state_of(skill) == State.SHADOW_PRIMARY


def test_the_inputs_of_a_run_are_never_overwritten_and_so_can_be_replayed(openai_stub: ModelServer):
    """There, the second look at a run found its inputs replaced, and replay had nothing to replay."""
    skill = builders.skill(State.SHADOW_PRIMARY)
    ran = builders.run(skill, inputs={"text": "the first"})
    for change in (lambda: SkillRun.objects.filter(pk=ran.pk).update(inputs={"text": "another"}), ran.save):
        ran.inputs = {"text": "another"}
        with pytest.raises(DatabaseError), transaction.atomic():
            change()
    openai_stub.otherwise(Answer(json.dumps({"label": "greeting"})))
    package = versions.package_of(skill.current_version)
    [replayed] = validation.replay_runs(skill, package, [SkillRun.objects.get(pk=ran.pk)])
    assert replayed.status == RunStatus.SUCCEEDED
    assert "the first" in openai_stub.seen[0].body["messages"][-1]["content"]


def test_an_outage_of_the_judge_demotes_no_healthy_skill(openai_stub: ModelServer):
    """There, a judge that could not be asked counted as disagreement."""
    skill = trusted()
    for _ in range(30):
        builders.divergence(skill, 0.95)
    for _ in range(3):
        openai_stub.will(Answer(json.dumps({"label": "greeting"})), *[Fail(503)] * 4)
        run = builders.run(skill, state_at_run=State.TRUSTED, compare_at=timezone.now())
        found = divergences.compare(run.pk)
        assert found is not None and found.status == DivergenceStatus.ABSTAINED
    for _ in range(60):
        builders.divergence(skill, None)
    assert degradations.sweep(timezone.now()).counts == {"healthy": 1}
    assert state_of(skill) == State.TRUSTED


def test_the_evidence_of_an_old_version_neither_promotes_nor_demotes_a_new_one():
    """There, statistics were kept for each skill and not for each version."""
    good, bad = builders.skill(State.SHADOW_PRIMARY), trusted()
    for skill, agreement in ((good, 1.0), (bad, 0.0)):
        for _ in range(100):
            builders.divergence(skill, agreement)
        builders.version(skill)
    promotions.consider(good.pk)
    assert degradations.sweep(timezone.now()).counts == {"insufficient_data": 2}
    assert (state_of(good), state_of(bad)) == (State.SHADOW_PRIMARY, State.TRUSTED)


def test_a_gate_with_nothing_to_check_does_not_pass():
    """There, no fixtures and no runs meant that none of them had failed."""
    assert gates.combine([]).verdict == "HOLD"
    assert gates.fixtures_gate({}).status == gates.replay_gate(None).status == "HOLD"
    assert gates.baseline_gate(0, 0, 0).status == gates.dry_run_gate("body", succeeded=None).status == "HOLD"
    skill = builders.skill()
    files = builders.step_package(skill.capability.name)
    del files["fixtures/one.json"]
    decision = evidence.evaluate(skill, files, actor=builders.SYSTEM)
    status = {gate["gate"]: gate["status"] for gate in decision.gates}
    assert decision.verdict == "HOLD"
    assert {status[gate] for gate in ("leak", "dry_run", "fixtures", "replay", "baseline")} == {"HOLD"}


def test_a_package_without_steps_is_refused_and_blocked(settings: Any):
    """There, a package that did nothing passed all gates, having nothing to fail."""
    skill = builders.skill()
    files = builders.step_package(skill.capability.name)
    files["skill.yaml"] = (
        f"capability_name: {skill.capability.name}\nversion: '1'\ndescription: x\nsteps: []\n".encode()
    )
    with pytest.raises(Invalid):
        versions.add(skill, files=files, actor=builders.SYSTEM, author_kind=AuthorKind.AUTO_DRAFT)
    assert evidence.evaluate(skill, files, actor=builders.SYSTEM).verdict == "BLOCK"

    candidate = guests.candidate()
    texts = {"skill.yaml": "capability_name: guest_notes\nversion: '1'\ndescription: x\nsteps: []\n"}
    inputs, _ = guests.note(guests.Random(1))
    fixtures = [{"input": inputs, "assertions": []}] * 3
    authors.script(settings, {"files": texts, "fixtures": fixtures})
    attempt = drafts.write(candidate, actor=drafts.ACTOR, now=timezone.now())
    assert attempt.status == AttemptStatus.REFUSED
    assert not Review.objects.exists()


def test_a_dismissed_candidate_stays_away_and_costs_nothing_again(settings: Any):
    """There, dismissed work was found and drafted again, and paid for again, every night."""
    candidate = guests.candidate()
    asked = authors.script(settings)
    candidates.dismiss(candidate, by=Actor.person(builders.person("reviewer")), reason="Not this.")
    for night in (1, 2, 3):
        now = timezone.now() + timedelta(days=night)
        assert candidates.detect(now).counts == {"dismissed": 1}
        assert drafts.sweep(now=now, budget_usd=Decimal(5)).lines == []
    assert (asked, Candidate.objects.count()) == ([], 1)
    assert not ModelCall.objects.filter(purpose=Purpose.DRAFT).exists()


def test_a_redraft_becomes_a_new_version_and_throws_nothing_away():
    """There, a draft for a skill that had one already was written, paid for, and dropped."""
    candidate = guests.candidate()
    first = drafts.write(candidate, actor=drafts.ACTOR, now=timezone.now())
    review = Review.objects.open().get()
    reviews.reject(review, by=builders.person("reviewer"), reason="Once more.", seen_digest=review.subject_digest)
    candidates.detect(timezone.now())
    SkillRun.objects.filter(pk__in=[sample["run_id"] for sample in first.samples]).delete()
    again = Candidate.objects.for_page().get(status="new")

    second = drafts.write(again, actor=drafts.ACTOR, now=timezone.now())

    assert (first.version.number, second.version.number) == (1, 2)
    assert Skill.objects.get().current_version == second.version
    assert first.version.files.exists() and first.version.digest != second.version.digest


def test_exactly_085_is_085_however_often_it_is_added():
    """There, a hundred times 0.85 came to 84.99999999999997, and a skill that had earned its trust was refused it."""
    assert sum([0.85] * 100) / 100 < 0.85
    skill = builders.skill(State.SHADOW_PRIMARY)
    Skill.objects.filter(pk=skill.pk).update(requires_human_gate=False)
    for _ in range(100):
        builders.divergence(skill, 0.85)
    promotions.consider(skill.pk)
    found = Skill.objects.get(pk=skill.pk)
    assert (found.state, found.baseline_mean) == (State.TRUSTED, 0.85)
