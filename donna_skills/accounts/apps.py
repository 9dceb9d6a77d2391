"""People, roles and tokens."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    name = "donna_skills.accounts"
    label = "accounts"

    def ready(self) -> None:
        from donna_skills.accounts import groups

        post_migrate.connect(groups.sync, dispatch_uid="accounts_groups")
