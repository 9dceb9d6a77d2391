"""Lay a skill's answer beside the reference's, have the judge compare them, and keep what came of it."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from donna_skills.accounts.roles import Permission
from donna_skills.notifications import events
from donna_skills.notifications.models import Level
from lifecycle.configuration import knobs
from lifecycle.decisions.judge import too_many_abstentions
from lifecycle.models import Divergence, DivergenceStatus, RunPath, RunStatus, Skill, SkillRun
from lifecycle.services import judging, promotions, runs
from lifecycle.services.judging import Judgement

logger = logging.getLogger(__name__)

IN_A_ROW = 5
_ASK_AGAIN_AFTER = timedelta(minutes=1)
_GIVE_UP_AFTER = timedelta(days=1)
_NO_RESULT = (RunStatus.INTERRUPTED, RunStatus.CANCELLED)
_MARGIN = timedelta(minutes=2)


def compare(run_id: UUID | str) -> Divergence | None:
    """A worker's part: compare one run that is due; None when there is nothing (more) to do now.

    1. Claim it, by moving `compare_at` ahead for as long as the work can take.
    2. Get the reference's answer: the one that a sandbox run stands beside is there already; otherwise the reference
       is asked as a run of path `shadow`, or its answer taken where an earlier attempt got as far as that.
    3. Ask the judge, outside of any transaction.
    4. Keep the divergence, at most one a run, and look whether the skill has earned its promotion.
    """
    now = timezone.now()
    if not knobs().enabled or not _claim(run_id, now):
        return None
    related = ("capability", "skill__capability", "version", "shadow_of")
    run = SkillRun.objects.select_related(*related).get(pk=run_id)
    if run.skill is None or (run.reported and run.version_id != run.skill.current_version_id):
        # A bot that still executes a version that is no longer in force: nothing hangs on how well it does.
        SkillRun.objects.filter(pk=run.pk).update(compare_at=None)
        return None
    if run.finished_at and run.finished_at < now - _GIVE_UP_AFTER:
        return record(run, None, Judgement(because="It could not be compared within a day."))
    reference = _reference(run)
    if reference.is_open:
        SkillRun.objects.filter(pk=run.pk).update(compare_at=timezone.now() + _ASK_AGAIN_AFTER)
        return None
    if reference.status != RunStatus.SUCCEEDED:
        why = reference.error or reference.escalation_reason or reference.get_status_display()
        return record(run, reference, Judgement(because=f"The reference gave no answer: {why}"))
    return record(run, reference, judging.judge(run, reference_output=reference.output))


def record(run: SkillRun, reference: SkillRun | None, judgement: Judgement) -> Divergence | None:
    """Store what came of comparing a run; None when another worker had stored it before."""
    try:
        with transaction.atomic():
            divergence = _store(run, reference, judgement)
            SkillRun.objects.filter(pk=run.pk).update(compare_at=None)
            if judgement.agreement is None:
                _alert_of_abstentions(divergence.skill, judgement)
    except IntegrityError:
        SkillRun.objects.filter(pk=run.pk).update(compare_at=None)
        return None
    promotions.consider_quietly(divergence.skill_id)
    return divergence


def _claim(run_id: UUID | str, now: datetime) -> bool:
    limits = knobs()
    ahead = now + timedelta(seconds=2 * limits.run_per_step_timeout_s + limits.run_per_run_timeout_s) + _MARGIN
    if not SkillRun.objects.filter(pk=run_id, compare_at__lte=now).update(compare_at=ahead):
        return False
    if Divergence.objects.filter(run__pk=run_id).exists():
        SkillRun.objects.filter(pk=run_id).update(compare_at=None)
        return False
    return True


def _reference(run: SkillRun) -> SkillRun:
    """The run that holds the reference's answer; still open where a worker that died may yet be on it."""
    if run.path == RunPath.SANDBOX and run.shadow_of is not None:
        return run.shadow_of
    earlier = run.shadows.filter(path=RunPath.SHADOW).exclude(status__in=_NO_RESULT).order_by("-id").first()
    return earlier or runs.ask_reference(run)


def _store(run: SkillRun, reference: SkillRun | None, judgement: Judgement) -> Divergence:
    judged = judgement.agreement is not None
    facts: dict[str, Any] = {
        "status": DivergenceStatus.JUDGED if judged else DivergenceStatus.ABSTAINED,
        "agreement": judgement.agreement,
        "rationale": judgement.rationale,
        "abstained_because": judgement.because,
        "output": run.output,
        "reference_output": reference.output if reference else None,
    }
    assert run.skill is not None
    assert run.version is not None
    return Divergence.objects.create(
        skill=run.skill, version=run.version, run=run, reference=reference, at=timezone.now(), **facts
    )


def _alert_of_abstentions(skill: Skill, judgement: Judgement) -> None:
    """One notice for each row of abstentions: its key is the last judged comparison before it."""
    of_skill = Divergence.objects.filter(skill=skill).order_by("-id")
    newest = of_skill.values_list("status", flat=True)[:IN_A_ROW]
    if not too_many_abstentions([status == DivergenceStatus.ABSTAINED for status in newest], in_a_row=IN_A_ROW):
        return
    last_judged = of_skill.judged().values_list("pk", flat=True).first()
    capability = skill.capability.name
    events.publish(
        "shadow.judge_abstains",
        subject_type="skill",
        subject_id=skill.pk,
        payload={"capability": capability, "in_a_row": IN_A_ROW},
        dedup_key=f"judge_abstains:{skill.pk}:{last_judged or 'never'}",
        notify=events.Notice(
            title=f"Answers of {capability} are no longer compared: {IN_A_ROW} abstentions in a row",
            body=f"{judgement.because} Nothing is promoted or demoted on abstentions.",
            url=f"/skills/{capability}/",
            level=Level.WARNING,
            permission=Permission.PAUSE_SKILLS,
        ),
    )
