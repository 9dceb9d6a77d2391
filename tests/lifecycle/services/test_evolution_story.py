"""The loop's second half with the offline rules alone: a skill drifts, is degraded, evolves, and waits for a person."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.utils import timezone

from donna_skills.llm.offline import author, learning
from donna_skills.llm.offline.learning import Sample
from lifecycle.models import AttemptStatus, Evolution, RunPath, Skill
from lifecycle.services import evolutions, validation, versions
from lifecycle.states import State
from tests import builders
from tests.lifecycle.services.evolving import degrade

pytestmark = pytest.mark.django_db
OUT = {"type": "object", "required": ["team"], "properties": {"team": {"type": "string"}}}
ITEMS = ("chair", "desk", "lamp", "shelf", "mug", "plant", "clock", "rug")


def old_ones() -> list[tuple[str, str]]:
    return [(f"The invoice for the {item} is wrong", "billing") for item in ITEMS] + [
        (f"I forgot my password for the {item}", "access") for item in ITEMS
    ]


def new_ones() -> list[tuple[str, str]]:
    return [(f"The printer beside the {item} smokes, come quickly", "facilities") for item in ITEMS]


def test_a_skill_that_drifted_relearns_from_its_cases_and_waits_for_a_person(settings):
    settings.MODEL_ADAPTER = "offline"
    name = "route_ticket_story"
    rules = learning.rules([Sample({"text": text}, {"team": team}) for text, team in old_ones()], OUT)
    about = {"name": name, "description": "Says which team takes a ticket.", "output_schema": OUT}
    files = {path: text.encode() for path, text in author.files(about, rules).items()}
    files["fixtures/one.json"] = (
        b'{"input": {"text": "The invoice for the sofa is wrong"}, "expected_output": {"const": {"team": "billing"}}}'
    )
    skill = builders.skill(State.TRUSTED, name=name, description=about["description"], output_schema=OUT, files=files)
    for text, team in old_ones()[:6]:
        builders.run(skill, path=RunPath.NATIVE, inputs={"text": text}, output={"team": team})
    for text, team in [*old_ones(), *new_ones()]:
        right = team != "facilities"
        ran = builders.run(skill, inputs={"text": text}, output={"team": team if right else "access"})
        builders.divergence(skill, 1.0 if right else 0.0, of_run=ran, reference_output={"team": team})
    skill = degrade(skill)

    night = evolutions.sweep(now=timezone.now(), budget_usd=Decimal(5))

    row = Evolution.objects.get()
    assert [line.outcome for line in night.lines] == ["accepted"], night.lines
    assert (row.status, row.decision.verdict) == (AttemptStatus.ACCEPTED, "PASS"), row.reasons
    assert Skill.objects.get(pk=skill.pk).state == State.DRAFT
    package = versions.package_of(row.to_version)
    unseen = builders.run(skill, inputs={"text": "The printer beside the window smokes"}, output=None)
    (now,) = validation.replay_runs(skill, package, [unseen])
    assert now.output == {"team": "facilities"}
