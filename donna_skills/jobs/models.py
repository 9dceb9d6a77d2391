"""Jobs: work that outlives a request, as rows that a person can look at."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from donna_skills.entities import Entity, one_of
from donna_skills.jobs import leases


class JobStatus(models.TextChoices):
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    INTERRUPTED = "interrupted", "Interrupted"
    CANCELLED = "cancelled", "Cancelled"


OPEN = (JobStatus.QUEUED, JobStatus.RUNNING)


class JobRun(Entity, leases.Leased):
    """One piece of work: asked for by whom, how far it is, how it ended. `jobs.services` is its only writer."""

    kind = models.CharField(max_length=80)
    # At most one open job of a kind has a key; an empty key is no key.
    key = models.CharField(max_length=200, blank=True, default="")
    subject_type = models.CharField(max_length=80, blank=True, default="")
    subject_id = models.CharField(max_length=80, blank=True, default="")
    arguments = models.JSONField(default=dict, blank=True)
    status = models.CharField(max_length=12, choices=JobStatus.choices, default=JobStatus.QUEUED)
    progress_done = models.PositiveIntegerField(default=0)
    progress_total = models.PositiveIntegerField(default=0)
    progress_message = models.CharField(max_length=300, blank=True, default="")
    report = models.JSONField(default=dict, blank=True)
    error = models.TextField(blank=True, default="")
    error_code = models.CharField(max_length=80, blank=True, default="")
    attempts = models.PositiveIntegerField(default=0)
    # When and how often the job was given to the broker, which may lose it; see services.redeliver.
    handed_over_at = models.DateTimeField(null=True, blank=True)
    hand_overs = models.PositiveIntegerField(default=0)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    requested_label = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            one_of("status", JobStatus, name="jobrun_status"),
            models.UniqueConstraint(
                fields=["kind", "key"],
                condition=models.Q(status__in=[status.value for status in OPEN]) & ~models.Q(key=""),
                name="jobrun_one_open_per_key",
            ),
        ]
        indexes = [
            leases.index("jobrun_lease"),
            models.Index(fields=["-created_at", "-id"], name="jobrun_newest"),
            models.Index(fields=["kind", "-created_at"], name="jobrun_kind"),
            models.Index(fields=["subject_type", "subject_id"], name="jobrun_subject"),
            models.Index(fields=["created_at"], condition=models.Q(status="queued"), name="jobrun_queued"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} ({self.get_status_display()})"

    @property
    def is_open(self) -> bool:
        return self.status in OPEN


class Heartbeat(models.Model):
    """When a process of this name was last seen alive."""

    name = models.CharField(max_length=80, primary_key=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} at {self.at:%Y-%m-%d %H:%M:%S}"
