"""When to stop evolving a degraded skill: the last healthy version, or the reference, serves from then on."""

from __future__ import annotations

from donna_skills.accounts.actors import Actor
from donna_skills.accounts.roles import Permission
from donna_skills.audit import services as audit
from donna_skills.notifications import events
from donna_skills.notifications.models import Level
from lifecycle.configuration import knobs
from lifecycle.decisions import evolution
from lifecycle.decisions.evolution import Outcome
from lifecycle.models import AttemptStatus, Evolution, ReviewKind, Skill, StateTransition
from lifecycle.services import reviews, rollbacks, transitions
from lifecycle.states import Reason, State

_OUTCOMES: dict[str, Outcome] = {
    AttemptStatus.ACCEPTED: "accepted",
    AttemptStatus.REFUSED: "rejected",
    AttemptStatus.BUDGET_STOPPED: "budget_stopped",
    AttemptStatus.MODEL_ERROR: "model_error",
}


def consider(skill: Skill, degraded_by: StateTransition, *, actor: Actor) -> bool:
    """Give up where the gates have refused often enough in a row since the skill was degraded; whether that is so.

    Inside a transaction that holds the skill's lock, and harmless when repeated: with a healthy version a person is
    asked about the rollback, once; without one the skill goes to the reference model. People are told either way.
    """
    attempts = Evolution.objects.filter(skill=skill, degraded_by=degraded_by).exclude(status=AttemptStatus.RUNNING)
    statuses = attempts.order_by("-id").values_list("status", flat=True)
    limits = knobs()
    if not evolution.gives_up([_OUTCOMES[one] for one in statuses], after=limits.evolution_max_consecutive_failures):
        return False
    if skill.state != State.DEGRADED:
        return True
    name, times = skill.capability.name, limits.evolution_max_consecutive_failures
    said = f"The gates refused {times} attempts in a row to evolve {name}."
    facts = {"capability": name, "refused": times, "degraded_by": str(degraded_by.pk)}
    healthy = rollbacks.last_healthy(skill)
    if healthy is None:
        transitions.move(
            skill, State.CLAUDE_NATIVE, reason=Reason.EVOLUTION_FAILED, actor=actor, note=said, evidence=facts
        )
        next_step = "No version of it is healthy, so the reference model answers."
    else:
        reviews.open_review(
            ReviewKind.ROLLBACK,
            capability=skill.capability,
            version=healthy,
            actor=actor,
            summary=f"{said} Version {healthy.number} is the last healthy one: shall it serve again?",
            evidence={**facts, "to_version": healthy.number},
            occasion=str(degraded_by.pk),
        )
        next_step = f"Version {healthy.number} is the last healthy one; a person is asked whether it serves again."
    audit.record("evolution.given_up", actor=actor, subject_type="skill", subject_id=skill.pk, data=facts)
    events.publish(
        "evolution.given_up",
        subject_type="skill",
        subject_id=skill.pk,
        payload={**facts, "to_version": healthy.number if healthy else None},
        dedup_key=f"evolution_given_up:{degraded_by.pk}",
        notify=events.Notice(
            title=f"Evolving {name} was refused {times} times",
            body=f"{said} {next_step}",
            url=f"/skills/{name}/",
            level=Level.WARNING,
            permission=Permission.DECIDE_REVIEWS,
        ),
    )
    return True
