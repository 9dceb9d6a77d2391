"""Jobs, leases and the scheduler."""

from __future__ import annotations

from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "donna_skills.jobs"
    label = "jobs"
