"""What people and recorded runs say about a skill: corrections and fixtures."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from donna_skills.entities import Entity, one_of
from lifecycle.models.run import SkillRun
from lifecycle.models.skill import Skill


class CorrectionSource(models.TextChoices):
    API = "api", "Reported by a bot"
    PAGE = "page", "Made by a person"


class Correction(Entity):
    """Somebody says that one field of a run's output should have been something else."""

    run = models.ForeignKey(SkillRun, on_delete=models.PROTECT, related_name="corrections")
    field = models.CharField(max_length=200)
    original = models.JSONField(null=True)
    corrected = models.JSONField(null=True)
    note = models.TextField(blank=True, default="")
    source = models.CharField(max_length=8, choices=CorrectionSource.choices)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    token = models.ForeignKey("accounts.ApiToken", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [one_of("source", CorrectionSource, name="correction_source_known")]

    def __str__(self) -> str:
        return f"{self.field} of {self.run}"


class FixtureSplit(models.TextChoices):
    TRAIN = "train", "Train"
    VALIDATION = "validation", "Validation"
    HOLDOUT = "holdout", "Holdout"


class FixtureSource(models.TextChoices):
    PACKAGE = "package", "Shipped with a version"
    CAPTURED = "captured", "Captured from a run"
    PERSON = "person", "Written by a person"


class Fixture(Entity):
    """A worked example that every version of a skill is held against."""

    skill = models.ForeignKey(Skill, on_delete=models.PROTECT, related_name="fixtures")
    name = models.CharField(max_length=200)
    input = models.JSONField()
    expected_output = models.JSONField(null=True, blank=True, help_text="A JSON Schema that the output must match.")
    assertions = models.JSONField(default=list, blank=True)
    tool_mocks = models.JSONField(default=list, blank=True)
    split = models.CharField(max_length=12, choices=FixtureSplit.choices)
    source = models.CharField(max_length=12, choices=FixtureSource.choices)
    captured_from = models.ForeignKey(SkillRun, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["skill", "name"]
        constraints = [
            one_of("split", FixtureSplit, name="fixture_split_known"),
            one_of("source", FixtureSource, name="fixture_source_known"),
            models.UniqueConstraint(fields=["skill", "name"], name="fixture_name_unique"),
        ]

    def __str__(self) -> str:
        return self.name
