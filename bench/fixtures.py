"""How many examples a second the validation executor tries, the model left out: `python -m bench.fixtures`.

A shipped package with its own examples, through the whole engine: prompt, schemas, assertions. The model answers at
once, from a script, so that what is measured is ours. Goal: 1 000 a second on one core.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bench import harness

if TYPE_CHECKING:
    from lifecycle.execution.ports import Answer
    from lifecycle.models import Skill
    from lifecycle.packages.model import Package

ANSWER = {"title": "Call the mechanic", "person": "mechanic", "topic": "the brakes", "due": "2026-11-23",
          "due_text": "monday", "priority": "urgent"}  # fmt: skip


class Scripted:
    """Says the same to everybody."""

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
        from lifecycle.execution.ports import Answer

        return Answer(text=json.dumps(ANSWER), input_tokens=len(prompt) // 4, output_tokens=40)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=2_000, help="a round")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    os.environ.update(harness.environment("sqlite://:memory:", DJANGO_SETTINGS_MODULE="donna_skills.settings"))
    import django

    django.setup()
    from lifecycle.services import validation

    skill, package = _parse_task()
    cases = (list(package.fixtures) * options.cases)[: options.cases]
    rates = []
    for number in range(options.rounds + 1):
        started = time.perf_counter()
        found = validation.run_fixtures(skill, package, cases, models=Scripted())
        took = time.perf_counter() - started
        if number:  # the first round warms up and is not counted
            rates.append(len(found) / took)
    passed = sum(one.passed is True for one in found)
    harness.report(
        "fixtures",
        {
            "goal": {"per_s": 1_000},
            "per_s": round(statistics.median(rates), 1),
            "rounds_per_s": [round(rate, 1) for rate in rates],
            "cases": len(cases),
            "passed": passed,
        },
    )


def _parse_task() -> tuple[Skill, Package]:
    """The seed, as it would be loaded; no database is asked."""
    import yaml

    from donna_skills.entities import new_id
    from lifecycle.models import Capability, Skill
    from lifecycle.packages import archive, parse

    folder = harness.ROOT / "skills" / "parse_task"
    described = yaml.safe_load((folder / "capability.yaml").read_text(encoding="utf-8"))
    capability = Capability(name=described["name"], output_schema=described["output_schema"])
    return Skill(pk=new_id(), capability=capability), parse.parse(archive.read_folder(folder / "package"))


if __name__ == "__main__":
    main()
