"""The audit log in the admin: to search and to read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from donna_skills.accounts.roles import Permission, may
from donna_skills.adminbase import WindowAdmin
from donna_skills.audit.models import AuditEvent


@admin.register(AuditEvent)
class AuditEventAdmin(WindowAdmin):
    list_display = ("seq", "at", "actor_kind", "actor_label", "action", "subject_type", "subject_id")
    list_filter = ("actor_kind", "subject_type")
    search_fields = ("action", "actor_label", "subject_id")
    search_help_text = "Action, actor or the id of a subject"
    fieldsets = (
        (None, {"fields": ("seq", "at", "action", "subject_type", "subject_id", "data")}),
        ("Who", {"fields": ("actor_kind", "actor_label", "actor_user", "actor_token", "request_id")}),
        ("Chain", {"fields": ("previous_hash", "hash")}),
    )

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request.user, Permission.VIEW_AUDIT)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """A subject's id is text here, so that an id finds all that happened to it."""
        rows, duplicates = super().get_search_results(request, queryset, search_term)
        return rows | queryset.filter(subject_id=search_term.strip().lower()), duplicates
