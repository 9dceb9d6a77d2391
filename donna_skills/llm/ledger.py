"""What the ledger says about one run."""

from __future__ import annotations

import uuid
from decimal import Decimal

from django.db.models import QuerySet, Sum

from donna_skills.llm.models import ModelCall

_PLACES = Decimal("0.000001")


def cost_of(run_id: uuid.UUID) -> Decimal:
    """What all attempts made for a run have cost, failed ones included, in USD to the column's six places."""
    total = ModelCall.objects.filter(run_id=run_id).aggregate(total=Sum("cost_usd"))["total"]
    return Decimal(str(total or 0)).quantize(_PLACES)  # SQLite sums decimals as floats


def calls_of(run_id: uuid.UUID) -> QuerySet[ModelCall]:
    """The attempts made for a run, in the order in which they were made."""
    return ModelCall.objects.filter(run_id=run_id).order_by("started_at", "attempt")
