"""Events, the inbox and what is sent out."""

from __future__ import annotations

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "donna_skills.notifications"
    label = "notifications"

    def ready(self) -> None:
        from donna_skills.audit import append_only

        append_only.protect("notifications.Event")
