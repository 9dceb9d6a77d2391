"""The packages that ship with Donna Skills: valid, closed, and each with enough worked examples."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings

from lifecycle.execution import schemas
from lifecycle.execution.tools import registry
from lifecycle.packages import archive, safe_yaml, schema_rules
from lifecycle.packages.digest import digest
from lifecycle.packages.parse import parse
from lifecycle.packages.validate import validate

FOLDERS = sorted(path.parent for path in (Path(settings.BASE_DIR) / "skills").glob("*/capability.yaml"))
MAX_SKILL_CHARS = 15_000

each = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


def capability(folder: Path):
    return safe_yaml.load((folder / "capability.yaml").read_text(), "capability.yaml").value


def test_the_seven_seeds_are_there():
    assert [folder.name for folder in FOLDERS] == [
        *("classify_priority", "dedup_check", "email_triage", "fetch_and_summarize"),
        *("news_check", "parse_task", "product_watch"),
    ]


@each
def test_a_seed_is_valid_for_its_capability(folder):
    known, package = capability(folder), archive.read_folder(folder / "package")
    facts = {"capability_name": known["name"], "granted_tools": known["granted_tools"], "known_tools": registry.names()}
    assert known["name"] == folder.name
    assert validate(package, **facts) == ()
    assert sum(len(content.decode()) for content in package.values()) <= MAX_SKILL_CHARS


@each
def test_a_seed_runs_as_an_agent_skill_too(folder):
    package = archive.read_folder(folder / "package")
    del package["skill.yaml"]
    assert validate(package, capability_name=folder.name) == ()
    assert parse(package).form == "agent_skill"


@each
def test_a_seed_leaves_as_a_zip_and_comes_back_the_same(folder):
    package = archive.read_folder(folder / "package")
    assert digest(archive.from_zip(archive.to_zip(package))) == digest(package)


@each
def test_the_schemas_of_a_seed_are_closed_and_agree(folder):
    known, package = capability(folder), parse(archive.read_folder(folder / "package"))
    for schema in (known["input_schema"], known["output_schema"], package.steps[-1].output_schema):
        assert schema_rules.problem(schema) is None
        assert schema["additionalProperties"] is False
    step, whole = package.steps[-1].output_schema, known["output_schema"]
    assert step["required"] == whole["required"]
    assert step["properties"].keys() == whole["properties"].keys()


@each
def test_a_seed_has_at_least_four_fixtures_whose_inputs_are_valid_and_whose_tools_are_mocked(folder):
    known, package = capability(folder), parse(archive.read_folder(folder / "package"))
    assert len(package.fixtures) >= 4
    for case in package.fixtures:
        assert schemas.problems(case.input, known["input_schema"]) == []
        called = {call.tool for step in package.steps for call in step.tool_invocations}
        assert {mock["tool"] for mock in case.tool_mocks} == called
