"""The pages of the audit log."""

from __future__ import annotations

from django.urls import path

from donna_skills.audit import views

urlpatterns = [
    path("audit/", views.audit_log, name="audit_log"),
    path("audit/verify/", views.verify_audit, name="verify_audit"),
]
