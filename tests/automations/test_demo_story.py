"""The demo's automations: a fortnight of real runs, an alert today, and one that gave up."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client, TestCase, override_settings
from django.utils import timezone

from automations.demo import site, story
from automations.models import AlertDecision, Automation, AutomationRun, ExecutionPath, PauseReason, RunStatus, Status
from donna_skills.accounts.models import User
from donna_skills.accounts.roles import Role
from donna_skills.audit import services as audit
from donna_skills.llm.models import ModelCall
from donna_skills.notifications.models import Notification
from lifecycle.demo import people, world
from lifecycle.models import SkillRun
from lifecycle.services import seeds

pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("demo")]


def free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f"127.0.0.1:{probe.getsockname()[1]}"


def gather() -> people.Cast:
    """The demo's people, and its skills in service."""
    cast = people.gather(password="x")
    seeds.load()
    world.release_seeds()
    return cast


@pytest.fixture(scope="module")
def told(django_db_setup: None, django_db_blocker: Any) -> Iterator[date]:
    """The story, told once; the answer is its today."""
    today = timezone.now().date()
    with django_db_blocker.unblock():
        atomics = TestCase._enter_atomics()
        try:
            with override_settings(DEMO_SITE=free_address()):
                story.tell(gather(), today=today, say=lambda _: None)
            yield today
        finally:
            TestCase._rollback_atomics(atomics)


def the(name: str) -> Automation:
    return Automation.objects.get(name=name)


def test_the_price_was_read_each_morning_and_today_it_is_worth_an_alert(told: date, db: None) -> None:
    runs = list(the(story.JACKET).runs.order_by("id"))
    assert [run.started_at.date() for run in runs if run.started_at] == [
        told - timedelta(days=ago) for ago in range(site.SEASON_DAYS, -1, -1)
    ]
    assert {(run.status, run.execution_path) for run in runs} == {(RunStatus.SUCCEEDED, ExecutionPath.SKILL)}
    prices = [run.output["price"] for run in runs]
    assert prices[-1] <= story.TARGET < min(prices[:-1])
    assert [run.alert for run in runs] == [AlertDecision.NONE] * site.SEASON_DAYS + [AlertDecision.OPENED]
    line = Notification.objects.get(event__kind="automation.alert")
    assert (line.person.username, line.url) == (Role.OPERATOR, f"/automations/runs/{runs[-1].pk}/")


def test_the_digest_and_the_summary_say_what_stood_there_on_their_day(told: date, db: None) -> None:
    digest, board = (list(the(name).runs.order_by("id")) for name in (story.DIGEST, story.BOARD))
    assert (len(digest), len(board)) == (5, 6)
    assert all(run.output["items"] for run in digest)
    assert len({run.output["title"] for run in board}) == 5
    assert {run.status for run in (*digest, *board)} == {RunStatus.SUCCEEDED}


def test_one_has_failed_five_times_is_paused_and_says_so_once(told: date, db: None) -> None:
    air = the(story.AIR)
    assert (air.status, air.pause_reason, air.failure_count) == (Status.PAUSED, PauseReason.FAILURES, 5)
    assert set(air.runs.values_list("status", "execution_path")) == {(RunStatus.FAILED, ExecutionPath.NATIVE)}
    assert "does not match" in air.pause_note
    assert Notification.objects.filter(event__kind="automation.paused").count() == 1


def test_the_others_go_on_tomorrow_and_the_reviewer_may_run_them(told: date, db: None, client: Client) -> None:
    active = Automation.objects.filter(status=Status.ACTIVE)
    assert set(active.values_list("name", flat=True)) == {story.JACKET, story.DIGEST, story.BOARD}
    assert all(one.next_run_at and one.next_run_at > timezone.now() for one in active)
    client.force_login(User.objects.get(username=Role.REVIEWER))
    shown = client.get("/automations/").content.decode()
    assert all(one.name in shown for one in Automation.objects.all())


def test_the_runs_behind_belong_to_the_same_day_cost_nothing_and_are_compared_no_more(told: date, db: None) -> None:
    for run in AutomationRun.objects.all():
        behind = SkillRun.objects.get(pk=run.lifecycle_run_id)
        assert behind.started_at and run.started_at and abs(behind.started_at - run.started_at) < timedelta(minutes=1)
        assert run.started_at.date() == told or behind.compare_at is None
    assert not ModelCall.objects.exclude(cost_usd=0).exists()
    assert audit.verify().intact


def test_told_again_it_adds_nothing(told: date, db: None) -> None:
    before = AutomationRun.objects.count()
    with override_settings(DEMO_SITE=free_address()):
        story.tell(people.gather(password="x"), today=told, say=lambda _: None)
    assert AutomationRun.objects.count() == before
    assert Automation.objects.count() == 4
