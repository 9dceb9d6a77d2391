"""What can be asked for, independent of who answers."""

from __future__ import annotations

from django.core.validators import RegexValidator
from django.db import models

from donna_skills.entities import Entity, one_of


class CapabilityStatus(models.TextChoices):
    ACTIVE = "active", "Active"
    PENDING_REVIEW = "pending_review", "Pending review"


class TriggerType(models.TextChoices):
    ON_DEMAND = "on_demand", "On demand"
    ON_SCHEDULE = "on_schedule", "On schedule"
    ON_EVENT = "on_event", "On event"


class CapabilityQuerySet(models.QuerySet["Capability"]):
    def active(self) -> CapabilityQuerySet:
        return self.filter(status=CapabilityStatus.ACTIVE)


class Capability(Entity):
    """A kind of work with a contract: schemas for what goes in and what comes out, and the tools it may use."""

    name = models.CharField(
        max_length=64,
        unique=True,
        validators=[
            RegexValidator(r"\A[a-z][a-z0-9_]*\Z", "Lower-case letters, digits and underscores, a letter first.")
        ],
    )
    description = models.TextField()
    examples = models.JSONField(default=list, blank=True, help_text="Phrases that ask for it; they help matching.")
    input_schema = models.JSONField(default=dict)
    output_schema = models.JSONField(default=dict)
    trigger_type = models.CharField(max_length=16, choices=TriggerType.choices, default=TriggerType.ON_DEMAND)
    status = models.CharField(max_length=16, choices=CapabilityStatus.choices, default=CapabilityStatus.ACTIVE)
    granted_tools = models.JSONField(default=list, blank=True)
    embedding = models.JSONField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = CapabilityQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "capabilities"
        ordering = ["name"]
        constraints = [
            one_of("status", CapabilityStatus, name="capability_status_known"),
            one_of("trigger_type", TriggerType, name="capability_trigger_type_known"),
        ]

    def __str__(self) -> str:
        return self.name
