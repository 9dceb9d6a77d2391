"""Versions of a skill: store a set of files as an immutable version, and read it back."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from donna_skills.accounts.actors import Actor, ActorKind
from donna_skills.accounts.models import User
from donna_skills.audit import services as audit
from donna_skills.errors import Conflict, FieldError, Invalid
from lifecycle.decisions.splits import split_of
from lifecycle.execution import tools
from lifecycle.models import (
    AuthorKind,
    Fixture,
    FixtureSource,
    Skill,
    SkillFile,
    SkillVersion,
    VersionStatus,
)
from lifecycle.packages.digest import digest as digest_of
from lifecycle.packages.model import Files, Finding, Package
from lifecycle.packages.parse import parse
from lifecycle.packages.validate import validate


def check(skill: Skill, files: Files) -> None:
    """Raise Invalid with a sentence and a line per finding, if these files could not be a version."""
    findings = validate(
        files,
        capability_name=skill.capability.name,
        granted_tools=tuple(skill.capability.granted_tools),
        known_tools=tuple(tools.names()),
    )
    if findings:
        raise Invalid(
            f"The package has {len(findings)} finding{'s' if len(findings) > 1 else ''}; nothing was stored.",
            code="package_invalid",
            errors=[_as_field_error(finding) for finding in findings],
        )


def add(
    skill: Skill,
    *,
    files: Files,
    actor: Actor,
    author_kind: AuthorKind,
    changelog: str = "",
    parent: SkillVersion | None = None,
) -> SkillVersion:
    """Store the files as the skill's next version, in status draft, with its new fixtures.

    1. Validate before anything is written.
    2. Refuse a digest that the skill has already, naming the version.
    3. Number, version, files, fixtures and audit row in one transaction.

    A fixture whose name the skill has already stays as it is: a version never weakens the examples it is held against.
    """
    check(skill, files)
    digest = digest_of(files)
    with transaction.atomic():
        Skill.objects.select_for_update().get(pk=skill.pk)
        if same := SkillVersion.objects.filter(skill=skill, digest=digest).first():
            raise Conflict(f"These files are version {same.number} already.", code="duplicate_version")
        newest = SkillVersion.objects.filter(skill=skill).aggregate(newest=Max("number"))["newest"] or 0
        version = SkillVersion.objects.create(
            skill=skill,
            number=newest + 1,
            digest=digest,
            parent=parent or skill.current_version,
            author_kind=author_kind,
            author=responsible(actor),
            changelog=changelog,
            status=VersionStatus.DRAFT,
        )
        SkillFile.objects.bulk_create(
            SkillFile(version=version, path=path, content=content, digest=hashlib.sha256(content).hexdigest())
            for path, content in sorted(files.items())
        )
        _add_fixtures(skill, parse(files))
        audit.record(
            "version.added",
            actor=actor,
            subject_type="skill",
            subject_id=skill.pk,
            data={"version": version.number, "digest": digest, "author_kind": author_kind, "changelog": changelog},
        )
    return version


def responsible(actor: Actor) -> User | None:
    """The person who answers for what an actor writes: the person, or the owner of the bot."""
    if actor.kind == ActorKind.BOT and actor.token is not None:
        return actor.token.owner
    return actor.user


def files_of(version: SkillVersion) -> dict[str, bytes]:
    """The version's files, as they were stored."""
    return {path: bytes(content) for path, content in version.files.values_list("path", "content")}


def package_of(version: SkillVersion) -> Package:
    """The version, parsed; kept in memory by version, since versions never change."""
    return _package(version.pk)


@lru_cache(maxsize=256)
def _package(version_id: UUID) -> Package:
    rows = SkillFile.objects.filter(version_id=version_id).values_list("path", "content")
    return parse({path: bytes(content) for path, content in rows})


def _add_fixtures(skill: Skill, package: Package) -> None:
    Fixture.objects.bulk_create(
        [
            Fixture(
                skill=skill,
                name=case.name,
                input=dict(case.input),
                expected_output=dict(case.expected_output) if case.expected_output is not None else None,
                assertions=[dict(assertion) for assertion in case.assertions],
                tool_mocks=[dict(mock) for mock in case.tool_mocks],
                split=split_of(f"{skill.pk}:{case.name}"),
                source=FixtureSource.PACKAGE,
            )
            for case in package.fixtures
        ],
        ignore_conflicts=True,
    )


def _as_field_error(finding: Finding) -> FieldError:
    return FieldError(path=finding.path, message=finding.message, code=finding.code, line=finding.line)
