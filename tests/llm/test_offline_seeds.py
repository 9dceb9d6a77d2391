"""The shipped packages' own fixtures against the plain rules, as a skill's step and as the reference."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from django.conf import settings

from donna_skills.llm import offline
from donna_skills.llm.port import ModelRequest, Purpose

SEEDS = settings.BASE_DIR / "skills"
FIXTURES = sorted(SEEDS.glob("*/package/fixtures/*.json"))
CAPABILITIES = sorted(SEEDS.glob("*/capability.yaml"))


@pytest.mark.parametrize("blunt", [False, True], ids=["reasoner", "parser"])
@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: f"{path.parents[2].name}/{path.stem}")
def test_a_shipped_fixture_is_answered_as_it_expects(path: Path, blunt: bool) -> None:
    package, case = path.parents[1], json.loads(path.read_text())
    steps = yaml.safe_load((package / "skill.yaml").read_text())["steps"]
    asked = next(step for step in steps if step["kind"] != "tool")
    schema = json.loads((package / asked["output_schema"]).read_text())
    request = ModelRequest(
        purpose=Purpose.SKILL_STEP,
        task_type=path.parents[2].name,
        prompt="",
        schema=schema,
        facts=facts_of(steps, asked, case),
    )
    answer = json.loads(offline.answer(request, blunt=blunt))
    jsonschema.validate(answer, schema, format_checker=jsonschema.FormatChecker())
    jsonschema.validate(answer, case.get("expected_output", {}))
    for assertion in case.get("assertions", []):
        assert holds(answer, assertion), (assertion, answer)


@pytest.mark.parametrize("path", CAPABILITIES, ids=lambda path: path.parent.name)
def test_the_reference_answers_each_capability_in_its_own_schema(path: Path) -> None:
    """A native call has the inputs alone: what a page says is then unknown, and the answer says so in its shape."""
    capability = yaml.safe_load(path.read_text())
    for fixture in sorted((path.parent / "package" / "fixtures").glob("*.json")):
        request = ModelRequest(
            purpose=Purpose.NATIVE,
            task_type=capability["name"],
            prompt="",
            schema=capability["output_schema"],
            facts={"inputs": json.loads(fixture.read_text())["input"]},
        )
        jsonschema.validate(json.loads(offline.answer(request, blunt=False)), capability["output_schema"])


def facts_of(steps: list[Mapping[str, Any]], asked: Mapping[str, Any], case: Mapping[str, Any]) -> dict[str, Any]:
    """What the executor would hand over: the mocked results under their names, by the step that called them."""
    found: dict[str, dict[str, Any]] = {
        step["name"]: {
            call["store_as"]: next(mock["result"] for mock in case["tool_mocks"] if mock["tool"] == call["tool"])
            for call in step.get("tool_invocations", [])
        }
        for step in steps
    }
    return {"inputs": case["input"], "tools": found.pop(asked["name"]), "state": found, "step": asked["name"]}


def holds(answer: Any, assertion: Mapping[str, Any]) -> bool:
    value: Any = answer
    for part in assertion["path"].split("."):
        value = value[int(part)] if isinstance(value, list) else value[part]
    wanted = assertion.get("value")
    match assertion["op"]:
        case "==":
            return bool(value == wanted)
        case "contains":
            return wanted in value
        case "matches":
            return re.search(wanted, value) is not None
        case ">=":
            return bool(value >= wanted)
        case "<=":
            return bool(value <= wanted)
        case "exists":
            return True
    raise NotImplementedError(assertion["op"])
