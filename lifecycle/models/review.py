"""A question to a person, who is looking at it, and the answer."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q

from donna_skills.entities import Entity, one_of
from lifecycle.models.capability import Capability
from lifecycle.models.decision import GateVerdict
from lifecycle.models.skill import Skill, SkillVersion


class ReviewKind(models.TextChoices):
    DRAFT = "draft", "Draft"
    PROMOTION = "promotion", "Promotion"
    FLAG = "flag", "Flag"
    EVOLUTION = "evolution", "Evolution"
    ROLLBACK = "rollback", "Rollback"
    CAPABILITY = "capability", "Capability"
    FOLLOW_UP = "follow_up", "Follow-up"


class ReviewState(models.TextChoices):
    OPEN = "open", "Waiting"
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Rejected"
    CHANGES_REQUESTED = "changes_requested", "Changes requested"
    SUPERSEDED = "superseded", "Superseded"


DECIDED = (ReviewState.APPROVED, ReviewState.REJECTED, ReviewState.CHANGES_REQUESTED)
"""Ended by a person, by name."""


class RiskTier(models.IntegerChoices):
    """In the order of the queue: the riskiest is looked at first."""

    HIGH = 1, "High"
    MEDIUM = 2, "Medium"
    LOW = 3, "Low"


class ReviewQuerySet(models.QuerySet["Review"]):
    def open(self) -> ReviewQuerySet:
        return self.filter(state=ReviewState.OPEN)

    def waiting(self, now: datetime) -> ReviewQuerySet:
        """Open and not set aside: what somebody has to decide today."""
        return self.open().filter(Q(set_aside_until__isnull=True) | Q(set_aside_until__lte=now))

    def blocked(self) -> ReviewQuerySet:
        """Needs a fix before anybody can approve it."""
        return self.filter(verdict=GateVerdict.BLOCK)

    def claimed_by(self, person: models.Model, now: datetime) -> ReviewQuerySet:
        return self.filter(claimed_by=person, claimed_until__gt=now)

    def unclaimed(self, now: datetime) -> ReviewQuerySet:
        return self.filter(Q(claimed_until__isnull=True) | Q(claimed_until__lte=now))

    def narrowed(
        self, *, kind: str = "", capability: str = "", risk: str = "", verdict: str | None = None
    ) -> ReviewQuerySet:
        """By what is given; an empty verdict is that of reviews without one, None is any."""
        found = self.filter(kind=kind) if kind else self
        if capability:
            found = found.filter(capability__name=capability)
        if risk:
            found = found.filter(risk=RiskTier[risk.upper()])
        return found if verdict is None else found.filter(verdict=verdict)

    def for_page(self) -> ReviewQuerySet:
        return self.select_related("capability", "skill", "version__author", "claimed_by", "decided_by", "asked_by")


class Review(Entity):
    """Bound to the digest of what is to be decided: nobody approves what they did not see."""

    kind = models.CharField(max_length=12, choices=ReviewKind.choices)
    state = models.CharField(max_length=20, choices=ReviewState.choices, default=ReviewState.OPEN)
    skill = models.ForeignKey(Skill, on_delete=models.PROTECT, null=True, blank=True, related_name="reviews")
    version = models.ForeignKey(SkillVersion, on_delete=models.PROTECT, null=True, blank=True, related_name="reviews")
    capability = models.ForeignKey(Capability, on_delete=models.PROTECT, related_name="reviews")
    subject_digest = models.CharField(max_length=64)
    basis = models.JSONField(
        default=dict, blank=True, help_text="Digests of what the subject was held against when the question was put."
    )
    summary = models.TextField(blank=True, default="")
    evidence = models.JSONField(default=dict, blank=True)
    verdict = models.CharField(
        max_length=8, choices=GateVerdict.choices, blank=True, default="", help_text="Of the newest gate decision."
    )
    risk = models.PositiveSmallIntegerField(choices=RiskTier.choices, default=RiskTier.HIGH)
    risk_reasons = models.JSONField(default=list, blank=True, help_text="Why the tier: code and message.")
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Who asked, or owns the bot that did; empty where the system did.",
    )
    opened_at = models.DateTimeField(auto_now_add=True)
    claimed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    claimed_until = models.DateTimeField(null=True, blank=True)
    set_aside_until = models.DateTimeField(null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    comment = models.TextField(blank=True, default="")
    glass_broken = models.BooleanField(default=False, help_text="Approved past a rule, in an emergency.")
    follow_up_of = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="follow_up"
    )

    objects = ReviewQuerySet.as_manager()

    class Meta:
        ordering = ["opened_at"]
        constraints = [
            one_of("kind", ReviewKind, name="review_kind_known"),
            one_of("state", ReviewState, name="review_state_known"),
            models.CheckConstraint(
                condition=Q(verdict="") | Q(verdict__in=GateVerdict.values), name="review_verdict_known"
            ),
            models.CheckConstraint(condition=Q(risk__in=RiskTier.values), name="review_risk_known"),
            # A follow-up is about one decision and waits beside whatever is asked next.
            models.UniqueConstraint(
                fields=["kind", "capability"],
                condition=Q(state="open") & ~Q(kind="follow_up"),
                name="review_one_open_per_subject",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["approved", "rejected", "changes_requested"]) | Q(decided_by__isnull=False),
                name="review_decision_names_a_person",
            ),
            models.CheckConstraint(
                condition=Q(claimed_by__isnull=True, claimed_until__isnull=True)
                | Q(claimed_by__isnull=False, claimed_until__isnull=False),
                name="review_claim_names_a_person_and_an_end",
            ),
            models.CheckConstraint(
                condition=Q(kind="follow_up", follow_up_of__isnull=False)
                | (~Q(kind="follow_up") & Q(follow_up_of__isnull=True)),
                name="review_follow_up_names_a_decision",
            ),
        ]
        indexes = [models.Index(fields=["state", "risk", "id"], name="review_queue")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.capability}"


class ReviewApproval(Entity):
    """One of the approvals that a review of high risk takes two of, for exactly what was seen."""

    review = models.ForeignKey(Review, on_delete=models.PROTECT, related_name="approvals")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    digest = models.CharField(max_length=64, help_text="Of the subject and of all that it was held against.")
    comment = models.TextField(blank=True, default="")
    keep_gate = models.BooleanField(default=False)
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["review", "by", "digest"], name="reviewapproval_once_a_person"),
        ]

    def __str__(self) -> str:
        return f"{self.by} on {self.review}"
