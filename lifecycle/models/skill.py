"""A skill, its immutable versions and the record of every move it made."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from donna_skills.accounts.actors import ActorKind
from donna_skills.entities import Entity, one_of
from lifecycle.models.capability import Capability
from lifecycle.states import SERVING, Reason, State


class SkillQuerySet(models.QuerySet["Skill"]):
    def serving(self) -> SkillQuerySet:
        """Skills whose answers reach callers right now."""
        return self.filter(state__in=SERVING, paused=False, current_version__isnull=False)

    def for_page(self) -> SkillQuerySet:
        return self.select_related("capability", "current_version")


class Skill(Entity):
    """How one capability is served. `state` is written by `services/transitions.move` alone."""

    capability = models.OneToOneField(Capability, on_delete=models.PROTECT, related_name="skill")
    state = models.CharField(max_length=24, choices=State.choices, default=State.CLAUDE_NATIVE)
    state_entered_at = models.DateTimeField()
    initial_state = models.CharField(max_length=24, choices=State.choices, default=State.CLAUDE_NATIVE, editable=False)
    current_version = models.ForeignKey(
        "SkillVersion", on_delete=models.PROTECT, null=True, blank=True, related_name="current_of"
    )
    requires_human_gate = models.BooleanField(default=True)
    paused = models.BooleanField(default=False)
    flagged_from = models.CharField(max_length=24, choices=State.choices, blank=True, default="")
    baseline_mean = models.FloatField(null=True, blank=True)
    baseline_success_rate = models.FloatField(null=True, blank=True)
    baseline_lower = models.FloatField(null=True, blank=True)
    baseline_n = models.PositiveIntegerField(null=True, blank=True)
    baseline_version = models.ForeignKey(
        "SkillVersion", on_delete=models.PROTECT, null=True, blank=True, related_name="baseline_of"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SkillQuerySet.as_manager()

    class Meta:
        ordering = ["capability__name"]
        constraints = [
            one_of("state", State, name="skill_state_known"),
            one_of("initial_state", State, name="skill_initial_state_known"),
            models.CheckConstraint(
                condition=models.Q(flagged_from="") | models.Q(flagged_from__in=SERVING),
                name="skill_flagged_from_served",
            ),
            models.CheckConstraint(
                condition=~models.Q(state__in=[State.SANDBOX, State.SHADOW_PRIMARY, State.TRUSTED])
                | models.Q(current_version__isnull=False),
                name="skill_running_has_version",
            ),
        ]
        indexes = [models.Index(fields=["state"], name="skill_by_state")]

    def __str__(self) -> str:
        return self.capability.name

    @property
    def serves(self) -> bool:
        """Whether the skill's own answer goes to callers right now."""
        return self.state in SERVING and not self.paused and self.current_version_id is not None


class AuthorKind(models.TextChoices):
    PERSON = "person", "Person"
    BOT = "bot", "Bot"
    AUTO_DRAFT = "auto_draft", "Drafted from runs"
    EVOLUTION = "evolution", "Evolved"
    SEED = "seed", "Shipped with the application"


class VersionStatus(models.TextChoices):
    DRAFT = "draft", "Draft"
    APPROVED = "approved", "Approved"
    RELEASED = "released", "Released"
    REJECTED = "rejected", "Rejected"
    SUPERSEDED = "superseded", "Superseded"
    REVOKED = "revoked", "Revoked"


class SkillVersion(Entity):
    """A set of files under one digest. Only `status` and `released_at` ever change; the database refuses the rest."""

    skill = models.ForeignKey(Skill, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)
    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="children")
    author_kind = models.CharField(max_length=16, choices=AuthorKind.choices)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Who wrote it, owns the bot that did, or triggered its writing: never its only approver.",
    )
    changelog = models.TextField(blank=True, default="")
    status = models.CharField(max_length=16, choices=VersionStatus.choices, default=VersionStatus.DRAFT)
    created_at = models.DateTimeField(auto_now_add=True)
    released_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["skill", "-number"]
        constraints = [
            one_of("author_kind", AuthorKind, name="skillversion_author_kind_known"),
            one_of("status", VersionStatus, name="skillversion_status_known"),
            models.UniqueConstraint(fields=["skill", "number"], name="skillversion_number_unique"),
            models.UniqueConstraint(fields=["skill", "digest"], name="skillversion_digest_unique"),
        ]

    def __str__(self) -> str:
        return f"v{self.number}"


class SkillFile(Entity):
    """One file of a version."""

    version = models.ForeignKey(SkillVersion, on_delete=models.PROTECT, related_name="files")
    path = models.CharField(max_length=255)
    content = models.BinaryField()
    digest = models.CharField(max_length=64)

    class Meta:
        ordering = ["path"]
        constraints = [models.UniqueConstraint(fields=["version", "path"], name="skillfile_path_unique")]

    def __str__(self) -> str:
        return self.path


class StateTransition(Entity):
    """One move of one skill: never edited, never deleted; replaying a skill's rows rebuilds its state."""

    skill = models.ForeignKey(Skill, on_delete=models.PROTECT, related_name="transitions")
    version = models.ForeignKey(SkillVersion, on_delete=models.PROTECT, null=True, related_name="+")
    from_state = models.CharField(max_length=24, choices=State.choices)
    to_state = models.CharField(max_length=24, choices=State.choices)
    reason = models.CharField(max_length=24, choices=Reason.choices)
    actor_kind = models.CharField(max_length=8, choices=ActorKind.choices)
    actor_label = models.CharField(max_length=200, blank=True, default="")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    note = models.TextField(blank=True, default="")
    evidence = models.JSONField(default=dict)
    at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            one_of("from_state", State, name="statetransition_from_known"),
            one_of("to_state", State, name="statetransition_to_known"),
            one_of("reason", Reason, name="statetransition_reason_known"),
            one_of("actor_kind", ActorKind, name="statetransition_actor_known"),
            models.CheckConstraint(
                condition=models.Q(actor_kind=ActorKind.PERSON, person__isnull=False)
                | models.Q(actor_kind=ActorKind.SYSTEM, person__isnull=True),
                name="statetransition_person_named",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.from_state} → {self.to_state}"
