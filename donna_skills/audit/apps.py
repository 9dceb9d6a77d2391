"""The audit log, and the triggers of every table that is only ever appended to."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AuditConfig(AppConfig):
    name = "donna_skills.audit"
    label = "audit"

    def ready(self) -> None:
        from donna_skills.audit import append_only

        append_only.protect("audit.AuditEvent")
        post_migrate.connect(append_only.ensure_triggers, dispatch_uid="append_only_triggers")
