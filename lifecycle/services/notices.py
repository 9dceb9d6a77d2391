"""What people and bots are told about reviews: one row in the audit log, one event, and the lines in the inboxes."""

from __future__ import annotations

from typing import Any

from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import User
from donna_skills.accounts.roles import Permission
from donna_skills.audit import services as audit
from donna_skills.notifications import events
from donna_skills.notifications.models import Level
from lifecycle.models import Review, ReviewKind, ReviewState

_TITLES = {
    ReviewKind.DRAFT: "A new draft of {name} waits for a decision",
    ReviewKind.PROMOTION: "{name} is eligible and waits for a decision",
    ReviewKind.FLAG: "{name} was flagged and waits for a decision",
    ReviewKind.EVOLUTION: "An evolved version of {name} waits for a decision",
    ReviewKind.ROLLBACK: "A rollback of {name} waits for a decision",
    ReviewKind.CAPABILITY: "The capability {name} waits for a decision",
    ReviewKind.FOLLOW_UP: "{name} was approved past a rule and waits for a second look",
}


def opened(review: Review, *, actor: Actor) -> None:
    """A question was put; whoever may decide is told once for each digest."""
    name = review.capability.name
    facts = {
        "kind": review.kind,
        "capability": name,
        "version": review.version.number if review.version else None,
    }
    audit.record("review.opened", actor=actor, subject_type="review", subject_id=review.pk, data=facts)
    which = review.pk if review.kind == ReviewKind.FOLLOW_UP else review.capability_id
    events.publish(
        "review.opened",
        subject_type="review",
        subject_id=review.pk,
        payload={**facts, "digest": review.subject_digest, "summary": review.summary},
        dedup_key=f"review:{review.kind}:{which}:{review.subject_digest}",
        notify=events.Notice(
            title=_TITLES[ReviewKind(review.kind)].format(name=name),
            body=review.summary,
            url=_address(review),
            permission=Permission.DECIDE_REVIEWS,
        ),
    )


def decided(review: Review, *, actor: Actor) -> None:
    """A person answered; who wrote or asked for it is told, unless they answered themselves."""
    facts = {
        "kind": review.kind,
        "capability": review.capability.name,
        "decision": review.state,
        "comment": review.comment,
        "digest": review.subject_digest,
        "verdict": review.verdict or "none",
        "glass_broken": review.glass_broken,
    }
    audit.record(f"review.{review.state}", actor=actor, subject_type="review", subject_id=review.pk, data=facts)
    concerned = _concerned(review, but=actor.user)
    answer = ReviewState(review.state).label.lower()
    events.publish(
        "review.decided",
        subject_type="review",
        subject_id=review.pk,
        payload=facts,
        notify=events.Notice(
            title=f"{review.get_kind_display()} of {review.capability.name}: {answer} by {actor.label}",
            body=review.comment,
            url=_address(review),
            people=concerned,
        )
        if concerned
        else None,
    )


def approved_once(review: Review, *, actor: Actor, comment: str) -> None:
    """The first of two approvals: another person has to look."""
    facts: dict[str, Any] = {
        "kind": review.kind,
        "capability": review.capability.name,
        "comment": comment,
        "digest": review.subject_digest,
    }
    audit.record("review.approved_once", actor=actor, subject_type="review", subject_id=review.pk, data=facts)
    events.publish(
        "review.approved_once",
        subject_type="review",
        subject_id=review.pk,
        payload={**facts, "by": actor.label},
        notify=events.Notice(
            title=f"{review.capability.name} waits for a second approval",
            body=f"{actor.label} approved it. Its risk is high, so that a second person has to.",
            url=_address(review),
            permission=Permission.DECIDE_REVIEWS,
        ),
    )


def glass_broken(review: Review, *, actor: Actor) -> None:
    """Loud: everybody who decides reads who went past the rule, and why."""
    facts = {"kind": review.kind, "capability": review.capability.name, "reason": review.comment}
    audit.record("review.glass_broken", actor=actor, subject_type="review", subject_id=review.pk, data=facts)
    events.publish(
        "review.glass_broken",
        subject_type="review",
        subject_id=review.pk,
        payload={**facts, "by": actor.label},
        notify=events.Notice(
            title=f"Emergency: {actor.label} approved the {review.kind} of {review.capability.name} alone",
            body=review.comment,
            url=_address(review),
            level=Level.ERROR,
            permission=Permission.DECIDE_REVIEWS,
        ),
    )


def _concerned(review: Review, *, but: User | None) -> tuple[User, ...]:
    people = [review.version.author if review.version else None, review.asked_by]
    found = {person.pk: person for person in people if person is not None and person != but}
    return tuple(found.values())


def _address(review: Review) -> str:
    return f"/review/{review.pk}/"
