"""Recurring work: what is to be done when, who may see it, each run of it, and how far the feed of events was read."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone as clock

from donna_skills.entities import Entity, one_of
from donna_skills.jobs.leases import Leased
from lifecycle.models import Capability
from lifecycle.states import State


class Trigger(models.TextChoices):
    ON_SCHEDULE = "on_schedule", "On a schedule"
    ON_MANUAL = "on_manual", "By hand"
    ON_EVENT = "on_event", "On an event"


class Status(models.TextChoices):
    ACTIVE = "active", "Active"
    PAUSED = "paused", "Paused"
    ERROR = "error", "Error"
    DELETED = "deleted", "Deleted"


class PauseReason(models.TextChoices):
    PERSON = "person", "By a person"
    FAILURES = "failures", "After failures"
    POLICY = "policy", "By policy"


class Overlap(models.TextChoices):
    SKIP = "skip", "Skip the new one"
    BUFFER_ONE = "buffer_one", "Let one wait"
    ALLOW = "allow", "Let them run side by side"


class CatchUp(models.TextChoices):
    LATEST_ONCE = "latest_once", "The latest, once"
    SKIP = "skip", "None"
    ALL = "all", "All within a window"


class CreatedVia(models.TextChoices):
    PAGE = "page", "Page"
    API = "api", "API"
    TEXT = "text", "From words"
    ADMIN = "admin", "Admin"
    SEED = "seed", "Seed"


class AutomationQuerySet(models.QuerySet["Automation"]):
    def kept(self) -> AutomationQuerySet:
        """All but the deleted ones."""
        return self.exclude(status=Status.DELETED)

    def due(self, now: object) -> AutomationQuerySet:
        """Only active ones on a schedule have a next run: the table's constraint says so, and the index is enough."""
        return self.filter(next_run_at__lte=now)

    def for_page(self) -> AutomationQuerySet:
        return self.select_related("capability__skill", "owner")


