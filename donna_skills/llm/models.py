"""The money ledger: one row for each attempt at a model, and what each UTC day and month has used of its limit."""

from __future__ import annotations

from decimal import ROUND_UP, Decimal

from django.db import models

from donna_skills.entities import Entity, new_id, one_of
from donna_skills.llm.port import Purpose


class CallStatus(models.TextChoices):
    RESERVED = "reserved", "Under way"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    ABANDONED = "abandoned", "Abandoned"


class PriceSource(models.TextChoices):
    CONFIGURED = "configured", "config/models.yaml"
    CATALOGUE = "catalogue", "genai-prices"
    FREE = "free", "Free of charge"
    UNKNOWN = "unknown", "Unknown: the conservative default"


class ModelCall(Entity):
    """One attempt at a model. Attempts of one call share `call_id`; failed and abandoned ones stay."""

    call_id = models.UUIDField(default=new_id, editable=False)
    attempt = models.PositiveSmallIntegerField(default=1)
    purpose = models.CharField(max_length=16, choices=Purpose.choices)
    task_type = models.CharField(max_length=100)
    alias = models.CharField(max_length=64)
    provider = models.CharField(max_length=32)
    model = models.CharField(max_length=128)
    # The run that asked. No foreign key: the platform knows no app's tables.
    run_id = models.UUIDField(null=True, blank=True)

    prompt_digest = models.CharField(max_length=64, help_text="SHA-256 of system text and prompt.")
    system = models.TextField(blank=True)
    prompt = models.TextField(blank=True)
    output = models.TextField(blank=True)

    input_tokens = models.PositiveIntegerField(default=0)
    output_tokens = models.PositiveIntegerField(default=0)
    estimate_usd = models.DecimalField(max_digits=14, decimal_places=6, default=Decimal(0))
    cost_usd = models.DecimalField(max_digits=14, decimal_places=6, default=Decimal(0))
    price_source = models.CharField(max_length=16, choices=PriceSource.choices)

    status = models.CharField(max_length=16, choices=CallStatus.choices, default=CallStatus.RESERVED)
    error_code = models.CharField(max_length=64, blank=True)
    error = models.TextField(blank=True)
    started_at = models.DateTimeField()
    expires_at = models.DateTimeField(help_text="A reservation still held after this belongs to a dead process.")
    finished_at = models.DateTimeField(null=True, blank=True)
    latency_ms = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        verbose_name = "model call"
        ordering = ["-started_at"]
        indexes = [
            models.Index(fields=["started_at"], name="model_call_started"),
            models.Index(fields=["run_id"], name="model_call_run"),
            models.Index(fields=["purpose", "started_at"], name="model_call_purpose_started"),
            models.Index(fields=["expires_at"], name="model_call_open", condition=models.Q(status=CallStatus.RESERVED)),
        ]
        constraints = [
            models.UniqueConstraint(fields=["call_id", "attempt"], name="model_call_attempt_once"),
            one_of("purpose", Purpose, name="model_call_purpose_known"),
            one_of("status", CallStatus, name="model_call_status_known"),
            one_of("price_source", PriceSource, name="model_call_price_source_known"),
            models.CheckConstraint(
                condition=models.Q(cost_usd__gte=0, estimate_usd__gte=0), name="model_call_money_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_purpose_display()} with {self.model}, attempt {self.attempt}: {self.get_status_display()}"


class BudgetPeriod(Entity):
    """What one UTC day or month has spent and holds reserved. Only `budget` writes it, by conditional updates.

    Whole millionths of a dollar: SQLite keeps decimals as floats, whose sums would drift at the limit.
    """

    key = models.CharField(max_length=16, unique=True, help_text="day:2026-11-21 or month:2026-11")
    spent_micros = models.BigIntegerField(default=0)
    reserved_micros = models.BigIntegerField(default=0)
    limit_micros = models.BigIntegerField(help_text="The limit when it was last asked.")
    # When people were told, which happens once a period. Only `notices` writes these two.
    warned_at = models.DateTimeField(null=True, blank=True)
    paused_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "budget period"
        ordering = ["-key"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(spent_micros__gte=0, reserved_micros__gte=0, limit_micros__gte=0),
                name="budget_period_money_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.key}: {self.spent_usd:.2f} USD spent of {self.limit_usd:.2f}"

    @property
    def spent_usd(self) -> Decimal:
        return from_micros(self.spent_micros)

    @property
    def reserved_usd(self) -> Decimal:
        return from_micros(self.reserved_micros)

    @property
    def limit_usd(self) -> Decimal:
        return from_micros(self.limit_micros)


def to_micros(usd: Decimal) -> int:
    return int((usd * 1_000_000).to_integral_value(rounding=ROUND_UP))


def from_micros(micros: int) -> Decimal:
    return (Decimal(micros) / 1_000_000).quantize(Decimal("0.000001"))
