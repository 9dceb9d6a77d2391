"""What the gates look at besides the files: examples, recorded runs, grants, limits and routes, under one digest.

The same files with the same inputs are judged once; any change here asks for a new decision.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from donna_skills.llm import routing
from donna_skills.llm.port import Purpose
from lifecycle.configuration import knobs
from lifecycle.decisions import filegates, gates
from lifecycle.decisions.splits import split_of
from lifecycle.decisions.verdict import Reason
from lifecycle.execution import canonical, tools
from lifecycle.models import Fixture, RunPath, RunStatus, Skill, SkillRun, SkillVersion
from lifecycle.packages import agent_skill, layout, parse
from lifecycle.packages.digest import digest as digest_of
from lifecycle.packages.layout import FIXTURES, SKILL_MD
from lifecycle.packages.model import Files, Finding, FixtureCase, Package
from lifecycle.packages.validate import validate
from lifecycle.services import prompts

REPLAYED = 20
_PROMPTS = ("skill_system", "native_system", "native")
_LOOKED_AT = 200
"""Newest successes among which the distinct ones are sought."""


@dataclass(frozen=True)
class Inputs:
    """`package` is None where the files are none; `introduced` names the examples that no earlier version had."""

    skill: Skill
    files: Files
    digest: str
    package: Package | None
    findings: tuple[Finding, ...]
    cases: tuple[FixtureCase, ...]
    introduced: frozenset[str]
    runs: tuple[SkillRun, ...]
    fixture_rate: Decimal

    @property
    def inputs_digest(self) -> str:
        limits = knobs()
        capability = self.skill.capability
        looked_at = {
            "cases": [asdict(case) for case in self.cases],
            "runs": [str(run.pk) for run in self.runs],
            "granted": sorted(capability.granted_tools),
            "schemas": [capability.input_schema, capability.output_schema],
            "description": capability.description,
            "limits": {
                "fixture_rate": str(self.fixture_rate),
                "max_chars": filegates.MAX_SKILL_CHARS,
                "lift": gates.MIN_BASELINE_LIFT,
                "step_s": limits.validation_per_step_timeout_s,
                "run_s": limits.validation_per_run_timeout_s,
            },
            "model": routing.route_of(alias_of(self.skill)).identity,
            "tools": sorted(tools.names()),
            "prompts": [prompts.read(name) for name in _PROMPTS],
        }
        return hashlib.sha256(canonical.dumps(looked_at).encode(errors="surrogatepass")).hexdigest()

    @property
    def characters(self) -> int:
        return characters(self.files)

    @property
    def held_out(self) -> frozenset[str]:
        return frozenset(case.name for case in self.cases if _split(self.skill, case.name) == "holdout")

    @property
    def holdout(self) -> dict[str, str]:
        """Text of the examples that nobody wrote from. One that the version brought along and quotes itself was never
        held out, and is none; quoting one that was there before is a leak."""
        held = {case.name: text_of(case) for case in self.cases if case.name in self.held_out}
        brought = {name: text for name, text in held.items() if name in self.introduced}
        return {name: text for name, text in held.items() if name not in brought or not quotes(self.files, text)}

    def facts(self) -> filegates.PackageFacts | None:
        if self.package is None:
            return None
        asked = [tool for step in self.package.steps for tool in step.tools]
        return filegates.PackageFacts(
            description=self.package.description,
            characters=self.characters,
            tools=[*asked, *filegates.allowed_tools(self.package.frontmatter.get("allowed-tools"))],
            granted=tuple(self.skill.capability.granted_tools),
            known=tuple(tools.names()),
        )

    def reasons(self) -> tuple[Reason, ...]:
        """What validation found, with file and line in the sentence."""
        return tuple(Reason(finding.code, _sentence(finding)) for finding in self.findings)

    def body(self) -> str | None:
        """The text that instructs the model; None for a package of tool steps alone."""
        if self.package is None:
            return ""
        if self.package.form == "agent_skill":
            return agent_skill.parse(layout.text(self.files, SKILL_MD) or "").body
        asking = [step for step in self.package.steps if step.kind != "tool"]
        return "\n".join(step.prompt or "" for step in asking) if asking else None


def gather(skill: Skill, files: Files, *, fixture_rate: float | Decimal) -> Inputs:
    """Read everything; four queries, nothing is written and no model is asked."""
    capability = skill.capability
    findings = validate(
        files,
        capability_name=capability.name,
        granted_tools=tuple(capability.granted_tools),
        known_tools=tuple(tools.names()),
    )
    package = parse.read(files).package
    digest = digest_of(files)
    stored = {row.name: row for row in Fixture.objects.filter(skill=skill)}
    version = SkillVersion.objects.filter(skill=skill, digest=digest).first()
    earlier = {name for name, row in stored.items() if version is None or row.created_at < version.created_at}
    own = package.fixtures if package else ()
    return Inputs(
        skill=skill,
        files=files,
        digest=digest,
        package=package,
        findings=findings,
        cases=merged(own, stored.values()),
        introduced=frozenset(case.name for case in own if case.name not in earlier),
        runs=tuple(recorded_runs(skill)),
        fixture_rate=Decimal(str(fixture_rate)),
    )


def cases_of(skill: Skill, package: Package) -> tuple[FixtureCase, ...]:
    """The examples that a package of this skill is held against, by name: the skill's stored ones, and those of the
    package that are not stored yet. A stored one wins: a version never weakens the examples it is held against."""
    return merged(package.fixtures, Fixture.objects.filter(skill=skill))


def merged(own: Sequence[FixtureCase], stored: Any) -> tuple[FixtureCase, ...]:
    by_name = {case.name: case for case in own} | {row.name: case_of(row) for row in stored}
    return tuple(by_name[name] for name in sorted(by_name))


def case_of(fixture: Fixture) -> FixtureCase:
    return FixtureCase(
        name=fixture.name,
        input=fixture.input,
        expected_output=fixture.expected_output,
        assertions=tuple(fixture.assertions),
        tool_mocks=tuple(fixture.tool_mocks),
    )


def recorded_runs(skill: Skill, *, most: int = REPLAYED) -> list[SkillRun]:
    """The newest successes of the capability with different inputs. Runs that a bot only reported hold neither tokens
    nor tool results, and are taken where there are no others."""
    found = (
        SkillRun.objects.filter(
            capability_id=skill.capability_id,
            path__in=[RunPath.SKILL, RunPath.NATIVE],
            status=RunStatus.SUCCEEDED,
            outcome=RunStatus.SUCCEEDED,
            degraded=False,
            output__isnull=False,
        )
        .only("id", "path", "inputs", "output", "tool_calls", "reported")
        .order_by("-id")[:_LOOKED_AT]
    )
    runs = list(found)
    own = [run for run in runs if not run.reported]
    distinct: dict[str, SkillRun] = {}
    for run in own or runs:
        distinct.setdefault(canonical.dumps(run.inputs), run)
    return list(distinct.values())[:most]


def alias_of(skill: Skill) -> str:
    """The alias that answers the skill's steps when it serves."""
    return routing.alias_of(Purpose.SKILL_STEP, skill.capability.name)


