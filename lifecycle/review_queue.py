"""The queue of questions to people: what the address asks for, one page of it, and its neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.core.paginator import Page, Paginator
from django.db.models import Count, Q

from donna_skills.accounts.models import User
from lifecycle.models import GateVerdict, Review, ReviewKind, RiskTier
from lifecycle.models.review import DECIDED, ReviewQuerySet

PAGE = 25
LONGEST_WORDS = 100

SHOWN = {
    "": "Waiting for a decision",
    "fix": "Needs a fix",
    "aside": "Set aside",
    "decided": "Decided",
}
WHOSE = {"mine": "I am looking at it", "unassigned": "Nobody is looking"}
AGES = {"1": "For a day", "7": "For a week", "30": "For a month"}
VERDICTS = {**dict(GateVerdict.choices), "none": "Not checked yet"}
RISKS = {tier.label.lower(): tier.label for tier in RiskTier}


@dataclass(frozen=True)
class Wanted:
    """The filters of one address; a value that is none of the choices is no filter."""

    shown: str = ""
    kind: str = ""
    risk: str = ""
    verdict: str = ""
    whose: str = ""
    age: str = ""
    capability: str = ""
    q: str = ""

    @classmethod
    def of(cls, params: Mapping[str, str]) -> Wanted:
        known: dict[str, Mapping[str, str]] = {
            "shown": SHOWN,
            "kind": dict(ReviewKind.choices),
            "risk": RISKS,
            "verdict": VERDICTS,
            "whose": WHOSE,
            "age": AGES,
        }
        chosen = {name: value for name, choices in known.items() if (value := params.get(name, "")) in choices}
        words = {name: params.get(name, "").replace("\0", "").strip()[:LONGEST_WORDS] for name in ("capability", "q")}
        return cls(**chosen, **words)

    @property
    def query(self) -> str:
        """As it stands in an address, with its question mark; empty without filters."""
        given = {name: value for name, value in asdict(self).items() if value}
        return f"?{urlencode(given)}" if given else ""

    @property
    def narrowed(self) -> bool:
        """Whether anything besides the tab leaves rows out."""
        return replace(self, shown="") != Wanted()


@dataclass(frozen=True)
class Counts:
    waiting: int
    to_fix: int
    aside: int


def rows(wanted: Wanted, *, user: User, now: datetime) -> ReviewQuerySet:
    """The reviews that the address asks for, riskiest first and then oldest; decided ones from the newest on."""
    found = _narrowed(_of_tab(wanted.shown, now), wanted, user=user, now=now)
    return found.order_by("-decided_at", "-id") if wanted.shown == "decided" else found.order_by("risk", "id")


def page(wanted: Wanted, *, user: User, now: datetime, number: str | None) -> Page[Review]:
    """One page, without the large columns that no row shows."""
    found = rows(wanted, user=user, now=now).for_page().defer("evidence", "basis")
    return Paginator(found, PAGE).get_page(number)


def counts(now: datetime) -> Counts:
    """How many wait, need a fix and are set aside, whatever the filters; one query."""
    aside = Q(set_aside_until__gt=now)
    blocked = Q(verdict=GateVerdict.BLOCK)
    found = Review.objects.open().aggregate(
        waiting=Count("id", filter=~blocked & (Q(set_aside_until__isnull=True) | ~aside)),
        to_fix=Count("id", filter=blocked & (Q(set_aside_until__isnull=True) | ~aside)),
        aside=Count("id", filter=aside),
    )
    return Counts(**found)


def waiting(now: datetime) -> int:
    """How many wait for a decision: the number in the menu."""
    return Review.objects.waiting(now).exclude(verdict=GateVerdict.BLOCK).count()


def following(review: Review, wanted: Wanted, *, user: User, now: datetime) -> UUID | None:
    """The next of the waiting reviews after this one, whether or not this one waits still."""
    later = Q(risk__gt=review.risk) | Q(risk=review.risk, pk__gt=review.pk)
    return (
        _neighbours(wanted, user=user, now=now)
        .filter(later)
        .order_by("risk", "id")
        .values_list("pk", flat=True)
        .first()
    )


def preceding(review: Review, wanted: Wanted, *, user: User, now: datetime) -> UUID | None:
    earlier = Q(risk__lt=review.risk) | Q(risk=review.risk, pk__lt=review.pk)
    found = _neighbours(wanted, user=user, now=now).filter(earlier)
    return found.order_by("-risk", "-id").values_list("pk", flat=True).first()


def after_deciding(review: Review, wanted: Wanted, *, user: User, now: datetime) -> UUID | None:
    """Where a reviewer goes on: the next one that nobody else is looking at, from the top again after the last."""
    free = _neighbours(wanted, user=user, now=now).exclude(pk=review.pk)
    free = free.filter(Q(claimed_until__isnull=True) | Q(claimed_until__lte=now) | Q(claimed_by=user))
    later = Q(risk__gt=review.risk) | Q(risk=review.risk, pk__gt=review.pk)
    ids = free.order_by("risk", "id").values_list("pk", flat=True)
    return ids.filter(later).first() or ids.first()


def choices(wanted: Wanted) -> list[dict[str, Any]]:
    """The queue's select fields with what is chosen."""
    found = [
        ("kind", "Kind", ReviewKind.choices, wanted.kind),
        ("risk", "Risk", RISKS.items(), wanted.risk),
        ("verdict", "Gates", VERDICTS.items(), wanted.verdict),
        ("whose", "Looked at", WHOSE.items(), wanted.whose),
        ("age", "Waiting", AGES.items(), wanted.age),
    ]
    return [{"name": name, "label": label, "choices": list(of), "value": value} for name, label, of, value in found]


def _of_tab(shown: str, now: datetime) -> ReviewQuerySet:
    if shown == "decided":
        return Review.objects.filter(state__in=DECIDED)
    if shown == "aside":
        return Review.objects.open().filter(set_aside_until__gt=now)
    waiting = Review.objects.waiting(now)
    return waiting.blocked() if shown == "fix" else waiting.exclude(verdict=GateVerdict.BLOCK)


def _narrowed(found: ReviewQuerySet, wanted: Wanted, *, user: User, now: datetime) -> ReviewQuerySet:
    verdict = {"": None, "none": ""}.get(wanted.verdict, wanted.verdict)
    found = found.narrowed(kind=wanted.kind, capability=wanted.capability, risk=wanted.risk, verdict=verdict)
    if wanted.whose == "mine":
        found = found.claimed_by(user, now)
    elif wanted.whose == "unassigned":
        found = found.unclaimed(now)
    if wanted.age:
        found = found.filter(opened_at__lte=now - timedelta(days=int(wanted.age)))
    if wanted.q:
        found = found.filter(Q(capability__name__icontains=wanted.q) | Q(summary__icontains=wanted.q))
    return found


def _neighbours(wanted: Wanted, *, user: User, now: datetime) -> ReviewQuerySet:
    """What `j` and `k` walk through: the tab that the reader came from, or what waits where that has no order."""
    shown = wanted.shown if wanted.shown in {"", "fix", "aside"} else ""
    return _narrowed(_of_tab(shown, now), wanted, user=user, now=now)
