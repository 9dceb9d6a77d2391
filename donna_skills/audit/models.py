"""The record of every decision: append-only, and each event carries the hash of the one before."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from donna_skills.accounts.actors import ActorKind
from donna_skills.accounts.roles import Role
from donna_skills.entities import Entity, one_of


class AuditEvent(Entity):
    """Who did what to what, and when. Written by audit.services.record alone; the database refuses any change."""

    VIEW_ROLES: ClassVar[tuple[Role, ...]] = (Role.REVIEWER, Role.ADMIN)

    seq = models.BigIntegerField(unique=True, editable=False)
    at = models.DateTimeField(editable=False)
    actor_kind = models.CharField(max_length=10, choices=ActorKind.choices, editable=False)
    actor_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+", editable=False
    )
    actor_token = models.ForeignKey(
        "accounts.ApiToken", null=True, on_delete=models.PROTECT, related_name="+", editable=False
    )
    actor_label = models.CharField(max_length=200, editable=False)
    action = models.CharField(max_length=100, editable=False)
    subject_type = models.CharField(max_length=100, editable=False)
    subject_id = models.CharField(max_length=200, editable=False)
    data = models.JSONField(default=dict, editable=False)
    request_id = models.CharField(max_length=64, blank=True, editable=False)
    previous_hash = models.CharField(max_length=64, blank=True, editable=False)
    hash = models.CharField(max_length=64, editable=False)

    class Meta:
        ordering = ["-seq"]
        indexes = [
            models.Index(fields=["subject_type", "subject_id", "-seq"], name="audit_by_subject"),
            models.Index(fields=["action", "-seq"], name="audit_by_action"),
            models.Index(fields=["actor_user", "-seq"], name="audit_by_person"),
        ]
        constraints = [one_of("actor_kind", ActorKind, name="audit_actor_kind_known")]

    def __str__(self) -> str:
        return f"{self.seq}: {self.actor_label} {self.action} {self.subject_type} {self.subject_id}"
