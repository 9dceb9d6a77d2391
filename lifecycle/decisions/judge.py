"""What the judge's reply counts as: an agreement, or an abstention that no statistic may see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal


def parse_agreement(reply: object) -> float | None:
    """The agreement in [0, 1] of a judge's reply, or None for an abstention.

    `reply` is the decoded JSON object, `{"agreement": number, "rationale": text}`. Whatever else it is, and an
    agreement that is missing, a boolean, a text, NaN or out of range, is an abstention; a missing rationale is not.
    Never raises.
    """
    if not isinstance(reply, Mapping):
        return None
    agreement = reply.get("agreement")
    if isinstance(agreement, bool) or not isinstance(agreement, int | float | Decimal):
        return None
    if isinstance(agreement, Decimal) and not agreement.is_finite():
        return None
    # NaN is in no order with 0 or 1. Adding 0.0 turns a negative zero into zero.
    return float(agreement) + 0.0 if 0 <= agreement <= 1 else None


def too_many_abstentions(abstained_newest_first: Sequence[bool], *, in_a_row: int = 5) -> bool:
    """Whether the newest `in_a_row` judgements all abstained, which somebody has to be told."""
    newest = abstained_newest_first[:in_a_row]
    return len(newest) == in_a_row and all(newest)
