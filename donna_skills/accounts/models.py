"""People, the tokens that they and their bots carry, and the answers remembered for an Idempotency-Key."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone

from donna_skills.accounts.roles import Permission, Role
from donna_skills.entities import Entity, one_of


class User(Entity, AbstractUser):
    """A person. Deactivated, never deleted: decisions name who took them."""

    class Meta(AbstractUser.Meta):
        permissions = tuple(Permission.choices)


class Scope(models.TextChoices):
    """What a token may be used for."""

    RUNS_READ = "runs:read", "Read runs"
    RUNS_WRITE = "runs:write", "Run skills and report runs"
    SKILLS_READ = "skills:read", "Read skills"
    SKILLS_WRITE = "skills:write", "Change skills"
    CANDIDATES_WRITE = "candidates:write", "Dismiss candidates and draft from them"
    AUTOMATIONS_READ = "automations:read", "Read automations"
    AUTOMATIONS_WRITE = "automations:write", "Change and run automations"
    EVENTS_READ = "events:read", "Read the change feed"
    REVIEWS_DECIDE = "reviews:decide", "Decide reviews (people's tokens only)"


# A bot can never hold these: deciding is a person's.
PERSON_ONLY_SCOPES = frozenset({Scope.REVIEWS_DECIDE})


class TokenKind(models.TextChoices):
    PERSON = "person", "Person"
    BOT = "bot", "Bot"


class ApiToken(Entity):
    """A key to the API. The secret is shown once; only its digest is kept. Written by accounts.tokens alone."""

    VIEW_ROLES: ClassVar[tuple[Role, ...]] = (Role.ADMIN,)

    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=10, choices=TokenKind.choices)
    person = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="own_tokens")
    # Who answers for it. Empty only for a token made on the command line before anybody had an account.
    owner = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="owned_tokens")
    prefix = models.CharField(max_length=16, help_text="The readable start of the token, to tell tokens apart.")
    digest = models.CharField(max_length=64, unique=True, editable=False, help_text="SHA-256 of the whole token.")
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    replaced_by = models.OneToOneField("self", null=True, blank=True, on_delete=models.PROTECT, related_name="replaces")
    overlap_until = models.DateTimeField(
        null=True, blank=True, help_text="After a rotation, until when the old token still opens the door."
    )

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["prefix"], name="apitoken_prefix")]
        constraints = [
            one_of("kind", TokenKind, name="apitoken_kind_known"),
            models.CheckConstraint(
                condition=Q(kind=TokenKind.PERSON, person__isnull=False) | Q(kind=TokenKind.BOT, person__isnull=True),
                name="apitoken_person_iff_kind_person",
            ),
            models.CheckConstraint(
                condition=Q(replaced_by__isnull=True, overlap_until__isnull=True)
                | Q(replaced_by__isnull=False, overlap_until__isnull=False),
                name="apitoken_replaced_with_overlap",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} (dsk_{self.prefix})"

    def clean(self) -> None:
        if unknown := [scope for scope in self.scopes if scope not in Scope.values]:
            raise ValidationError({"scopes": f"There is no scope {', '.join(map(str, unknown))}."})
        if self.kind == TokenKind.BOT and PERSON_ONLY_SCOPES.intersection(self.scopes):
            raise ValidationError({"scopes": "A bot can never decide reviews; give the scope to a person's token."})

    def is_live(self, now: datetime) -> bool:
        """Whether it opens the door: not revoked, not expired, not replaced beyond its overlap, its person active."""
        if self.revoked_at is not None or (self.expires_at is not None and self.expires_at <= now):
            return False
        if self.overlap_until is not None and self.overlap_until <= now:
            return False
        return self.person is None or self.person.is_active


class IdempotencyStatus(models.TextChoices):
    RUNNING = "running", "Running"
    DONE = "done", "Done"


class IdempotencyRecord(Entity):
    """What a POST with an Idempotency-Key was answered, kept for a day. Written by rest.idempotency alone."""

    VIEW_ROLES: ClassVar[tuple[Role, ...]] = (Role.ADMIN,)

    token = models.ForeignKey(ApiToken, on_delete=models.CASCADE, related_name="idempotency_records")
    key = models.CharField(max_length=255)
    target = models.CharField(max_length=600, help_text="Method and path of the request.")
    body_digest = models.CharField(max_length=64)
    status = models.CharField(max_length=10, choices=IdempotencyStatus.choices, default=IdempotencyStatus.RUNNING)
    # Whoever holds the claim; a taken-over request must not write its answer over the taker's.
    claim = models.UUIDField()
    created_at = models.DateTimeField(default=timezone.now)
    response_status = models.PositiveSmallIntegerField(null=True, blank=True)
    response_body = models.BinaryField(null=True, blank=True)
    response_headers = models.JSONField(default=dict)

    class Meta:
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["created_at"], name="idempotency_created")]
        constraints = [
            models.UniqueConstraint(fields=["token", "key"], name="idempotency_key_once_per_token"),
            one_of("status", IdempotencyStatus, name="idempotency_status_known"),
            models.CheckConstraint(
                condition=Q(status=IdempotencyStatus.RUNNING) | Q(response_status__isnull=False),
                name="idempotency_done_has_answer",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.key}: {self.target}"
