"""The skills that ship with the application: loaded with their capabilities, once, and as often as one likes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from donna_skills.accounts.actors import Actor
from donna_skills.errors import Conflict
from lifecycle.configuration import knobs
from lifecycle.models import AuthorKind, Capability, ReviewKind, Skill, SkillVersion
from lifecycle.packages import archive, safe_yaml
from lifecycle.packages.digest import digest
from lifecycle.packages.model import Files
from lifecycle.services import capabilities, reviews, transitions, versions
from lifecycle.states import Reason, State

LIVE_FROM_THE_START = ("parse_task", "dedup_check", "classify_priority")
"""These answer at once, shadowed; the other seeds begin unseen in the sandbox."""

ACTOR = Actor.system("seed skills")


@dataclass
class Report:
    """Names, by what was done with them."""

    loaded: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    handed_in: list[str] = field(default_factory=list)


def load(folder: Path | None = None) -> Report:
    """Load every seed package, each in one transaction.

    1. A capability that does not exist is registered, its skill created in `seed_skills_initial_state`.
    2. The shipped package becomes its first version; three of the seeds move on to shadow_primary with transition rows.
    3. A package that a newer release of the application changed becomes a draft version that waits for a reviewer: an
       upgrade never changes what serves.
    """
    report = Report()
    for place in sorted((folder or settings.BASE_DIR / "skills").iterdir()):
        if (place / "capability.yaml").is_file():
            with transaction.atomic():
                _load(place, report)
    return report


def _load(place: Path, report: Report) -> None:
    described: dict[str, Any] = safe_yaml.load(
        (place / "capability.yaml").read_text(encoding="utf-8"), "capability.yaml"
    ).value
    files = archive.read_folder(place / "package")
    name = described["name"]
    known = Capability.objects.select_related("skill__capability").filter(name=name).first()
    if known is None:
        _first_time(described, files)
        report.loaded.append(name)
    elif SkillVersion.objects.filter(skill=known.skill, digest=digest(files)).exists():
        report.unchanged.append(name)
    else:
        _hand_in(known.skill, files)
        report.handed_in.append(name)


def _first_time(described: dict[str, Any], files: Files) -> None:
    initial = State(knobs().seed_skills_initial_state)
    with transaction.atomic():
        capability = capabilities.register(
            described["name"],
            description=described["description"],
            examples=described.get("examples", ()),
            input_schema=described["input_schema"],
            output_schema=described["output_schema"],
            granted_tools=described.get("granted_tools", ()),
            actor=ACTOR,
            requires_human_gate=False,
        )
        skill = capability.skill
        version = versions.add(
            skill, files=files, actor=ACTOR, author_kind=AuthorKind.SEED, changelog="Shipped with the application."
        )
        if initial == State.SANDBOX:
            transitions.begin_as_seed(skill, version, actor=ACTOR)
        if initial == State.SANDBOX and capability.name in LIVE_FROM_THE_START:
            transitions.move(
                skill,
                State.SHADOW_PRIMARY,
                reason=Reason.GATE_PASSED,
                actor=ACTOR,
                note="A seed skill whose fixtures all pass starts live, with every answer compared.",
                evidence={"seed": True, "digest": version.digest, "fixtures": skill.fixtures.count()},
            )


def _hand_in(skill: Skill, files: Files) -> None:
    try:
        version = versions.add(
            skill, files=files, actor=ACTOR, author_kind=AuthorKind.SEED, changelog="Shipped with a newer release."
        )
    except Conflict:
        return
    reviews.open_review(
        ReviewKind.DRAFT,
        capability=skill.capability,
        version=version,
        actor=ACTOR,
        summary=f"A newer release of the application ships {skill.capability.name} as version {version.number}.",
    )
