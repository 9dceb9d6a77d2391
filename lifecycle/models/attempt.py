"""Attempts to write a version by model: a first draft from a candidate, a better version of a degraded skill.

A row is claimed before any money is spent, and keeps the model's reply as soon as it is there: a worker that dies loses
its lease, and whoever goes on starts from the reply instead of paying for it again.
"""

from __future__ import annotations

from decimal import Decimal

from django.db import models

from donna_skills.entities import Entity, one_of
from donna_skills.jobs import leases
from donna_skills.jobs.leases import Leased
from lifecycle.models.candidate import Candidate
from lifecycle.models.decision import GateDecision
from lifecycle.models.review import Review
from lifecycle.models.skill import Skill, SkillVersion, StateTransition


class AttemptStatus(models.TextChoices):
    """`refused` is the word of the gates or of validation and counts; the two after it do not."""

    RUNNING = "running", "Running"
    ACCEPTED = "accepted", "Accepted"
    REFUSED = "refused", "Refused"
    BUDGET_STOPPED = "budget_stopped", "Stopped by the budget"
    MODEL_ERROR = "model_error", "The model gave no answer"


class Attempt(Entity, Leased):
    """What drafts and evolutions have in common."""

    status = models.CharField(max_length=16, choices=AttemptStatus.choices, default=AttemptStatus.RUNNING)
    samples = models.JSONField(default=list, blank=True, help_text="What the prompt was given to learn from.")
    reply = models.TextField(null=True, blank=True, help_text="What the model wrote, kept as soon as it is there.")
    files = models.JSONField(default=dict, blank=True, help_text="The package in the reply: path to text.")
    reasons = models.JSONField(default=list, blank=True, help_text="Why it was refused or stopped: code and message.")
    cost_usd = models.DecimalField(max_digits=14, decimal_places=6, default=Decimal(0))
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True


class DraftAttempt(Attempt):
    """One attempt to draft a skill for one candidate. A refused one is kept and fed to the next."""

    candidate = models.ForeignKey(Candidate, on_delete=models.PROTECT, related_name="attempts")
    skill = models.ForeignKey(Skill, on_delete=models.PROTECT, related_name="draft_attempts")
    decision = models.ForeignKey(GateDecision, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    version = models.ForeignKey(
        SkillVersion, on_delete=models.PROTECT, null=True, blank=True, related_name="drafted_in"
    )

    class Meta:
        ordering = ["-id"]
        constraints = [
            one_of("status", AttemptStatus, name="draftattempt_status_known"),
            models.UniqueConstraint(
                fields=["skill"], condition=models.Q(status="running"), name="draftattempt_one_running_per_skill"
            ),
            models.CheckConstraint(
                condition=models.Q(status="running", finished_at__isnull=True)
                | (~models.Q(status="running") & models.Q(finished_at__isnull=False)),
                name="draftattempt_finished_says_when",
            ),
            models.CheckConstraint(
                condition=~models.Q(status="accepted") | models.Q(version__isnull=False),
                name="draftattempt_accepted_has_version",
            ),
        ]
        indexes = [leases.index("draftattempt_lease")]

    def __str__(self) -> str:
        return f"Draft of {self.skill}: {self.get_status_display().lower()}"


class Evolution(Attempt):
    """One attempt to write a better version of a skill: what it saw, what it said, and what the gates said to it."""

    skill = models.ForeignKey(Skill, on_delete=models.PROTECT, related_name="evolutions")
    from_version = models.ForeignKey(SkillVersion, on_delete=models.PROTECT, related_name="+")
    to_version = models.ForeignKey(
        SkillVersion, on_delete=models.PROTECT, null=True, blank=True, related_name="evolved_in"
    )
    degraded_by = models.ForeignKey(
        StateTransition,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="The move that degraded the skill; attempts in a row are counted since it. Empty: asked for by hand.",
    )
    diagnosis = models.TextField(blank=True, default="")
    changelog = models.TextField(blank=True, default="")
    targeted = models.JSONField(default=list, blank=True, help_text="The cases that the reply says it mends, by id.")
    holdout = models.JSONField(default=list, blank=True, help_text="The cases that the prompt never saw, by id.")
    statistics = models.JSONField(default=dict, blank=True)
    decision = models.ForeignKey(GateDecision, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    review = models.ForeignKey(Review, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["-id"]
        constraints = [
            one_of("status", AttemptStatus, name="evolution_status_known"),
            models.UniqueConstraint(
                fields=["skill"], condition=models.Q(status="running"), name="evolution_one_running_per_skill"
            ),
            models.CheckConstraint(
                condition=models.Q(status="running", finished_at__isnull=True)
                | (~models.Q(status="running") & models.Q(finished_at__isnull=False)),
                name="evolution_finished_says_when",
            ),
            models.CheckConstraint(
                condition=~models.Q(status="accepted") | models.Q(to_version__isnull=False),
                name="evolution_accepted_has_version",
            ),
        ]
        indexes = [leases.index("evolution_lease")]

    def __str__(self) -> str:
        return f"Evolution of {self.skill}: {self.get_status_display().lower()}"
