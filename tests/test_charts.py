"""A chart and the table below it say the same."""

from __future__ import annotations

import json
from decimal import Decimal

from django.template.loader import render_to_string

from donna_skills.charts import Chart, Level, Mark, Series

MONEY = Chart(
    id="spending",
    title="Spent by day",
    summary="$0.35 in 2 days",
    labels=["1 Nov", "2 Nov"],
    series=[Series("Skills", [Decimal("0.1"), Decimal("0.2")]), Series("Judging", [Decimal("0.05"), None])],
    kind="bar",
    unit="usd",
    stacked=True,
)
AGREEMENT = Chart(
    id="agreement",
    title="Agreement",
    summary="0.86 of 63",
    labels=["1 Nov", "2 Nov"],
    series=[Series("Agreement", [0.9, 0.86], lower=[0.8, 0.75], upper=[0.95, 0.92], n=[40, 63])],
    unit="rate",
    levels=[Level("Baseline", 0.93)],
    marks=[Mark(1, "v4")],
    row_heading="Until",
)


def test_the_table_has_the_newest_first_with_money_and_an_exact_total() -> None:
    assert MONEY.columns == ["Skills", "Judging", "Total"]
    assert MONEY.rows == [
        {"label": "2 Nov", "cells": ["$0.20", "–", "$0.20"]},
        {"label": "1 Nov", "cells": ["$0.10", "$0.0500", "$0.15"]},
    ]


def test_a_rate_in_the_table_has_its_n_and_its_interval() -> None:
    rate, baseline = AGREEMENT.rows[0]["cells"]
    assert "0.86" in rate and "(0.75–0.92, n 63)" in rate
    assert baseline == "0.93"


def test_the_page_carries_the_numbers_as_data_and_no_script_of_its_own() -> None:
    page = render_to_string("components/_chart.html", {"chart": AGREEMENT})
    assert 'data-chart="agreement-data"' in page and 'aria-label="0.86 of 63"' in page
    data = page.split('<script id="agreement-data" type="application/json">')[1].split("</script>")[0]
    spec = json.loads(data)
    assert spec["series"][0]["lower"] == [0.8, 0.75]
    assert spec["marks"] == [{"at": 1, "label": "v4"}]
    assert page.count("<script") == 1


def test_hostile_words_do_not_leave_the_data_block() -> None:
    chart = Chart(id="x", title="t", summary="s", labels=["</script><script>alert(1)"], series=[Series("a", [1])])
    page = render_to_string("components/_chart.html", {"chart": chart})
    assert "<script>alert" not in page
