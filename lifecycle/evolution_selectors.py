"""What the page of a skill reads about bettering it: attempts to evolve it, and the versions that it can go back to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from donna_skills.accounts.actors import Actor
from donna_skills.jobs.models import OPEN, JobRun
from lifecycle.models import Evolution, Skill, SkillVersion
from lifecycle.services import evolutions, rollbacks

SHOWN = 10


@dataclass(frozen=True)
class Bettering:
    """`returnable` is newest first; `job` is the open one, if there is one."""

    attempts: Sequence[Evolution]
    returnable: Sequence[SkillVersion]
    job: JobRun | None
    may_improve: bool


def of_skill(skill: Skill, *, actor: Actor) -> Bettering:
    """Three queries at most."""
    attempts = Evolution.objects.filter(skill=skill).select_related("from_version", "to_version", "review", "decision")
    returnable: list[SkillVersion] = []
    if rollbacks.may_roll_back(actor):
        released = SkillVersion.objects.filter(skill=skill, released_at__isnull=False).order_by("-number")
        returnable = [version for version in released[:SHOWN] if rollbacks.can_return(skill, version)]
    open_job = JobRun.objects.filter(kind=evolutions.KIND, subject_id=str(skill.pk), status__in=OPEN).first()
    return Bettering(
        attempts=list(attempts.defer("reply", "files", "decision__evidence")[:SHOWN]),
        returnable=returnable,
        job=open_job,
        may_improve=skill.current_version_id is not None and evolutions.may_improve(actor),
    )
