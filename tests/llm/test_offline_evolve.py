"""The offline author's other part: rules relearned from the cases in which the old ones went wrong."""

from __future__ import annotations

import json
from typing import Any

from donna_skills.llm import offline
from donna_skills.llm.offline import author, learned, learning
from donna_skills.llm.offline.learning import Sample
from donna_skills.llm.port import ModelRequest, Purpose

CAPABILITY = {"name": "route_ticket", "description": "Says who takes a ticket.", "output_schema": {"type": "object"}}
OLD = [("The invoice is wrong", "billing"), ("I forgot my password", "access"), ("A second invoice came", "billing")]
NEW = [
    ("The printer is on fire", "facilities"),
    ("Our printer smokes", "facilities"),
    ("The invoice is late", "billing"),
]


def sample(text: str, team: str) -> Sample:
    return Sample({"text": text}, {"team": team})


def ask(**facts: Any) -> dict[str, Any]:
    request = ModelRequest(purpose=Purpose.EVOLUTION, task_type="evolve", prompt="", facts=facts)
    return dict(json.loads(offline.answer(request, blunt=False)))


def case(number: int, text: str, team: str) -> dict[str, Any]:
    return {"id": f"case-{number}", "inputs": {"text": text}, "output": None, "reference": {"team": team}}


def test_rules_are_relearned_from_cases_and_fixtures_together():
    old = learning.rules([sample(*one) for one in OLD], CAPABILITY["output_schema"])
    files = author.files(CAPABILITY, old)
    cases = [case(number, *one) for number, one in enumerate(NEW)]
    fixtures = [{"inputs": {"text": text}, "expected_output": {"const": {"team": team}}} for text, team in OLD]

    said = ask(capability=CAPABILITY, files=files, cases=cases, fixtures=fixtures, corrections=[])

    assert list(said["files"]) == [author.PROMPT]
    rules = learned.rules_of(said["files"][author.PROMPT])
    assert rules is not None
    for text, team in [*OLD, *NEW]:
        assert learned.answer(rules, {"text": text}) == {"team": team}
    assert said["targeted_cases"] == ["case-0", "case-1"]  # the third was never wrong
    assert "2 of 3 cases" in said["diagnosis"]


def test_a_correction_is_the_last_word():
    inputs = {"text": "The printer is on fire"}
    wrong = {"inputs": inputs, "output": {"team": "billing"}, "field": "team", "corrected": "fire brigade"}
    cases = [case(0, "The printer is on fire", "facilities"), *(case(n, *one) for n, one in enumerate(OLD, 1))]
    said = ask(capability=CAPABILITY, files=author.files(CAPABILITY, {}), cases=cases, fixtures=[], corrections=[wrong])
    rules = learned.rules_of(said["files"][author.PROMPT])
    assert rules is not None
    assert learned.answer(rules, inputs) == {"team": "fire brigade"}


def test_a_package_of_another_kind_is_written_anew():
    cases = [case(number, *one) for number, one in enumerate(OLD)]
    said = ask(capability=CAPABILITY, files={"SKILL.md": "Do it."}, cases=cases, fixtures=[], corrections=[])
    assert {"skill.yaml", "SKILL.md", author.PROMPT} <= set(said["files"])
    assert said["targeted_cases"] == ["case-0", "case-1", "case-2"]


def test_whatever_it_is_given_it_answers():
    for facts in ({}, {"capability": 1}, {"capability": CAPABILITY, "files": {}, "cases": ["x", {"inputs": 3}]}):
        assert isinstance(ask(**facts), dict)
