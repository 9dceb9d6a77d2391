"""From files to a Package, in either form: skill.yaml with its steps, or a SKILL.md alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lifecycle.packages import agent_skill, fixture_files, layout, safe_yaml, skill_yaml
from lifecycle.packages.agent_skill import AgentSkill
from lifecycle.packages.documents import Document, Unreadable
from lifecycle.packages.layout import SKILL_MD, SKILL_YAML
from lifecycle.packages.model import Files, Finding, FixtureCase, Package, PackageInvalid, Step
from lifecycle.packages.skill_yaml import SkillYaml

AGENT_STEP = "answer"


@dataclass(frozen=True)
class Reading:
    """What could be read, and what is wrong; `fixtures` by their paths. `package` may be there in part."""

    package: Package | None
    findings: tuple[Finding, ...]
    skill: SkillYaml | None = None
    fixtures: Mapping[str, FixtureCase] = field(default_factory=dict)


def parse(files: Files) -> Package:
    """The package; raises PackageInvalid with every finding when it cannot be read in full."""
    reading = read(files)
    if reading.findings or reading.package is None:
        raise PackageInvalid(reading.findings)
    return reading.package


def read(files: Files) -> Reading:
    """As `parse`, but never raises, and reads what can be read of a package that has findings."""
    findings = layout.check(files)
    if layout.too_large(findings):
        return Reading(None, findings)
    if SKILL_YAML not in files and SKILL_MD not in files:
        message = "The package has neither skill.yaml nor SKILL.md at its root."
        return Reading(None, (*findings, Finding("", message, "package_missing")))
    markdown = _markdown(files)
    findings += markdown.findings if markdown else ()
    by_path, fixture_findings = fixture_files.read(files)
    fixtures = tuple(by_path.values())
    if SKILL_YAML not in files:
        package = _from_markdown(markdown, fixtures) if markdown else None
        return Reading(package, findings + fixture_findings, None, by_path)
    skill, skill_findings = _skill(files)
    package = _from_skill(skill, markdown, fixtures) if skill else None
    return Reading(package, findings + skill_findings + fixture_findings, skill, by_path)


def _markdown(files: Files) -> AgentSkill | None:
    text = layout.text(files, SKILL_MD)
    return None if text is None else agent_skill.parse(text)


def _skill(files: Files) -> tuple[SkillYaml | None, tuple[Finding, ...]]:
    if (text := layout.text(files, SKILL_YAML)) is None:
        return None, ()  # layout.check says so
    try:
        document: Document = safe_yaml.load(text, SKILL_YAML)
    except Unreadable as error:
        return None, (Finding(SKILL_YAML, error.message, "yaml_unreadable", error.line),)
    skill = skill_yaml.read(document, files)
    return skill, skill.findings


def _from_skill(skill: SkillYaml, markdown: AgentSkill | None, fixtures: tuple[FixtureCase, ...]) -> Package:
    frontmatter = markdown.frontmatter if markdown else {}
    described = frontmatter.get("description")
    return Package(
        form="steps",
        capability_name=skill.capability_name,
        description=skill.description or (described if isinstance(described, str) else ""),
        version=skill.version or agent_skill.version(frontmatter),
        steps=skill.steps,
        final_output=skill.final_output,
        state_write=skill.state_write,
        fixtures=fixtures,
        frontmatter=frontmatter,
    )


def _from_markdown(markdown: AgentSkill, fixtures: tuple[FixtureCase, ...]) -> Package:
    described = markdown.frontmatter.get("description")
    prompt = agent_skill.prompt(markdown.body)
    return Package(
        form="agent_skill",
        capability_name=agent_skill.capability_name(markdown.frontmatter),
        description=described if isinstance(described, str) else "",
        version=agent_skill.version(markdown.frontmatter),
        steps=(Step(name=AGENT_STEP, kind="llm", prompt=prompt, prompt_path=SKILL_MD),),
        final_output=f"state.{AGENT_STEP}",
        fixtures=fixtures,
        frontmatter=markdown.frontmatter,
    )
