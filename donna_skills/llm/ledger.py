"""What the ledger says about one run."""

from __future__ import annotations

import uuid
from decimal import Decimal

from django.db.models import QuerySet, Sum

from donna_skills.llm.models import CallStatus, ModelCall
from donna_skills.lookups import ANY_ID, PreparedRow

_PLACES = Decimal("0.000001")
_TOTAL = PreparedRow(
    lambda run_id: (
        ModelCall.objects.filter(run_id=run_id)
        .order_by()
        .values("run_id")
        .annotate(total=Sum("cost_usd"))
        .values_list("total")
    ),
    mark=ANY_ID,
)


def cost_of(run_id: uuid.UUID) -> Decimal:
    """What all attempts made for a run have cost, failed ones included, in USD to the column's six places."""
    found = _TOTAL.get(run_id)
    return Decimal(str(found[0] if found else 0)).quantize(_PLACES)  # SQLite sums decimals as floats


def answer_of(run_id: uuid.UUID, *, purpose: str) -> str | None:
    """What a model answered for a run; what was paid for need not be asked again by whoever goes on with the work."""
    answered = calls_of(run_id).filter(status=CallStatus.SUCCEEDED, purpose=purpose).exclude(output="")
    return answered.values_list("output", flat=True).last()


def calls_of(run_id: uuid.UUID) -> QuerySet[ModelCall]:
    """The attempts made for a run, in the order in which they were made."""
    return ModelCall.objects.filter(run_id=run_id).order_by("started_at", "attempt")
