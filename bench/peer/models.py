"""The one table: what a report of a run holds, with no index but the key."""

from __future__ import annotations

from django.db import models


class Row(models.Model):
    capability = models.CharField(max_length=64)
    status = models.CharField(max_length=20)
    inputs = models.JSONField()
    output = models.JSONField(null=True)
    cost_usd = models.DecimalField(max_digits=14, decimal_places=6)
    latency_ms = models.PositiveIntegerField(null=True)
    external_id = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.external_id
