"""A chart as data: what static/js/charts.js draws, and the same numbers as a table for those who read.

Pure. The page shows both with templates/components/_chart.html.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from donna_skills.templatetags import ui

Number = Decimal | float | int | None
Unit = Literal["usd", "rate", "count"]


@dataclass(frozen=True)
class Series:
    """One line or one part of the bars. `tone` is a meaning of tokens.css, or `accent`; a missing value is None.

    `lower` and `upper` draw a band around a line: the interval of each value. `n` is what each value was counted from.
    """

    label: str
    values: Sequence[Number]
    tone: str = "accent"
    lower: Sequence[Number] = ()
    upper: Sequence[Number] = ()
    n: Sequence[int] = ()


@dataclass(frozen=True)
class Level:
    """A flat line across the chart: a limit, a baseline, an alert."""

    label: str
    value: Number
    tone: str = "amber"


@dataclass(frozen=True)
class Mark:
    """A vertical line at one of the labels: a new version."""

    at: int
    label: str


@dataclass(frozen=True)
class Chart:
    """`id` is the element's; `title` and `summary` are what a reader without the picture gets, with the table."""

    id: str
    title: str
    summary: str
    labels: Sequence[str]
    series: Sequence[Series]
    kind: Literal["bar", "line"] = "line"
    unit: Unit = "count"
    levels: Sequence[Level] = ()
    marks: Sequence[Mark] = ()
    stacked: bool = False
    row_heading: str = "Day"

    @property
    def data_id(self) -> str:
        return f"{self.id}-data"

    @property
    def spec(self) -> dict[str, Any]:
        """For the page's JSON script block."""
        return {
            "kind": self.kind,
            "unit": self.unit,
            "stacked": self.stacked,
            "labels": list(self.labels),
            "series": [
                {
                    "label": one.label,
                    "tone": one.tone,
                    "values": _plain(one.values),
                    "lower": _plain(one.lower),
                    "upper": _plain(one.upper),
                }
                for one in self.series
            ],
            "levels": [{"label": one.label, "value": _number(one.value), "tone": one.tone} for one in self.levels],
            "marks": [{"at": one.at, "label": one.label} for one in self.marks],
        }

    @property
    def columns(self) -> list[str]:
        total = ["Total"] if self._has_total else []
        return [*(one.label for one in self.series), *(one.label for one in self.levels), *total]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The table, the newest (last) label first."""
        found = [{"label": label, "cells": self._cells(at)} for at, label in enumerate(self.labels)]
        return found[::-1]

    @property
    def _has_total(self) -> bool:
        return self.stacked and len(self.series) > 1

    def _cells(self, at: int) -> list[Any]:
        cells = [_cell(one, at, unit=self.unit) for one in self.series]
        cells += [_words(one.value, unit=self.unit) for one in self.levels]
        if self._has_total:
            known = [Decimal(str(one.values[at])) for one in self.series if one.values[at] is not None]
            cells.append(_words(sum(known, Decimal(0)), unit=self.unit))
        return cells


def _cell(one: Series, at: int, *, unit: Unit) -> Any:
    """A rate in the form that every rate has, other numbers as they are read."""
    value = one.values[at]
    if unit == "rate" and one.n:
        lower, upper = (bound[at] if bound else None for bound in (one.lower, one.upper))
        return ui.rate({"value": value, "n": one.n[at], "lower": lower, "upper": upper})
    return _words(value, unit=unit)


def _words(value: Number, *, unit: Unit) -> str:
    if value is None:
        return ui.NOTHING
    if unit == "usd":
        return ui.money(value)
    return f"{value:.2f}" if unit == "rate" else f"{value:,}"


def _plain(values: Sequence[Number]) -> list[float | int | None]:
    return [_number(value) for value in values]


def _number(value: Number) -> float | int | None:
    """For drawing only: a pixel is coarser than a float."""
    return float(value) if isinstance(value, Decimal) else value
