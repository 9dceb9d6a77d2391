"""The job that gathers a version's evidence: examples from real runs, then the gates, once.

One pass and never a loop: what it finds missing afterwards is for a person, and stands in its report.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils import timezone

from donna_skills.accounts.actors import Actor
from donna_skills.accounts.roles import Permission
from donna_skills.errors import BudgetPaused, Conflict, NotFound, NotPermitted
from donna_skills.jobs import services as jobs
from donna_skills.jobs.models import JobRun
from donna_skills.jobs.progress import Progress
from donna_skills.llm import budget
from lifecycle.decisions import candidacy
from lifecycle.decisions.splits import split_of
from lifecycle.models import GateDecision, SkillRun, SkillVersion
from lifecycle.packages.model import Files, FixtureCase
from lifecycle.services import evidence, fixtures, gateinputs, refusals, versions

logger = logging.getLogger(__name__)

KIND = "lifecycle.verify"
FEWEST, MOST = 3, 5
"""A version with fewer examples than the one gets more, up to the other."""
_ACTOR = Actor.system("verification")


def ask(version: SkillVersion, *, by: Actor) -> JobRun:
    """Have a version verified; the open job where somebody has asked already. NotPermitted for people who may neither
    write skills nor decide about them; a bot's scope was checked at the door."""
    with refusals.recorded("version.verify", actor=by, subject_type="skill", subject_id=version.skill_id):
        if by.is_person and not (by.may(Permission.EDIT_SKILLS) or by.may(Permission.DECIDE_REVIEWS)):
            raise NotPermitted("Only authors, reviewers and admins may have a version verified.")
        return _enqueue(version, by=by)


def ask_if_affordable(version: SkillVersion, *, by: Actor) -> JobRun | None:
    """The same for a version that was just handed in, where the budget for model calls is open."""
    try:
        budget.ensure_open(timezone.now())
    except BudgetPaused as error:
        logger.info("A version is not verified now.", extra={"version": str(version.pk), "why": error.message})
        return None
    return _enqueue(version, by=by)


def carry_out(job: JobRun, progress: Progress) -> Mapping[str, Any]:
    """The handler: make examples where there are too few, run the gates once, say what comes next."""
    related = ("skill__capability", "skill__current_version__parent", "author")
    version = SkillVersion.objects.select_related(*related).filter(pk=job.arguments.get("version_id")).first()
    if version is None:
        raise NotFound("The version that was to be verified is not there any more.")
    progress(0, 1, "Looking for examples among the runs")
    files = versions.files_of(version)
    made = make_fixtures(version, files)
    decision = evidence.evaluate(version.skill, files, actor=_who(job), progress=progress)
    progress.flush()
    version.refresh_from_db(fields=["status"])
    return {"version": version.number, "fixtures_made": made, **_said(decision, version)}


def make_fixtures(version: SkillVersion, files: Files) -> list[str]:
    """Capture successful runs as examples, with different inputs and as many shapes of output as there are: up to MOST
    where there are fewer than FEWEST, and one that is held out where none is. Returns their names.

    What the instructions quote already cannot be held out, and is left to be learned from.
    """
    skill = version.skill
    cases = gateinputs.cases_of(skill, versions.package_of(version))
    known = [case.input for case in cases]
    runs = [run for run in gateinputs.recorded_runs(skill, most=100) if run.inputs not in known]
    runs = [runs[place] for place in candidacy.stratified([run.output for run in runs], most=len(runs))]
    held = [run for run in runs if _is_held_out(skill.pk, run) and not gateinputs.quotes(files, _text(run))]
    free = [run for run in runs if not _is_held_out(skill.pk, run)]
    needs_held = not any(split_of(f"{skill.pk}:{case.name}") == "holdout" for case in cases)
    wanted = held[:1] if needs_held else []
    if len(cases) < FEWEST:
        wanted += [*free, *held[len(wanted) :]][: MOST - len(cases) - len(wanted)]
    return [name for run in wanted if (name := _capture(run))]


def _capture(run: SkillRun) -> str:
    """The example's name; empty where somebody has made one of this run meanwhile."""
    whole = SkillRun.objects.select_related("skill", "capability__skill").get(pk=run.pk)
    try:
        return fixtures.capture(whole, actor=_ACTOR).name
    except Conflict as error:
        logger.info("A run was not captured.", extra={"run_id": str(run.pk), "why": error.message})
        return ""


def _enqueue(version: SkillVersion, *, by: Actor) -> JobRun:
    return jobs.enqueue(KIND, by=by, key=str(version.pk), subject=version, arguments={"version_id": str(version.pk)})


def _who(job: JobRun) -> Actor:
    """On whose behalf: the person who asked, else the job itself."""
    return Actor.person(job.requested_by) if job.requested_by else _ACTOR


def _said(decision: GateDecision, version: SkillVersion) -> dict[str, Any]:
    gates: Sequence[Mapping[str, Any]] = decision.gates
    return {
        "decision_id": str(decision.pk),
        "verdict": decision.verdict,
        "gates": [{"gate": gate["gate"], "status": gate["status"]} for gate in gates],
        "reasons": [reason for gate in gates for reason in gate["reasons"]],
        "cost_usd": str(decision.cost_usd),
        "readiness": evidence.readiness_of(version).as_dict(),
    }


def _is_held_out(skill_id: Any, run: SkillRun) -> bool:
    return split_of(f"{skill_id}:run-{run.pk}") == "holdout"


def _text(run: SkillRun) -> str:
    return gateinputs.text_of(FixtureCase(name="", input=run.inputs, expected_output={"const": run.output}))
