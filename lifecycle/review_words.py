"""What a decision does, in one sentence: beforehand for the button, afterwards for the card that replaces it."""

from __future__ import annotations

from lifecycle.models import GateVerdict, Review, ReviewKind, ReviewState
from lifecycle.states import SERVING, STATES, State

ABOUT_FILES = frozenset({ReviewKind.DRAFT, ReviewKind.EVOLUTION})
"""A yes lets a new version run, so that its files, its fixtures and what the gates said are the question."""


def gated(review: Review) -> bool:
    """Whether what the gates say about the files belongs to the question."""
    return review.version_id is not None and (review.kind in ABOUT_FILES or bool(review.verdict))


def title(review: Review) -> str:
    number = f" version {review.version.number}" if review.version else ""
    return f"{review.capability.name}{number}"


def labels(review: Review) -> tuple[str, str]:
    """What stands on the two buttons, verbs with their object: yes and no."""
    name, kind = review.capability.name, ReviewKind(review.kind)
    number = review.version.number if review.version else 0
    if kind in ABOUT_FILES:
        return f"Approve version {number}", f"Reject version {number}"
    if kind == ReviewKind.FLAG:
        return f"Save {name}", f"Degrade {name}"
    if kind == ReviewKind.ROLLBACK:
        return f"Roll back to version {number}", "Leave it to the reference model"
    if kind == ReviewKind.CAPABILITY:
        return f"Activate {name}", f"Keep {name} inactive"
    if kind == ReviewKind.FOLLOW_UP:
        return "Confirm what was done", "Undo what was done"
    return f"Approve the {kind.label.lower()}", f"Reject the {kind.label.lower()}"


def approving(review: Review) -> str:
    """What a yes does, as things stand now."""
    name = review.capability.name
    kind = ReviewKind(review.kind)
    if kind in ABOUT_FILES and review.version is not None:
        return " ".join([f"Version {review.version.number} goes to the sandbox.", *_consequences(review)])
    if kind == ReviewKind.CAPABILITY:
        return f"{name} becomes active: bots may ask for it."
    if kind == ReviewKind.PROMOTION and (to := _state(review, "to_state")):
        return f"{name} becomes {STATES[to].label.lower()}. {STATES[to].meaning}"
    if kind == ReviewKind.FLAG and (came_from := _state(review, "flagged_from")):
        return f"It is saved and becomes {STATES[came_from].label.lower()} again. {STATES[came_from].meaning}"
    if kind == ReviewKind.ROLLBACK and review.version is not None:
        return f"Version {review.version.number} answers again, and every answer is compared with the reference."
    if kind == ReviewKind.FOLLOW_UP:
        return "The decision that passed over a rule is confirmed and stays as it is."
    return f"The {review.get_kind_display().lower()} is carried out."


def rejecting(review: Review) -> str:
    """What a no does."""
    name = review.capability.name
    kind = ReviewKind(review.kind)
    if kind in ABOUT_FILES and review.version is not None:
        restored = _restored(review)
        return f"Version {review.version.number} never runs. {restored}Your reason goes into the next draft."
    if kind == ReviewKind.CAPABILITY:
        return f"{name} stays inactive: nobody can run it."
    if kind == ReviewKind.PROMOTION:
        return f"{name} stays where it is, and you are asked again when all of its evidence is newer."
    if kind == ReviewKind.FLAG:
        return f"{name} is degraded. {STATES[State.DEGRADED].meaning}"
    if kind == ReviewKind.ROLLBACK:
        return f"{name} is left to the reference model."
    if kind == ReviewKind.FOLLOW_UP:
        return "What was decided past the rule is undone: the reference model answers, or the capability waits again."
    return f"The {review.get_kind_display().lower()} is not carried out."


def happened(review: Review) -> str:
    """What a decided review led to."""
    kind, name = ReviewKind(review.kind), review.capability.name
    if review.state == ReviewState.CHANGES_REQUESTED:
        return "Changes were asked for: it does not run, and a new version asks again."
    if review.state == ReviewState.SUPERSEDED:
        return review.comment or "The question is gone: nothing was decided."
    yes = review.state == ReviewState.APPROVED
    number = review.version.number if review.version else 0
    if kind in ABOUT_FILES:
        went = "went to the sandbox. " + STATES[State.SANDBOX].meaning
        return f"Version {number} {went if yes else 'was refused and never runs.'}"
    if kind == ReviewKind.PROMOTION:
        to = _state(review, "to_state")
        return f"{name} became {STATES[to].label.lower()}." if yes and to else f"{name} stayed where it was."
    if kind == ReviewKind.FLAG:
        return f"{name} was saved and answers again." if yes else f"{name} was degraded: the reference model answers."
    if kind == ReviewKind.ROLLBACK:
        return f"Version {number} answers again." if yes else f"{name} was left to the reference model."
    if kind == ReviewKind.CAPABILITY:
        return f"{name} is active." if yes else f"{name} stayed inactive."
    return "It was confirmed and stays as it is." if yes else "It was undone."


def way_back(review: Review) -> str:
    """What the rules allow to whoever thinks better of it; empty where nothing was done that could be undone."""
    kind = ReviewKind(review.kind)
    if review.state not in {ReviewState.APPROVED, ReviewState.REJECTED}:
        return ""
    if kind == ReviewKind.CAPABILITY:
        return ""
    if review.state == ReviewState.APPROVED:
        return "Was that wrong? Pause the skill, go back to an earlier version or hand in another one on its page."
    if kind in ABOUT_FILES:
        return "Was that wrong? Edit the version and hand it in anew: a new version asks again."
    if kind == ReviewKind.FLAG:
        return "Was that wrong? Go back to a version that served well on the skill's page, or hand in a better one."
    return "Was that wrong? The skill's page says what it needs next, and a better version can be handed in there."


def _restored(review: Review) -> str:
    """Who answers after a no to the draft that the skill stands on."""
    skill = review.skill
    stands_on_it = skill is not None and skill.state == State.DRAFT and skill.current_version_id == review.version_id
    return "The last version that served well serves again, where there is one. " if stands_on_it else ""


def _consequences(review: Review) -> list[str]:
    """Who answers meanwhile, and what the gates have still to say."""
    found = [STATES[State.SANDBOX].meaning]
    skill = review.skill
    if skill is not None and skill.state in SERVING and skill.current_version_id != review.version_id:
        found.append("What serves now stops, until the new version has earned as much trust.")
    if review.verdict != GateVerdict.PASS:
        found.append("The gates have not passed it yet: until they do, a person is asked before each promotion.")
    return found


def _state(review: Review, key: str) -> State | None:
    value = review.evidence.get(key)
    return State(value) if value in State.values else None
