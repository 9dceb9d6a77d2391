"""What was asked, who answered, how, and at what cost."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings
from django.db import models
from django.utils import timezone

from donna_skills.entities import Entity, one_of
from donna_skills.jobs.leases import Leased
from lifecycle.models.capability import Capability
from lifecycle.models.skill import Skill, SkillVersion
from lifecycle.states import State


class RunPath(models.TextChoices):
    SKILL = "skill", "Skill"
    NATIVE = "native", "Reference model"
    SHADOW = "shadow", "Reference, for comparison"
    SANDBOX = "sandbox", "Skill, unseen"
    VALIDATION = "validation", "Validation"


class RunStatus(models.TextChoices):
    """The statuses from `succeeded` to `cancelled` are the typed outcomes; `interrupted` says that the process died."""

    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    ESCALATED = "escalated", "Escalated"
    TIMED_OUT = "timed_out", "Timed out"
    PERMISSION_BLOCKED = "permission_blocked", "Permission blocked"
    CANCELLED = "cancelled", "Cancelled"
    INTERRUPTED = "interrupted", "Interrupted"


OPEN_STATUSES = (RunStatus.QUEUED, RunStatus.RUNNING)


class Outcome(models.TextChoices):
    """How the work itself ended, as far as anybody knows: empty while open, and for a run whose process died."""

    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    ESCALATED = "escalated", "Escalated"
    TIMED_OUT = "timed_out", "Timed out"
    PERMISSION_BLOCKED = "permission_blocked", "Permission blocked"
    CANCELLED = "cancelled", "Cancelled"


class SkillRunQuerySet(models.QuerySet["SkillRun"]):
    def open(self) -> SkillRunQuerySet:
        return self.filter(status__in=OPEN_STATUSES)

    def finished(self) -> SkillRunQuerySet:
        return self.exclude(status__in=OPEN_STATUSES)

    def for_page(self) -> SkillRunQuerySet:
        return self.select_related("capability", "version")


class SkillRun(Entity, Leased):
    """One answer to one request. `inputs` never change once stored; the database refuses it."""

    # Lists are newest first: the indexes of Meta, which end in the id, stand in for Django's own on each of these.
    capability = models.ForeignKey(Capability, on_delete=models.PROTECT, related_name="runs", db_index=False)
    skill = models.ForeignKey(
        Skill, on_delete=models.PROTECT, null=True, blank=True, related_name="runs", db_index=False
    )
    version = models.ForeignKey(
        SkillVersion, on_delete=models.PROTECT, null=True, blank=True, related_name="runs", db_index=False
    )
    path = models.CharField(max_length=12, choices=RunPath.choices)
    state_at_run = models.CharField(max_length=24, choices=State.choices, blank=True, default="")
    status = models.CharField(max_length=20, choices=RunStatus.choices, default=RunStatus.QUEUED)
    outcome = models.CharField(max_length=20, choices=Outcome.choices, blank=True, default="")
    degraded = models.BooleanField(default=False)
    inputs = models.JSONField()
    state = models.JSONField(default=dict, blank=True)
    output = models.JSONField(null=True, blank=True)
    tool_calls = models.JSONField(default=list, blank=True)
    triage = models.JSONField(default=list, blank=True)
    error = models.TextField(blank=True, default="")
    escalation_reason = models.TextField(blank=True, default="")
    cost_usd = models.DecimalField(max_digits=14, decimal_places=6, default=Decimal(0))
    latency_ms = models.PositiveIntegerField(null=True, blank=True)
    fallback_of = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="fallbacks", db_index=False
    )
    shadow_of = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="shadows", db_index=False
    )
    automation_run_id = models.UUIDField(null=True, blank=True)
    reported = models.BooleanField(default=False, help_text="A bot did the work itself and reported it.")
    token = models.ForeignKey(
        "accounts.ApiToken", on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    user_id = models.CharField(
        max_length=200, blank=True, default="", help_text="Whom the bot served, in its own words."
    )
    external_id = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    compare_at = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="When its comparison with the reference is due; a worker that is on it moves this ahead.",
    )

    objects = SkillRunQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            one_of("path", RunPath, name="skillrun_path_known"),
            one_of("status", RunStatus, name="skillrun_status_known"),
            models.CheckConstraint(
                condition=models.Q(outcome="") | models.Q(outcome__in=Outcome.values), name="skillrun_outcome_known"
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=OPEN_STATUSES, finished_at__isnull=True)
                | (~models.Q(status__in=OPEN_STATUSES) & models.Q(finished_at__isnull=False)),
                name="skillrun_finished_says_when",
            ),
            models.CheckConstraint(condition=models.Q(cost_usd__gte=0), name="skillrun_cost_not_negative"),
            models.UniqueConstraint(
                fields=["token", "external_id"],
                condition=models.Q(reported=True) & ~models.Q(external_id=""),
                name="skillrun_reported_once",
            ),
        ]
        indexes = [
            models.Index(fields=["capability", "-id"], name="skillrun_by_capability"),
            models.Index(fields=["skill", "-id"], name="skillrun_by_skill"),
            models.Index(fields=["status", "-id"], name="skillrun_by_status"),
            models.Index(fields=["created_at"], name="skillrun_by_time"),
            models.Index(
                fields=["version", "-id"], name="skillrun_by_version", condition=models.Q(version__isnull=False)
            ),
            models.Index(
                fields=["requested_by", "-id"],
                name="skillrun_by_person",
                condition=models.Q(requested_by__isnull=False),
            ),
            models.Index(
                fields=["fallback_of"], name="skillrun_fallbacks", condition=models.Q(fallback_of__isnull=False)
            ),
            models.Index(fields=["shadow_of"], name="skillrun_shadows", condition=models.Q(shadow_of__isnull=False)),
            models.Index(
                fields=["lease_until"], name="skillrun_open_lease", condition=models.Q(status__in=OPEN_STATUSES)
            ),
            models.Index(
                fields=["compare_at"], name="skillrun_to_compare", condition=models.Q(compare_at__isnull=False)
            ),
            models.Index(
                fields=["version", "-id"],
                name="skillrun_unseen",
                condition=models.Q(version__isnull=False, path="sandbox"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.capability} {str(self.id)[-6:]}"

    @property
    def is_open(self) -> bool:
        return self.status in OPEN_STATUSES

    @property
    def shadow(self) -> bool:
        """Whether it ran unseen, beside the answer that the caller got."""
        return self.path in {RunPath.SHADOW, RunPath.SANDBOX}


class StepStatus(models.TextChoices):
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    DEGRADED = "degraded", "Failed, carried on"
    SKIPPED = "skipped", "Skipped"
    ESCALATED = "escalated", "Escalated"
    TIMED_OUT = "timed_out", "Timed out"
    PERMISSION_BLOCKED = "permission_blocked", "Permission blocked"


class StepResult(Entity):
    """One step of one run, written as the step ends, so that it survives whatever happens next."""

    run = models.ForeignKey(SkillRun, on_delete=models.CASCADE, related_name="steps")
    name = models.CharField(max_length=200)
    index = models.PositiveIntegerField()
    kind = models.CharField(max_length=8)
    status = models.CharField(max_length=20, choices=StepStatus.choices)
    output = models.JSONField(null=True, blank=True)
    error = models.TextField(blank=True, default="")
    input_tokens = models.PositiveIntegerField(default=0)
    output_tokens = models.PositiveIntegerField(default=0)
    cost_usd = models.DecimalField(max_digits=14, decimal_places=6, default=Decimal(0))
    latency_ms = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["run", "index"]
        constraints = [
            one_of("status", StepStatus, name="stepresult_status_known"),
            models.UniqueConstraint(fields=["run", "index"], name="stepresult_index_unique"),
        ]

    def __str__(self) -> str:
        return self.name
