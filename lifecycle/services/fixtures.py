"""Fixtures: worked examples, captured from runs that went well."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction

from donna_skills.accounts.actors import Actor
from donna_skills.accounts.roles import Permission
from donna_skills.audit import services as audit
from donna_skills.errors import Conflict, FieldError, Invalid, NotPermitted
from lifecycle.decisions.splits import split_of
from lifecycle.models import Fixture, FixtureSource, Outcome, RunStatus, SkillRun


def may_capture(actor: Actor) -> bool:
    """Authors and reviewers, and bots through their scope: a fixture is what later versions are held against."""
    return not actor.is_person or actor.may(Permission.EDIT_SKILLS) or actor.may(Permission.DECIDE_REVIEWS)


def can_capture(run: SkillRun) -> bool:
    """Whether the run ended so well that later answers may be held against it."""
    return (
        run.status == RunStatus.SUCCEEDED
        and run.outcome == Outcome.SUCCEEDED
        and not run.degraded
        and run.output is not None
    )


def capture(run: SkillRun, *, name: str = "", actor: Actor) -> Fixture:
    """Make a fixture of a run that succeeded: its inputs, its output as the expectation, its tools as mocks.

    Conflict unless the run succeeded without degradation and its skill exists, or when the name is taken.
    """
    if not may_capture(actor):
        raise NotPermitted("Only authors and reviewers may make fixtures.")
    if not can_capture(run):
        raise Conflict(f"Only a run that succeeded in full can become a fixture; this one is {_condition(run)}.")
    if len(name) > 200:
        raise Invalid("The name is too long.", errors=[FieldError("name", "use at most 200 characters")])
    name = name.strip() or f"run-{run.pk}"
    skill = run.skill or run.capability.skill
    try:
        with transaction.atomic():
            fixture = Fixture.objects.create(
                skill=skill,
                name=name,
                input=run.inputs,
                expected_output={"const": run.output},
                tool_mocks=[_mock(call) for call in run.tool_calls],
                split=split_of(f"{skill.pk}:{name}"),
                source=FixtureSource.CAPTURED,
                captured_from=run,
            )
            facts = {"name": name, "run_id": str(run.pk), "skill_id": str(skill.pk)}
            audit.record("fixture.captured", actor=actor, subject_type="fixture", subject_id=fixture.pk, data=facts)
    except IntegrityError:
        raise Conflict(f"The skill has a fixture named {name!r} already.", code="duplicate_name") from None
    return fixture


def _condition(run: SkillRun) -> str:
    if run.status == RunStatus.SUCCEEDED and run.output is None:
        return "without an output"
    return "degraded" if run.degraded else run.get_status_display().lower()


def _mock(call: dict[str, Any]) -> dict[str, Any]:
    mock = {"tool": call["tool"], "args": call["args"]}
    return {**mock, "error": call["error"]} if call.get("error") else {**mock, "result": call.get("result")}
