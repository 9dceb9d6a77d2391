"""What came of laying a skill's answer beside the reference's."""

from __future__ import annotations

from django.db import models

from donna_skills.entities import Entity, one_of
from lifecycle.models.run import SkillRun
from lifecycle.models.skill import Skill, SkillVersion


class DivergenceStatus(models.TextChoices):
    JUDGED = "judged", "Judged"
    ABSTAINED = "abstained", "Abstained"


class DivergenceQuerySet(models.QuerySet["Divergence"]):
    def judged(self) -> DivergenceQuerySet:
        """The ones that statistics may see."""
        return self.filter(status=DivergenceStatus.JUDGED)


class Divergence(Entity):
    """One comparison of one run, evidence for the version that ran and for no other. Rows never change."""

    # Read newest first, by skill and by version: the indexes of Meta stand in for Django's own on these two.
    skill = models.ForeignKey(Skill, on_delete=models.PROTECT, related_name="divergences", db_index=False)
    version = models.ForeignKey(SkillVersion, on_delete=models.PROTECT, related_name="divergences", db_index=False)
    run = models.OneToOneField(SkillRun, on_delete=models.PROTECT, related_name="divergence")
    reference = models.ForeignKey(
        SkillRun,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="The run that holds the reference's answer.",
    )
    status = models.CharField(max_length=12, choices=DivergenceStatus.choices)
    agreement = models.FloatField(null=True, blank=True)
    rationale = models.TextField(blank=True, default="")
    abstained_because = models.TextField(blank=True, default="")
    output = models.JSONField(null=True, blank=True)
    reference_output = models.JSONField(null=True, blank=True)
    at = models.DateTimeField()

    objects = DivergenceQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            one_of("status", DivergenceStatus, name="divergence_status_known"),
            models.CheckConstraint(
                # Without isnull a missing agreement would make the condition unknown, which a database lets pass.
                condition=models.Q(status="judged", agreement__isnull=False, agreement__gte=0, agreement__lte=1)
                | models.Q(status="abstained", agreement__isnull=True),
                name="divergence_agreement_iff_judged",
            ),
        ]
        indexes = [
            models.Index(fields=["skill", "-id"], name="divergence_by_skill"),
            models.Index(fields=["version", "-id"], name="divergence_by_version"),
            models.Index(
                fields=["version", "-id"], name="divergence_newest_judged", condition=models.Q(status="judged")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.run}: {self.get_status_display().lower() if self.agreement is None else self.agreement}"
