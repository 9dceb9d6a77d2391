"""Every address of the application. Apps are named as strings: the platform imports none of them."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import include, path

from donna_skills import shell, views
from donna_skills.api import api

handler400 = "donna_skills.rest.problems.bad_request"

urlpatterns = [
    path("login/", shell.LogIn.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("theme/", shell.set_theme, name="theme"),
    path("admin/login/", shell.admin_log_in),
    path("admin/", admin.site.urls),
    path("api/v1/", api.urls),
    path("", include("donna_skills.accounts.urls")),
    path("", include("donna_skills.audit.urls")),
    path("", include("donna_skills.jobs.urls")),
    path("", include("donna_skills.notifications.urls")),
    path("settings/", views.settings_in_force, name="settings_in_force"),
    path("", include("lifecycle.urls")),
    path("", include("automations.urls")),
]
