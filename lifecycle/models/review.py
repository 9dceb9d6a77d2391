"""A question to a person, and the answer."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from donna_skills.entities import Entity, one_of
from lifecycle.models.capability import Capability
from lifecycle.models.skill import Skill, SkillVersion


class ReviewKind(models.TextChoices):
    DRAFT = "draft", "Draft"
    PROMOTION = "promotion", "Promotion"
    FLAG = "flag", "Flag"
    EVOLUTION = "evolution", "Evolution"
    ROLLBACK = "rollback", "Rollback"
    CAPABILITY = "capability", "Capability"


class ReviewState(models.TextChoices):
    OPEN = "open", "Waiting"
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Rejected"
    SUPERSEDED = "superseded", "Superseded"


class ReviewQuerySet(models.QuerySet["Review"]):
    def open(self) -> ReviewQuerySet:
        return self.filter(state=ReviewState.OPEN)


class Review(Entity):
    """Bound to the digest of what is to be decided: nobody approves what they did not see."""

    kind = models.CharField(max_length=12, choices=ReviewKind.choices)
    state = models.CharField(max_length=12, choices=ReviewState.choices, default=ReviewState.OPEN)
    skill = models.ForeignKey(Skill, on_delete=models.PROTECT, null=True, blank=True, related_name="reviews")
    version = models.ForeignKey(SkillVersion, on_delete=models.PROTECT, null=True, blank=True, related_name="reviews")
    capability = models.ForeignKey(Capability, on_delete=models.PROTECT, related_name="reviews")
    subject_digest = models.CharField(max_length=64)
    summary = models.TextField(blank=True, default="")
    evidence = models.JSONField(default=dict, blank=True)
    opened_at = models.DateTimeField(auto_now_add=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    comment = models.TextField(blank=True, default="")

    objects = ReviewQuerySet.as_manager()

    class Meta:
        ordering = ["opened_at"]
        constraints = [
            one_of("kind", ReviewKind, name="review_kind_known"),
            one_of("state", ReviewState, name="review_state_known"),
            models.UniqueConstraint(
                fields=["kind", "capability"], condition=models.Q(state="open"), name="review_one_open_per_subject"
            ),
            models.CheckConstraint(
                condition=~models.Q(state__in=["approved", "rejected"]) | models.Q(decided_by__isnull=False),
                name="review_decision_names_a_person",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.capability}"
