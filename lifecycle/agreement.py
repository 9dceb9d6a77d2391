"""How far a skill agreed with the reference over time: the page's list of comparisons, and the chart above it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from itertools import groupby

from django.db.models import QuerySet

from donna_skills import charts
from lifecycle.configuration import knobs
from lifecycle.decisions.statistics import exact, wilson_interval
from lifecycle.models import Divergence, DivergenceStatus, Skill

_Row = tuple[int, float, datetime]

MOST_DRAWN = 900
"""Newest comparisons that the chart looks at; at the usual window that is thirty points."""
KINDS = (("disagreed", "Disagreed"), ("agreed", "Agreed"), ("abstained", "The judge abstained"))
"""What the list can be narrowed down to."""


def comparisons(skill: Skill, *, kind: str = "") -> QuerySet[Divergence]:
    """Newest first, with the two outputs left for the run's page."""
    found = skill.divergences.select_related("version", "run").defer(
        "output", "reference_output", "run__inputs", "run__state", "run__output", "run__tool_calls", "run__triage"
    )
    threshold = knobs().degradation_agreement_threshold
    if kind == "disagreed":
        return found.judged().filter(agreement__lt=threshold)
    if kind == "agreed":
        return found.judged().filter(agreement__gte=threshold)
    return found.filter(status=DivergenceStatus.ABSTAINED) if kind == "abstained" else found


def chart(skill: Skill) -> charts.Chart | None:
    """Mean agreement of each window of judged comparisons, oldest first, windows never across versions; None without
    any. The interval is Wilson's with the sum of agreements in place of successes, as the graded rule has it. Two
    queries at most."""
    window = knobs().degradation_rolling_window
    newest = skill.divergences.judged().values_list("version__number", "agreement", "at")[:MOST_DRAWN]
    oldest_first: list[_Row] = [(number, agreement or 0.0, at) for number, agreement, at in newest][::-1]
    points = [
        (number, chunk)
        for number, of_version in groupby(oldest_first, key=lambda row: row[0])
        for chunk in _windows(list(of_version), window)
    ]
    if not points:
        return None
    sums = [sum((exact(agreement) for _, agreement, _ in chunk), Fraction(0)) for _, chunk in points]
    sizes = [len(chunk) for _, chunk in points]
    intervals = [wilson_interval(total, n) for total, n in zip(sums, sizes, strict=True)]
    means = [float(total / n) for total, n in zip(sums, sizes, strict=True)]
    return charts.Chart(
        id="agreement",
        title="Agreement with the reference",
        summary=f"Mean agreement of the newest {sizes[-1]} comparisons is {means[-1]:.2f}; the table has all windows.",
        labels=[f"{chunk[-1][2]:%d %b %H:%M}" for _, chunk in points],
        row_heading="Until",
        unit="rate",
        series=[
            charts.Series(
                "Mean agreement",
                means,
                lower=[lower for lower, _ in intervals],
                upper=[upper for _, upper in intervals],
                n=sizes,
            )
        ],
        levels=_baseline(skill),
        marks=_first_of_each_version([number for number, _ in points]),
    )


def _windows(rows: list[_Row], size: int) -> list[list[_Row]]:
    """Whole windows counted back from the newest row, and what is left over at the old end."""
    first = len(rows) % size
    starts = [*([0] if first else []), *range(first, len(rows), size)]
    ends = [*starts[1:], len(rows)]
    return [rows[start:end] for start, end in zip(starts, ends, strict=True)]


def _baseline(skill: Skill) -> list[charts.Level]:
    if skill.baseline_mean is None or skill.baseline_version_id != skill.current_version_id:
        return []
    return [charts.Level(f"Baseline {skill.baseline_mean:.2f} (n {skill.baseline_n})", skill.baseline_mean)]


def _first_of_each_version(numbers: Sequence[int]) -> list[charts.Mark]:
    return [charts.Mark(at, f"v{number}") for at, number in enumerate(numbers) if at == 0 or numbers[at - 1] != number]
