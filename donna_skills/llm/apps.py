"""The Django app of model calls: its checks run before anything else does."""

from __future__ import annotations

from django.apps import AppConfig
from django.core import checks


class LlmConfig(AppConfig):
    name = "donna_skills.llm"
    label = "llm"
    verbose_name = "Model calls"

    def ready(self) -> None:
        from donna_skills.llm.checks import check_budget, check_models

        checks.register(check_models)
        checks.register(check_budget)
