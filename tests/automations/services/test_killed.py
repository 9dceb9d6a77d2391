"""Workers and schedulers killed in the middle: every occurrence one row, at most one effective run, one alert."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from django.utils import timezone

from automations.models import AutomationRun, RunStatus
from automations.services import dispatch
from donna_skills.notifications.models import Event
from lifecycle.models import RunStatus as LifecycleStatus
from lifecycle.models import SkillRun
from lifecycle.states import State
from tests import builders
from tests.automations import made
from tests.jobs.processes import Process, until
from tests.services.test_runs_worker import config_for
from tests.stubs.model_server import Answer, ModelServer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]
COUNT = 16
NINE = made.at("2026-11-20 09:00")
QUICK = {"DONNA_LEASE_S": "3", "DONNA_LEASE_RENEW_S": "1", "DONNA_MODEL_ADAPTER": ""}


def status_counts() -> Counter[str]:
    return Counter(AutomationRun.objects.values_list("status", flat=True))


def test_two_schedulers_and_a_killed_worker_leave_one_row_an_occurrence_and_one_effective_run(tmp_path: Path):
    owner, name = builders.person("operator"), builders.skill(State.CLAUDE_NATIVE).capability.name
    for _ in range(COUNT):
        made.automation(
            owner=owner,
            capability_name=name,
            spaced=True,
            due=NINE,
            alert_conditions={"field": "label", "op": "exists"},
        )
    with ModelServer() as server:
        server.otherwise(Answer('{"label": "greeting"}', after_s=0.3))
        environment = {**QUICK, "DONNA_CONFIG_DIR": config_for(server, tmp_path)}
        ticks = [Process("tick", "--now", NINE.isoformat()) for _ in range(2)]
        with ticks[0], ticks[1]:
            assert [one.wait(60) for one in ticks] == [0, 0]
        assert AutomationRun.objects.count() == COUNT
        with Process("drain", **environment) as doomed, Process("drain", **environment) as other:
            until(lambda: AutomationRun.objects.filter(status=RunStatus.RUNNING).count() == 2, seconds=60)
            doomed.kill()
            assert other.wait(90) == 0
        until(lambda: dispatch.reap(timezone.now()) or not status_counts()[RunStatus.RUNNING], seconds=30)
    counts = status_counts()
    assert counts[RunStatus.INTERRUPTED] <= 1
    assert counts[RunStatus.SUCCEEDED] + counts[RunStatus.INTERRUPTED] == COUNT, counts
    assert AutomationRun.objects.values("automation").distinct().count() == COUNT
    effective = SkillRun.objects.filter(status=LifecycleStatus.SUCCEEDED).values_list("automation_run_id", flat=True)
    assert max(Counter(effective).values()) == 1
    told = Event.objects.filter(kind="automation.alert").values_list("payload__run_id", flat=True)
    assert sorted(told) == sorted(
        str(pk) for pk in AutomationRun.objects.filter(status=RunStatus.SUCCEEDED).values_list("pk", flat=True)
    )
