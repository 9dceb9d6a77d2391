"""The budget's page: limits, spending by purpose and day, and what skills were expected to save and did."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from donna_skills.llm import selectors as money
from donna_skills.llm.models import BudgetPeriod, CallStatus, ModelCall, PriceSource
from donna_skills.llm.port import Purpose
from lifecycle import savings
from lifecycle.models import CandidateStatus, RunPath, RunStatus, Skill
from lifecycle.states import State
from tests import builders

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def viewer(client: Client) -> Client:
    client.force_login(builders.person("viewer"))
    return client


def text(client: Client) -> str:
    answer = client.get("/budget/")
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def call(purpose: Purpose, cost: str, at: datetime) -> ModelCall:
    return ModelCall.objects.create(
        purpose=purpose, task_type="parse_task", alias="parser", provider="offline", model="tiny",
        prompt_digest="0" * 64, cost_usd=Decimal(cost), price_source=PriceSource.CONFIGURED,
        status=CallStatus.SUCCEEDED, started_at=at, expires_at=at, finished_at=at,
    )  # fmt: skip


def test_a_new_installation_is_told_what_will_fill_the_page(client: Client):
    assert client.get("/budget/").url == "/login/?next=/budget/"
    client.force_login(builders.person("viewer"))
    page = text(client)
    assert "$0.00 <small>of $20.00</small>" in page and "$0.00 <small>of $100.00</small>" in page
    assert "Nothing spent in 30 days" in page and "No skill has answered in 30 days" in page
    assert "<canvas" not in page and "chart.js" not in page
    assert 'href="/budget/" aria-current="page"' in page


def test_calls_that_cost_nothing_draw_no_empty_chart(viewer: Client):
    call(Purpose.JUDGE, "0", timezone.now())
    page = text(viewer)
    assert "Nothing spent in 30 days" in page and "<canvas" not in page
    assert '<th scope="row">Judging agreement</th>' in page


def test_spending_is_told_by_purpose_and_drawn_by_day_with_a_table(viewer: Client):
    now = timezone.now()
    call(Purpose.JUDGE, "1.25", now)
    call(Purpose.SKILL_STEP, "0.05", now)
    page = text(viewer)
    assert '<th scope="row">Judging agreement</th> <td class="number">$1.25</td>' in page
    assert 'aria-label="$1.30 in 30 days; the most on' in page
    assert '<script id="spending-data" type="application/json">' in page
    assert "The numbers as a table" in page and "unfold/js/chart/chart.js" in page
    assert "script-src 'self'" in viewer.get("/budget/")["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("spent", "word"), [("1", "Open"), ("18.5", "Nearly used up"), ("20", "Calls of models pause until then")]
)
def test_a_day_says_how_near_its_limit_is(viewer: Client, spent: str, word: str):
    key = f"day:{timezone.now():%Y-%m-%d}"
    micros = int(Decimal(spent) * 1_000_000)
    BudgetPeriod.objects.create(key=key, spent_micros=micros, limit_micros=20_000_000)
    page = text(viewer)
    assert word in page
    assert ("Background work pauses" in page) == (spent == "18.5")


def test_days_are_utc_days_and_none_is_missing():
    call(Purpose.JUDGE, "0.10", datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC))
    call(Purpose.JUDGE, "0.20", datetime(2026, 11, 21, 0, 0, 0, tzinfo=UTC))
    call(Purpose.DRAFT, "0.70", datetime(2026, 11, 21, 23, 59, tzinfo=UTC))
    call(Purpose.DRAFT, "5", datetime(2026, 11, 18, 23, 59, 59, tzinfo=UTC))
    days = money.spending_by_day(NOW, days=3)
    assert [(str(day.day), day.total_usd) for day in days] == [
        ("2026-11-19", Decimal(0)), ("2026-11-20", Decimal("0.10")), ("2026-11-21", Decimal("0.90")),
    ]  # fmt: skip
    assert days[2].by_purpose == {"judge": Decimal("0.20"), "draft": Decimal("0.70")}


def test_a_hundred_equal_costs_are_their_exact_sum():
    for _ in range(100):
        call(Purpose.JUDGE, "0.85", NOW)
    assert money.spending_by_day(NOW, days=1)[0].total_usd == Decimal(85)
    assert money.spent_on([Purpose.JUDGE], since=NOW - timedelta(days=1)) == Decimal(85)
    assert money.spent_on([Purpose.DRAFT], since=NOW - timedelta(days=1)) == 0


def served(skill: Skill, *, answers: int, cost: str, failed: int = 0) -> None:
    for number in range(answers + failed):
        status = RunStatus.SUCCEEDED if number < answers else RunStatus.FAILED
        builders.run(skill, status=status, cost_usd=Decimal(cost))


def test_realised_is_the_references_price_of_the_answers_less_what_every_attempt_cost():
    skill = builders.skill(State.SHADOW_PRIMARY)
    served(skill, answers=10, cost="0.01", failed=2)
    for path, cost in ((RunPath.SHADOW, "0.10"), (RunPath.NATIVE, "0.30")):
        builders.run(skill, path=path, cost_usd=Decimal(cost))
    builders.run(skill, path=RunPath.NATIVE, status=RunStatus.FAILED, cost_usd=Decimal(9))
    call(Purpose.JUDGE, "0.5", timezone.now())
    call(Purpose.NATIVE, "7", timezone.now())

    found = savings.of_skills(timezone.now())
    (line,) = found.lines
    assert (line.answers, line.reference_usd, line.reference_n) == (10, Decimal("0.20"), 2)
    assert line.spent_usd == Decimal("0.12")
    assert line.realised_usd == Decimal("1.88")
    assert (found.learning_usd, found.net_usd) == (Decimal("0.5"), Decimal("1.38"))
    assert line.expected_usd is None and found.expected_usd is None


def test_without_an_answer_of_the_reference_the_candidates_mean_stands_in():
    skill = builders.skill(State.CLAUDE_NATIVE)
    candidate = builders.candidate(skill, calls=200, cost_usd="0.10")
    type(candidate).objects.filter(pk=candidate.pk).update(status=CandidateStatus.DRAFTED)
    skill.capability.runs.all().delete()
    served(skill, answers=3, cost="0.02")
    (line,) = savings.of_skills(timezone.now()).lines
    assert (line.expected_usd, line.reference_usd, line.reference_n) == (Decimal(17), Decimal("0.10"), 0)
    assert line.realised_usd == Decimal("0.24")


def test_what_nobody_measured_is_not_known_and_in_no_total(viewer: Client):
    served(builders.skill(State.TRUSTED), answers=3, cost="0.02")
    found = savings.of_skills(timezone.now())
    assert (found.lines[0].realised_usd, found.realised_usd, found.net_usd, found.unknown) == (None, None, None, 1)
    page = text(viewer)
    assert "not known" in page and "All skills, 1 not known" in page


def test_what_is_older_than_the_window_counts_for_nothing():
    skill = builders.skill(State.TRUSTED)
    old = builders.run(skill, cost_usd=Decimal(1))
    type(old).objects.update(created_at=timezone.now() - timedelta(days=31))
    assert savings.of_skills(timezone.now()).lines == []


def test_the_number_of_queries_does_not_grow_with_skills_and_calls(viewer: Client, django_assert_max_num_queries: Any):
    def queries(more: int) -> int:
        for _ in range(more):
            served(builders.skill(State.TRUSTED), answers=1, cost="0.02")
            call(Purpose.JUDGE, "0.5", timezone.now())
        with django_assert_max_num_queries(14) as counted:
            assert viewer.get("/budget/").status_code == 200
        return len(counted)

    assert queries(1) == queries(3)
