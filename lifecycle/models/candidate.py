"""Work that the reference model does again and again, and what a skill for it would save."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from donna_skills.entities import Entity, one_of
from lifecycle.models.capability import Capability


class CandidateStatus(models.TextChoices):
    NEW = "new", "Open"
    DRAFTED = "drafted", "Drafted"
    DISMISSED = "dismissed", "Dismissed"
    STALE = "stale", "Stale"


class CandidateQuerySet(models.QuerySet["Candidate"]):
    def open(self) -> CandidateQuerySet:
        return self.filter(status=CandidateStatus.NEW)

    def for_page(self) -> CandidateQuerySet:
        return self.select_related("capability__skill", "dismissed_by", "token")

    def by_savings(self) -> CandidateQuerySet:
        return self.order_by("-expected_savings_usd", "-pk")


class Candidate(Entity):
    """One finding about one capability. Its numbers are refreshed while it is open, and kept as they were after."""

    capability = models.ForeignKey(Capability, on_delete=models.PROTECT, related_name="candidates")
    fingerprint = models.CharField(
        max_length=32, help_text="Of the capability's description: the same work under another name has the same."
    )
    status = models.CharField(max_length=12, choices=CandidateStatus.choices, default=CandidateStatus.NEW)
    expected_savings_usd = models.DecimalField(max_digits=20, decimal_places=6)
    volume = models.PositiveIntegerField()
    mean_cost_usd = models.DecimalField(max_digits=20, decimal_places=6)
    repetitiveness = models.FloatField()
    evidence = models.JSONField(default=dict)
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField(help_text="When its savings last reached the limit.")
    dismissed_at = models.DateTimeField(null=True, blank=True)
    dismissed_until = models.DateTimeField(null=True, blank=True)
    not_a_skill = models.BooleanField(default=False, help_text="The dismissal holds for good, for this very pattern.")
    dismissed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    token = models.ForeignKey(
        "accounts.ApiToken",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="The token through which it was dismissed.",
    )
    reason = models.TextField(blank=True, default="")

    objects = CandidateQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            one_of("status", CandidateStatus, name="candidate_status_known"),
            models.UniqueConstraint(
                fields=["capability"], condition=models.Q(status="new"), name="candidate_one_open_per_capability"
            ),
            models.CheckConstraint(
                condition=models.Q(expected_savings_usd__gte=0, mean_cost_usd__gte=0),
                name="candidate_money_not_negative",
            ),
            models.CheckConstraint(
                condition=models.Q(repetitiveness__gte=0, repetitiveness__lte=1), name="candidate_repetitiveness_share"
            ),
            models.CheckConstraint(
                condition=models.Q(last_seen__gte=models.F("first_seen")), name="candidate_seen_first_then_last"
            ),
            models.CheckConstraint(
                condition=(
                    models.Q(status="dismissed", dismissed_at__isnull=False)
                    & (
                        models.Q(not_a_skill=True, dismissed_until__isnull=True)
                        | models.Q(not_a_skill=False, dismissed_until__isnull=False)
                    )
                )
                | (
                    ~models.Q(status="dismissed")
                    & models.Q(dismissed_at__isnull=True, dismissed_until__isnull=True, not_a_skill=False)
                ),
                name="candidate_dismissal_says_how_long",
            ),
        ]
        indexes = [
            models.Index(fields=["status", "-expected_savings_usd", "-id"], name="candidate_by_savings"),
            models.Index(fields=["fingerprint"], name="candidate_no_skills", condition=models.Q(not_a_skill=True)),
        ]

    def __str__(self) -> str:
        return f"Candidate {self.capability}"
