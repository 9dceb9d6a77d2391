"""Questions to people as the pages' tests need them: a draft, a promotion, what the gates said."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.utils import timezone

from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import User
from lifecycle.models import GateDecision, Review, ReviewKind, RiskTier, Skill
from lifecycle.services import reviews, skills
from lifecycle.states import State
from tests import builders


def draft(of: Skill | None = None, *, by: User | None = None, **fields: Any) -> Review:
    """A bot's draft (or a person's), of a skill that serves unless another is given."""
    skill = of or builders.skill(State.TRUSTED)
    actor = Actor.person(by) if by else Actor.bot(builders.bot_token()[0])
    files = fields.pop("files", builders.step_package(skill.capability.name, changelog="Another one."))
    return skills.submit_version(skill, files=files, actor=actor, changelog=fields.pop("changelog", "Reads better."))[1]


def promotion(name: str = "", *, risk: RiskTier = RiskTier.LOW) -> Review:
    """The gates ask whether a skill may answer callers."""
    skill = builders.skill(State.SANDBOX, **({"name": name} if name else {}))
    asked = reviews.open_review(
        ReviewKind.PROMOTION,
        capability=skill.capability,
        version=skill.current_version,
        actor=builders.SYSTEM,
        summary="It has earned it: 20 of 20.",
        evidence={"to_state": State.SHADOW_PRIMARY},
        occasion="now",
    )
    Review.objects.filter(pk=asked.pk).update(risk=risk)
    asked.refresh_from_db()
    return asked


def said(review: Review, verdict: str, *, gates: list[dict[str, Any]] | None = None, **evidence: Any) -> GateDecision:
    """What the gates said about the files that a review asks about."""
    version = review.version
    assert version is not None
    decision = GateDecision.objects.create(
        skill=version.skill,
        digest=version.digest,
        inputs_digest=f"{verdict}{review.pk}"[:64],
        verdict=verdict,
        gates=gates or [],
        evidence=evidence,
        cost_usd=Decimal("0.04"),
        at=timezone.now(),
    )
    reviews.note_verdict(version.skill, version.digest, verdict)
    return decision
