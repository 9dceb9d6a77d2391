"""The card on which a review is decided: what this person may do, what each button does, and what is in the way."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.forms import Form

from donna_skills.accounts.models import User
from donna_skills.accounts.roles import Permission, may
from donna_skills.errors import DonnaError, FieldError
from lifecycle import forms_reviews, review_words
from lifecycle.models import GateVerdict, Review, ReviewApproval, ReviewState
from lifecycle.services import approvals, subjects

_WORDS = "review_words"
_KEPT = 5
"""Reviews whose typed words a session keeps at a time."""


@dataclass(frozen=True)
class Card:
    """`forms` holds the forms that this person is offered; `refusal` is why the last attempt came to nothing."""

    open: bool
    may_decide: bool
    forms: Mapping[str, Form]
    yes: str
    no: str
    approving: str
    rejecting: str
    blocked: bool
    own_work: str
    may_edit: bool
    happened: str
    way_back: str
    approvals: tuple[ReviewApproval, ...] = ()
    refusal: str = ""
    changed: tuple[FieldError, ...] = ()
    stale: bool = False
    """What is asked about has changed under the reader, who has to see it before deciding anew."""
    opened: frozenset[str] = field(default_factory=frozenset)
    """The forms that stand open: the one that was sent, and those with words in them."""


@dataclass(frozen=True)
class Looking:
    """Who has the review open, and for how many minutes more; until when it is set aside."""

    who: User | None
    mine: bool
    minutes: int
    may_claim: bool
    aside_until: datetime | None


def card(
    review: Review,
    *,
    user: User,
    sent: Mapping[str, Form] | None = None,
    error: DonnaError | None = None,
    words: Mapping[str, str] | None = None,
    stale: bool = False,
) -> Card:
    """`sent` is the form that did not go through, `words` what was typed before a log-out; a handful of queries."""
    is_open = review.state == ReviewState.OPEN
    may_decide = may(user, Permission.DECIDE_REVIEWS)
    blocked = review.version_id is not None and review.verdict == GateVerdict.BLOCK
    own_work = _own_work(review, user) if is_open and may_decide else ""
    asked = is_open and may_decide and not stale
    offered = _offered(review, user, no_yes=blocked or bool(own_work), blocked=blocked) if asked else ()
    seen = subjects.seen_digest(review) if is_open else ""
    kept = words or {}
    made = {name: forms_reviews.made(name, seen_digest=seen, words=kept.get(name, "")) for name in offered}
    opened = {name for name in made if kept.get(name)}
    for name, form in (sent or {}).items():
        if name in made:
            made[name] = _again(name, form, seen)
            opened.add(name)
    yes, no = review_words.labels(review)
    return Card(
        open=is_open,
        may_decide=may_decide,
        forms=made,
        yes=yes,
        no=no,
        approving=review_words.approving(review),
        rejecting=review_words.rejecting(review),
        blocked=blocked,
        own_work=own_work,
        may_edit=review.version_id is not None and may(user, Permission.EDIT_SKILLS),
        happened="" if is_open else review_words.happened(review),
        way_back="" if is_open else review_words.way_back(review),
        approvals=tuple(review.approvals.select_related("by")) if is_open else (),
        refusal=error.message if error else "",
        changed=tuple(error.errors) if error and error.status == 409 else (),
        stale=stale,
        opened=frozenset(opened),
    )


def looking(review: Review, *, user: User, now: datetime) -> Looking:
    may_claim = review.state == ReviewState.OPEN and may(user, Permission.DECIDE_REVIEWS)
    until = review.claimed_until
    aside = review.set_aside_until if review.set_aside_until and review.set_aside_until > now else None
    if until is None or until <= now:
        return Looking(None, mine=False, minutes=0, may_claim=may_claim, aside_until=aside)
    minutes = int(-(-(until - now).total_seconds() // 60))
    mine = review.claimed_by_id == user.pk
    return Looking(review.claimed_by, mine=mine, minutes=minutes, may_claim=may_claim, aside_until=aside)


def keep_words(session: MutableMapping[str, Any], review_id: UUID, act: str, sent: Mapping[str, str]) -> None:
    """Keep what somebody typed whose session had ended, so that logging in does not lose it."""
    typed = sent.get("reason") or sent.get("comment") or ""
    if typed.strip():
        others = {key: value for key, value in session.get(_WORDS, {}).items() if key != str(review_id)}
        newest = dict(list(others.items())[-_KEPT + 1 :])
        session[_WORDS] = {**newest, str(review_id): {act: typed[: forms_reviews.LONGEST_WORDS]}}


def kept_words(session: Mapping[str, Any], review_id: UUID) -> dict[str, str]:
    """The form that they were typed into, and the words; empty where there are none."""
    return dict(session.get(_WORDS, {}).get(str(review_id), {}))


def forget_words(session: MutableMapping[str, Any], review_id: UUID) -> None:
    kept = session.get(_WORDS, {})
    if str(review_id) in kept:
        session[_WORDS] = {key: value for key, value in kept.items() if key != str(review_id)}


def _own_work(review: Review, user: User) -> str:
    """Why this person may not say yes, in the words of the rule; empty where they may."""
    try:
        approvals.require_other_work(review, by=user)
    except DonnaError as error:
        return error.message
    return ""


def _offered(review: Review, user: User, *, no_yes: bool, blocked: bool) -> tuple[str, ...]:
    found = [] if no_yes else ["approve"]
    found.append("reject")
    if review.kind in review_words.ABOUT_FILES:
        found.append("changes")
    found.append("aside")
    if not blocked and may(user, Permission.BREAK_GLASS) and _glass_would_help(review, user):
        found.append("glass")
    return tuple(found)


def _glass_would_help(review: Review, user: User) -> bool:
    try:
        approvals.require_glass(review, by=user)
    except DonnaError:
        return False
    return True


def _again(name: str, form: Form, seen: str) -> Form:
    """The form as it was sent, bound to what is shown now: whoever sends it again has seen the new state."""
    data = {**form.data.dict(), "seen_digest": seen} if hasattr(form.data, "dict") else dict(form.data)
    again = forms_reviews.made(name, seen_digest=seen, data=data)
    again.is_valid()
    return again
