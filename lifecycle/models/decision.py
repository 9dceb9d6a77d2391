"""What the evidence pipeline said about one set of files. Rows never change."""

from __future__ import annotations

from django.db import models

from donna_skills.entities import Entity, one_of
from lifecycle.models.skill import Skill


class GateVerdict(models.TextChoices):
    PASS = "PASS", "Passed"
    HOLD = "HOLD", "On hold"
    BLOCK = "BLOCK", "Blocked"


class GateDecision(Entity):
    """Belongs to a digest, not to a version: a refused draft has one and never becomes a version.

    `inputs_digest` covers all that the gates looked at besides the files (fixtures, recorded runs, grants, limits):
    same files and same inputs, same row.
    """

    skill = models.ForeignKey(Skill, on_delete=models.PROTECT, related_name="gate_decisions")
    digest = models.CharField(max_length=64)
    inputs_digest = models.CharField(max_length=64)
    verdict = models.CharField(max_length=8, choices=GateVerdict.choices)
    gates = models.JSONField(help_text="Every gate's result in order: status, reasons, figures, cost.")
    evidence = models.JSONField(default=dict, help_text="What pages show beside the gates: cases, their outputs.")
    cost_usd = models.DecimalField(max_digits=14, decimal_places=6)
    schema_version = models.CharField(max_length=8, default="5")
    at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            one_of("verdict", GateVerdict, name="gatedecision_verdict_known"),
            models.UniqueConstraint(fields=["skill", "digest", "inputs_digest"], name="gatedecision_once_per_inputs"),
            models.CheckConstraint(condition=models.Q(cost_usd__gte=0), name="gatedecision_cost_not_negative"),
        ]
        indexes = [models.Index(fields=["skill", "digest", "-id"], name="gatedecision_newest")]

    def __str__(self) -> str:
        return f"{self.verdict} for {self.digest[:12]}"
