"""Where the admin's pages are."""

from __future__ import annotations

from django.db import models
from django.urls import reverse


def listing(model: type[models.Model]) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def change(row: models.Model) -> str:
    return of(row, "change")


def act(row: models.Model, name: str) -> str:
    return of(row, name)


def of(row: models.Model, name: str) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{name}", args=[row.pk])
