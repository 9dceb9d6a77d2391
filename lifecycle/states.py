"""States, reasons, and the one table of moves between them. Whatever asks "may this skill go there" reads it here: the
service that moves, the buttons, the API's table, `docs/states.md` and the database's check constraints.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import models

from donna_skills.accounts.actors import ActorKind


class State(models.TextChoices):
    CLAUDE_NATIVE = "claude_native", "Reference model"
    SKILL_CANDIDATE = "skill_candidate", "Candidate"
    DRAFT = "draft", "Draft"
    SANDBOX = "sandbox", "Sandbox, unseen"
    SHADOW_PRIMARY = "shadow_primary", "Live, shadowed"
    TRUSTED = "trusted", "Trusted"
    FLAGGED_FOR_REVIEW = "flagged_for_review", "Flagged"
    DEGRADED = "degraded", "Degraded"


class Reason(models.TextChoices):
    GATE_PASSED = "gate_passed", "The gates passed"
    HUMAN_APPROVAL = "human_approval", "A person approved"
    HUMAN_REJECTION = "human_rejection", "A person rejected"
    MANUAL_OVERRIDE = "manual_override", "A person overrode"
    DEGRADATION = "degradation", "Agreement slipped"
    EVOLUTION_FAILED = "evolution_failed", "Evolution failed"


@dataclass(frozen=True)
class Look:
    """How a state is shown: a colour's name, a shape for those who see no colour, and one plain sentence."""

    label: str
    tone: str
    shape: str
    meaning: str


STATES: dict[State, Look] = {
    State.CLAUDE_NATIVE: Look("Reference model", "grey", "○", "No skill serves; the reference model answers."),
    State.SKILL_CANDIDATE: Look("Candidate", "grey", "○", "The work repeats enough to be worth a skill."),
    State.DRAFT: Look("Draft", "blue", "◆", "A version waits for a person's decision."),
    State.SANDBOX: Look(
        "Sandbox, unseen", "violet", "◆", "It runs beside the reference model; nobody sees its answers."
    ),
    State.SHADOW_PRIMARY: Look(
        "Live, shadowed", "teal", "●", "It answers, and every answer is compared with the reference."
    ),
    State.TRUSTED: Look("Trusted", "green", "●", "It answers; a sample of its answers is compared."),
    State.FLAGGED_FOR_REVIEW: Look(
        "Flagged", "amber", "▲", "It slipped; the reference answers until a person decides."
    ),
    State.DEGRADED: Look("Degraded", "red", "■", "It is out of service until a better version is approved."),
}

SERVING = frozenset({State.SHADOW_PRIMARY, State.TRUSTED})
"""The skill's own answer goes to the caller."""
GATED = frozenset({State.SANDBOX, State.SHADOW_PRIMARY, State.TRUSTED})
"""`requires_human_gate` keeps the system from moving a skill into these."""

SYSTEM_REASONS = frozenset({Reason.GATE_PASSED, Reason.DEGRADATION, Reason.EVOLUTION_FAILED})
REASON_ACTORS: dict[Reason, ActorKind] = {
    reason: ActorKind.SYSTEM if reason in SYSTEM_REASONS else ActorKind.PERSON for reason in Reason
}
"""Who may give a reason. A bot is nowhere in it: a bot reports and proposes, it never moves a skill."""

_S, _R = State, Reason
TABLE: dict[tuple[State, State], frozenset[Reason]] = {
    (_S.CLAUDE_NATIVE, _S.SKILL_CANDIDATE): frozenset({_R.GATE_PASSED, _R.MANUAL_OVERRIDE}),
    (_S.SKILL_CANDIDATE, _S.DRAFT): frozenset({_R.GATE_PASSED, _R.MANUAL_OVERRIDE}),
    (_S.DRAFT, _S.SANDBOX): frozenset({_R.HUMAN_APPROVAL, _R.MANUAL_OVERRIDE}),
    (_S.SANDBOX, _S.SHADOW_PRIMARY): frozenset({_R.GATE_PASSED, _R.HUMAN_APPROVAL, _R.MANUAL_OVERRIDE}),
    (_S.SHADOW_PRIMARY, _S.TRUSTED): frozenset({_R.GATE_PASSED, _R.HUMAN_APPROVAL, _R.MANUAL_OVERRIDE}),
    (_S.SHADOW_PRIMARY, _S.FLAGGED_FOR_REVIEW): frozenset({_R.DEGRADATION, _R.MANUAL_OVERRIDE}),
    (_S.TRUSTED, _S.FLAGGED_FOR_REVIEW): frozenset({_R.DEGRADATION, _R.MANUAL_OVERRIDE}),
    (_S.FLAGGED_FOR_REVIEW, _S.TRUSTED): frozenset({_R.HUMAN_APPROVAL, _R.MANUAL_OVERRIDE}),
    (_S.FLAGGED_FOR_REVIEW, _S.DEGRADED): frozenset({_R.HUMAN_APPROVAL, _R.MANUAL_OVERRIDE}),
    (_S.FLAGGED_FOR_REVIEW, _S.SHADOW_PRIMARY): frozenset({_R.HUMAN_APPROVAL}),
    (_S.DEGRADED, _S.DRAFT): frozenset({_R.GATE_PASSED, _R.MANUAL_OVERRIDE}),
    (_S.DEGRADED, _S.CLAUDE_NATIVE): frozenset({_R.EVOLUTION_FAILED, _R.MANUAL_OVERRIDE}),
    (_S.DRAFT, _S.CLAUDE_NATIVE): frozenset({_R.HUMAN_REJECTION, _R.MANUAL_OVERRIDE}),
    **{
        (state, _S.CLAUDE_NATIVE): frozenset({_R.MANUAL_OVERRIDE})
        for state in State
        if state not in {_S.CLAUDE_NATIVE, _S.DEGRADED, _S.DRAFT}
    },
}

CONDITIONS: dict[tuple[State, State, Reason], str] = {
    (_S.FLAGGED_FOR_REVIEW, _S.SHADOW_PRIMARY, _R.HUMAN_APPROVAL): "only when it was flagged from shadow_primary",
    (_S.DRAFT, _S.CLAUDE_NATIVE, _R.HUMAN_REJECTION): "only when no earlier version is released",
}
"""Moves whose permission also depends on the skill's past, in words; `services/transitions.py` enforces them."""


def edges_from(state: State) -> dict[State, frozenset[Reason]]:
    """Where a skill in `state` may go, and for which reasons."""
    return {to: reasons for (source, to), reasons in TABLE.items() if source == state}
