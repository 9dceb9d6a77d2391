"""Reviews to decide about, and what the gates are made to say, for the tests of reviews."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from django.utils import timezone

from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import User
from lifecycle.models import (
    Capability,
    Fixture,
    FixtureSource,
    FixtureSplit,
    GateDecision,
    Review,
    ReviewKind,
    Skill,
    SkillVersion,
)
from lifecycle.services import reviews, skills
from tests import builders


def draft(of: Skill | None = None, *, by: User | None = None, **changes: Any) -> Review:
    """A version that a person handed in, and the question about it."""
    skill = Skill.objects.for_page().get(pk=(of or builders.capability().skill).pk)
    files = {
        **builders.step_package(skill.capability.name, changelog=f"Number {skill.versions.count() + 1}."),
        **changes,
    }
    _, review = skills.submit_version(skill, files=files, actor=Actor.person(by or builders.person("author")))
    return review


def gates_say(verdict: str, version: SkillVersion, *, inputs: str = "") -> GateDecision:
    """A decision of the gates about a version, with its reviews told of it."""
    decision = GateDecision.objects.create(
        skill=version.skill,
        digest=version.digest,
        inputs_digest=f"{inputs or verdict:0>64}",
        verdict=verdict,
        gates=[],
        cost_usd=Decimal(0),
        at=timezone.now(),
    )
    reviews.note_verdict(version.skill, version.digest, verdict)
    return decision


def fixture(of: Skill, name: str = "another") -> Fixture:
    return Fixture.objects.create(
        skill=of, name=name, input={"text": "hi"}, split=FixtureSplit.TRAIN, source=FixtureSource.PERSON
    )


def capability_review(by: User | None = None) -> Review:
    """A capability that resembles another one waits for a person."""
    capability = builders.capability()
    Capability.objects.filter(pk=capability.pk).update(status="pending_review")
    actor = Actor.person(by) if by else builders.SYSTEM
    return reviews.open_review(ReviewKind.CAPABILITY, capability=capability, actor=actor)


def two_persons(settings: Any, folder: Path) -> None:
    """An installation in which high risk takes two."""
    settings.CONFIG_DIR = folder / "strict"
    settings.CONFIG_DIR.mkdir()
    (settings.CONFIG_DIR / "skills.yaml").write_text("two_person_high_risk: true\n", encoding="utf-8")
