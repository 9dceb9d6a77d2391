"""Every fixture of every shipped package passes with the offline models, through the whole engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from donna_skills.llm import offline
from donna_skills.llm.port import ModelRequest, Purpose
from lifecycle.execution import fixtures
from lifecycle.execution.ports import Answer
from lifecycle.packages import archive, parse
from lifecycle.packages.model import FixtureCase, Package

SKILLS = Path(__file__).resolve().parents[3] / "skills"


class OfflineModels:
    def __init__(self, capability_name: str, *, blunt: bool) -> None:
        self.capability_name = capability_name
        self.blunt = blunt

    def complete(
        self,
        *,
        step: str,
        prompt: str,
        system: str,
        schema: Mapping[str, Any] | None,
        alias: str | None,
        facts: Mapping[str, Any],
        deadline_s: float,
    ) -> Answer:
        request = ModelRequest(
            purpose=Purpose.SKILL_STEP, task_type=self.capability_name, prompt=prompt, schema=schema, facts=facts
        )
        return Answer(text=offline.answer(request, blunt=self.blunt))


def _cases() -> list[Any]:
    found = []
    for folder in sorted(path.parent for path in SKILLS.glob("*/capability.yaml")):
        package = parse.parse(archive.read_folder(folder / "package"))
        capability = yaml.safe_load((folder / "capability.yaml").read_text(encoding="utf-8"))
        found += [
            pytest.param(package, capability, case, id=f"{folder.name}: {case.name}") for case in package.fixtures
        ]
    return found


@pytest.mark.parametrize("blunt", [True, False], ids=["parser", "reasoner"])
@pytest.mark.parametrize(("package", "capability", "case"), _cases())
def test_a_shipped_fixture_passes(package: Package, capability: dict[str, Any], case: FixtureCase, blunt: bool) -> None:
    found = fixtures.run_case(
        package,
        case,
        models=OfflineModels(package.capability_name, blunt=blunt),
        granted_tools=capability.get("tools") or capability.get("granted_tools") or (),
        output_schema=capability["output_schema"],
    )
    assert found.problems == ()
    assert found.outcome.degraded is False