def characters(files: Files) -> int:
    """Of all that instructs: every file but the examples."""
    return sum(len(content.decode("utf-8", "replace")) for path, content in files.items() if not _is_case(path))


def characters_of(version: SkillVersion) -> int:
    return characters({path: bytes(content) for path, content in version.files.values_list("path", "content")})


def quotes(files: Files, text: str) -> bool:
    """Whether eight words in a row of the text stand in the instructions."""
    return filegates.leak_gate(files, {"case": text}).status == "BLOCK"


def text_of(case: FixtureCase) -> str:
    """What only this example says: its inputs, and the values that it expects. Names of keys are everybody's."""
    expected = [assertion.get("value") for assertion in case.assertions]
    return "\n".join((*texts_in(case.input), *texts_in(expected), *texts_in(_constants(case.expected_output))))


def texts_in(value: Any) -> Iterator[str]:
    """Every text within a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from texts_in(item)
    elif isinstance(value, Sequence | Iterator):
        for item in value:
            yield from texts_in(item)


def _constants(schema: Any) -> Iterator[Any]:
    if isinstance(schema, Mapping):
        for key, value in schema.items():
            if key == "const":
                yield value
            else:
                yield from _constants(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from _constants(item)


def _split(skill: Skill, name: str) -> str:
    return split_of(f"{skill.pk}:{name}")


def _is_case(path: str) -> bool:
    return path.startswith(FIXTURES)


def _sentence(finding: Finding) -> str:
    place = f"{finding.path}:{finding.line}" if finding.line else finding.path
    return f"{place}: {finding.message}" if place else finding.message
