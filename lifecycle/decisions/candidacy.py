"""Is work that the reference model does again and again worth a skill? Savings, repetitiveness, and the threshold."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from lifecycle.decisions.statistics import Number, as_decimal, count, exact, measured, shown
from lifecycle.decisions.verdict import Reason, Verdict

Shape = tuple[str, ...]


def expected_savings(volume: int, mean_cost: Number, overhead: Number = 0.15) -> Decimal:
    """US dollars that a skill would have saved: volume × (mean cost − expected skill cost), exact.

    `volume` calls at `mean_cost` dollars each by the reference model; `overhead` is what the skill is expected to cost,
    as a share of that: 15 % until it is measured. Negative where the skill would cost more.
    Raises ValueError for a volume that is no count, or a cost or overhead that is no number or negative.
    """
    calls, cost, part = count(volume), exact(mean_cost), exact(overhead)
    if calls is None or cost < 0 or part < 0:
        raise ValueError("The volume is a whole number, and neither costs nor overhead are negative.")
    return as_decimal(calls * cost * (1 - part))


def repetitiveness(outputs: Iterable[object]) -> float:
    """1 − distinct output shapes / outputs, in [0, 1); 0.0 without outputs. See `shape`."""
    shapes = [shape(output) for output in outputs]
    return repetitiveness_of(distinct=len(set(shapes)), total=len(shapes))


def repetitiveness_of(*, distinct: int, total: int) -> float:
    """The same from counts, for those who count in a database."""
    return float(Fraction(total - distinct, total)) if total else 0.0


def shape(output: object) -> Shape:
    """An object's shape is its sorted top-level keys, another value's its JSON type."""
    if isinstance(output, Mapping):
        return ("object", *sorted(map(str, output)))
    if isinstance(output, bool):
        return ("boolean",)
    if output is None:
        return ("null",)
    if isinstance(output, str):
        return ("string",)
    if isinstance(output, int | float | Decimal):
        return ("number",)
    return ("array",)


def pattern_fingerprint(text: str) -> str:
    """32 hex digits: the first half of SHA-256 over the lower-cased text with all white space folded to one blank."""
    folded = " ".join(text.lower().split())
    return hashlib.sha256(folded.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def stratified(outputs: Sequence[object], *, most: int = 5) -> list[int]:
    """Indexes of up to `most` samples that show as many shapes as possible: one of each shape in turn, commonest first.

    Within a shape, and between shapes that are equally common, the earlier comes first.
    """
    by_shape: dict[Shape, list[int]] = defaultdict(list)
    for index, output in enumerate(outputs):
        by_shape[shape(output)].append(index)
    groups = sorted(by_shape.values(), key=lambda group: (-len(group), group[0]))
    rounds = max(map(len, groups), default=0)
    in_turn = [group[turn] for turn in range(rounds) for group in groups if turn < len(group)]
    return in_turn[:most]


def candidate_verdict(
    volume: int,
    mean_cost: Number,
    outputs: Sequence[object] = (),
    *,
    min_savings: Number = 5.0,
    overhead: Number = 0.15,
    repetitive: float | None = None,
) -> Verdict:
    """Whether a pattern becomes a candidate: its expected savings reach `min_savings` dollars, inclusive.

    Repetitiveness is evidence and no condition: from `outputs`, or `repetitive` where it was counted elsewhere. A cost
    or volume that is not known never passes. Evidence: `expected_savings_usd` (Decimal or None), `volume`,
    `mean_cost_usd`, `repetitiveness`. Raises ValueError for limits that are no numbers.
    """
    calls, cost, least = count(volume), measured(mean_cost), exact(min_savings)
    evidence: dict[str, Any] = {
        "volume": calls,
        "mean_cost_usd": None if cost is None else as_decimal(cost),
        "expected_savings_usd": None,
        "repetitiveness": repetitiveness(outputs) if repetitive is None else repetitive,
    }
    if calls is None or cost is None or cost < 0:
        return Verdict(False, (Reason("cost_unknown", "What these calls cost is not known."),), evidence)
    savings = expected_savings(calls, cost, overhead)
    evidence["expected_savings_usd"] = savings
    if not calls:
        return Verdict(False, (Reason("no_calls", "There were no calls."),), evidence)
    if exact(savings) < least:
        message = f"{shown(exact(savings))} USD would be saved; {shown(least)} USD are worth a skill."
        return Verdict(False, (Reason("savings_too_low", message),), evidence)
    return Verdict(True, (), evidence)