class Automation(Entity):
    """One piece of recurring work. `services/` are the only writers."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="automations")
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True, default="")
    capability = models.ForeignKey(Capability, on_delete=models.PROTECT, related_name="automations")
    inputs = models.JSONField(default=dict)

    trigger = models.CharField(max_length=12, choices=Trigger.choices, default=Trigger.ON_SCHEDULE)
    schedule = models.CharField(max_length=500, blank=True, default="")
    timezone = models.CharField(max_length=100, default="UTC")
    spaced = models.BooleanField(
        default=False, help_text="The schedule may be denser than the floor; what is too close is passed over."
    )
    min_interval_seconds = models.PositiveIntegerField(default=300)
    preferred_from = models.TimeField(null=True, blank=True, help_text="Times of day outside of this are passed over.")
    preferred_until = models.TimeField(null=True, blank=True)
    jitter_seconds = models.PositiveIntegerField(
        default=0, help_text="Starts this much later at most, by a shift of its own that never changes."
    )
    overlap_policy = models.CharField(max_length=12, choices=Overlap.choices, default=Overlap.SKIP)
    catch_up_policy = models.CharField(max_length=12, choices=CatchUp.choices, default=CatchUp.LATEST_ONCE)
    catch_up_window_seconds = models.PositiveIntegerField(default=86_400)
    retry_interrupted = models.BooleanField(default=False)
    event_name = models.CharField(max_length=80, blank=True, default="")
    event_filter = models.JSONField(default=dict, blank=True)

    alert_conditions = models.JSONField(default=dict, blank=True)
    alert_channels = models.JSONField(default=list, blank=True, help_text="Ids of the owner's channels; none: all.")
    repeat_every_seconds = models.PositiveIntegerField(null=True, blank=True)
    cool_down_seconds = models.PositiveIntegerField(default=0)
    max_cost_per_run_usd = models.DecimalField(max_digits=10, decimal_places=4, default=Decimal("2"))

    status = models.CharField(max_length=8, choices=Status.choices, default=Status.ACTIVE)
    pause_reason = models.CharField(max_length=8, choices=PauseReason.choices, blank=True, default="")
    pause_note = models.TextField(blank=True, default="")
    created_via = models.CharField(max_length=5, choices=CreatedVia.choices, default=CreatedVia.API)
    revision = models.PositiveIntegerField(default=1, help_text="Grows with each change that somebody makes.")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(default=clock.now, editable=False)

    # When next: `next_occurrence` is the time of the schedule, `next_run_at` that plus its own shift.
    next_occurrence = models.DateTimeField(null=True, blank=True)
    next_run_at = models.DateTimeField(null=True, blank=True)
    last_start = models.DateTimeField(null=True, blank=True, help_text="The last scheduled start: the floor's anchor.")
    floor_seconds = models.PositiveIntegerField(default=0, help_text="The smallest gap of two scheduled starts, now.")
    floor_state = models.CharField(max_length=24, choices=State.choices, blank=True, default="")

    last_run_at = models.DateTimeField(null=True, blank=True)
    run_count = models.PositiveIntegerField(default=0)
    failure_count = models.PositiveIntegerField(default=0, help_text="In a row; a success or a resume starts anew.")
    kept_state = models.JSONField(default=dict, blank=True)
    alert_open = models.BooleanField(default=False)
    alert_content = models.TextField(blank=True, default="")
    alert_told_at = models.DateTimeField(null=True, blank=True)

    objects = AutomationQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            one_of("trigger", Trigger, name="automation_trigger_known"),
            one_of("status", Status, name="automation_status_known"),
            one_of("overlap_policy", Overlap, name="automation_overlap_known"),
            one_of("catch_up_policy", CatchUp, name="automation_catch_up_known"),
            one_of("created_via", CreatedVia, name="automation_created_via_known"),
            models.CheckConstraint(
                condition=Q(status="paused", pause_reason__in=PauseReason.values)
                | (~Q(status="paused") & Q(pause_reason="")),
                name="automation_pause_says_why",
            ),
            models.UniqueConstraint(
                "owner", Lower("name"), condition=~Q(status="deleted"), name="automation_name_once_per_owner"
            ),
            models.CheckConstraint(
                condition=Q(status="active", trigger="on_schedule", next_run_at__isnull=False)
                | (Q(next_run_at__isnull=True) & ~Q(status="active", trigger="on_schedule")),
                name="automation_next_run_iff_scheduled",
            ),
            models.CheckConstraint(
                condition=Q(next_run_at__isnull=True, next_occurrence__isnull=True)
                | Q(next_run_at__isnull=False, next_occurrence__isnull=False),
                name="automation_next_run_has_occurrence",
            ),
            models.CheckConstraint(
                condition=~Q(trigger="on_schedule") | ~Q(schedule=""), name="automation_scheduled_has_schedule"
            ),
            models.CheckConstraint(
                condition=~Q(trigger="on_event") | ~Q(event_name=""), name="automation_on_event_has_event"
            ),
            models.CheckConstraint(
                condition=Q(preferred_from__isnull=True, preferred_until__isnull=True)
                | Q(preferred_from__isnull=False, preferred_until__isnull=False),
                name="automation_window_both_or_none",
            ),
            models.CheckConstraint(condition=Q(max_cost_per_run_usd__gte=0), name="automation_cost_not_negative"),
        ]
        indexes = [
            models.Index(fields=["next_run_at", "id"], condition=Q(next_run_at__isnull=False), name="automation_due"),
            models.Index(fields=["event_name"], condition=Q(trigger="on_event"), name="automation_by_event"),
            models.Index(fields=["status", "-id"], name="automation_by_status"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_scheduled(self) -> bool:
        return self.trigger == Trigger.ON_SCHEDULE


class ShareLevel(models.TextChoices):
    VIEW = "view", "May look"
    RUN = "run", "May look and run"


class AutomationShare(Entity):
    """One person or group that an owner lets in."""

    automation = models.ForeignKey(Automation, on_delete=models.CASCADE, related_name="shares")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    group = models.ForeignKey(Group, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    level = models.CharField(max_length=4, choices=ShareLevel.choices)

    class Meta:
        ordering = ["id"]
        constraints = [
            one_of("level", ShareLevel, name="share_level_known"),
            models.CheckConstraint(
                condition=Q(person__isnull=False, group__isnull=True) | Q(person__isnull=True, group__isnull=False),
                name="share_person_or_group",
            ),
            models.UniqueConstraint(fields=["automation", "person"], name="share_once_per_person"),
            models.UniqueConstraint(fields=["automation", "group"], name="share_once_per_group"),
        ]

    def __str__(self) -> str:
        return f"{self.person or self.group}: {self.get_level_display()}"


class FollowUp(Entity):
    """`then` is run each time that `automation` succeeds. Chains end: services/followups.py sees to it."""

    automation = models.ForeignKey(Automation, on_delete=models.CASCADE, related_name="follow_ups")
    then = models.ForeignKey(Automation, on_delete=models.CASCADE, related_name="follows")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["automation", "then"], name="followup_once"),
            models.CheckConstraint(condition=~Q(automation=models.F("then")), name="followup_not_itself"),
        ]

    def __str__(self) -> str:
        return f"{self.automation} then {self.then}"


class RunTrigger(models.TextChoices):
    SCHEDULE = "schedule", "Schedule"
    MANUAL = "manual", "By hand"
    RETRY = "retry", "Retry"
    EVENT = "event", "Event"
    FOLLOW_UP = "follow_up", "Follow-up"


class RunStatus(models.TextChoices):
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    ESCALATED = "escalated", "Escalated"
    SKIPPED_BUDGET = "skipped_budget", "Skipped: budget"
    SKIPPED_OVERLAP = "skipped_overlap", "Skipped: still running"
    SKIPPED_MISSED = "skipped_missed", "Skipped: missed"
    BLOCKED_MISSING_TOOL = "blocked_missing_tool", "Blocked: missing tool"
    COST_EXCEEDED = "cost_exceeded", "Cost exceeded"
    INTERRUPTED = "interrupted", "Interrupted"
    CANCELLED = "cancelled", "Cancelled"


OPEN = (RunStatus.QUEUED, RunStatus.RUNNING)
FAILURES = (
    RunStatus.FAILED,
    RunStatus.ESCALATED,
    RunStatus.BLOCKED_MISSING_TOOL,
    RunStatus.COST_EXCEEDED,
    RunStatus.INTERRUPTED,
)
"""What counts towards the pause after failures in a row."""


class AlertDecision(models.TextChoices):
    """What was told after a run. Empty while nothing was asked."""

    NONE = "none", "Nothing told"
    OPENED = "opened", "Alerted"
    CHANGED = "changed", "Alerted: changed"
    REPEATED = "repeated", "Alerted again"
    RESOLVED = "resolved", "Resolved"
    ERROR = "error", "Could not be judged"


class ExecutionPath(models.TextChoices):
    SKILL = "skill", "Skill"
    NATIVE = "native", "Reference model"


class AutomationRunQuerySet(models.QuerySet["AutomationRun"]):
    def open(self) -> AutomationRunQuerySet:
        return self.filter(status__in=OPEN)

    def for_page(self) -> AutomationRunQuerySet:
        return self.select_related("automation__capability", "requested_by")


class AutomationRun(Entity, Leased):
    """One occurrence, or one asking. Every skip is a row too, with its reason."""

    automation = models.ForeignKey(Automation, on_delete=models.PROTECT, related_name="runs", db_index=False)
    scheduled_for = models.DateTimeField()
    trigger = models.CharField(max_length=9, choices=RunTrigger.choices)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    requested_label = models.CharField(max_length=200, blank=True, default="")
    cause = models.CharField(max_length=80, blank=True, default="", help_text="The event or run that it comes from.")
    depth = models.PositiveSmallIntegerField(default=0)
    payload = models.JSONField(null=True, blank=True)
    status = models.CharField(max_length=20, choices=RunStatus.choices, default=RunStatus.QUEUED)
    reason = models.TextField(blank=True, default="")
    missed = models.PositiveIntegerField(default=0, help_text="How many occurrences this row stands for, when missed.")
    alone = models.BooleanField(default=True, help_text="Waits until no other run of the automation is on.")
    attempt = models.PositiveSmallIntegerField(default=1)
    not_before = models.DateTimeField(default=clock.now)
    deadline_at = models.DateTimeField(null=True, blank=True)
    reserved_usd = models.DecimalField(max_digits=10, decimal_places=4, default=Decimal(0))

    execution_path = models.CharField(max_length=6, choices=ExecutionPath.choices, blank=True, default="")
    lifecycle_run_id = models.UUIDField(null=True, blank=True, help_text="The run whose answer this is.")
    attempts = models.JSONField(default=list, blank=True, help_text="The lifecycle's runs, a retry each, in order.")
    inputs = models.JSONField(null=True, blank=True)
    output = models.JSONField(null=True, blank=True)
    error = models.TextField(blank=True, default="")
    cost_usd = models.DecimalField(max_digits=14, decimal_places=6, default=Decimal(0))
    created_at = models.DateTimeField(default=clock.now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    trace = models.JSONField(default=list, blank=True)
    alert = models.CharField(max_length=8, choices=AlertDecision.choices, blank=True, default="")
    alert_reason = models.TextField(blank=True, default="")
    alert_title = models.CharField(max_length=200, blank=True, default="")
    alert_body = models.TextField(blank=True, default="")

    objects = AutomationRunQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            one_of("trigger", RunTrigger, name="autorun_trigger_known"),
            one_of("status", RunStatus, name="autorun_status_known"),
            models.UniqueConstraint(fields=["automation", "scheduled_for"], name="autorun_once_per_occurrence"),
            models.UniqueConstraint(
                fields=["automation", "cause"], condition=~Q(cause=""), name="autorun_once_a_cause"
            ),
            models.UniqueConstraint(
                fields=["automation"], condition=Q(status="running", alone=True), name="autorun_one_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(status__in=OPEN, finished_at__isnull=True)
                | (~Q(status__in=OPEN) & Q(finished_at__isnull=False)),
                name="autorun_finished_says_when",
            ),
            models.CheckConstraint(condition=Q(cost_usd__gte=0), name="autorun_cost_not_negative"),
        ]
        indexes = [
            models.Index(fields=["automation", "-id"], name="autorun_by_automation"),
            models.Index(fields=["not_before", "id"], condition=Q(status="queued"), name="autorun_queue"),
            models.Index(fields=["automation"], condition=Q(status__in=OPEN), name="autorun_open"),
            models.Index(fields=["lease_until"], condition=Q(status="running"), name="autorun_lease"),
        ]

    def __str__(self) -> str:
        return f"{self.automation} {self.scheduled_for:%Y-%m-%d %H:%M}"

    @property
    def is_open(self) -> bool:
        return self.status in OPEN


class DrainSlot(Leased):
    """One worker's turn at the queue. There are as many as workers, so that no bell rings twice for the same one."""

    number = models.PositiveSmallIntegerField(primary_key=True)

    def __str__(self) -> str:
        return f"slot {self.number}"


class FeedCursor(models.Model):
    """How far the platform's feed of events has been read here."""

    name = models.CharField(max_length=40, primary_key=True)
    seq = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.name}: {self.seq}"
