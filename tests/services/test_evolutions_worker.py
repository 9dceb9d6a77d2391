"""An attempt to evolve across real processes: the worker dies in the middle of it, and another goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.utils import timezone

from donna_skills.accounts.actors import Actor
from donna_skills.jobs import services as jobs
from lifecycle.models import AttemptStatus, Evolution, Skill
from lifecycle.services import evolutions
from lifecycle.states import State
from tests import builders
from tests.jobs.processes import Process, until
from tests.lifecycle.services.evolving import Models, degraded, mends
from tests.services.test_runs_worker import config_for
from tests.stubs.model_server import ModelServer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]
SHORT_LEASES = {"DONNA_LEASE_S": "3", "DONNA_LEASE_RENEW_S": "1"}


def test_a_worker_killed_between_the_reply_and_its_gates_leaves_an_attempt_that_another_finishes(tmp_path: Path):
    skill = degraded()
    with ModelServer() as server:
        models = Models(server)
        models.replies = [mends()]
        models.before = lambda kind: server.stopping.wait() if kind == "skill" and hanging else None
        hanging = [True]
        environment = {"DONNA_CONFIG_DIR": config_for(server, tmp_path), "DONNA_MODEL_ADAPTER": "", **SHORT_LEASES}
        evolutions.improve(skill, actor=Actor.person(builders.person("author")))
        with Process("qcluster", **environment) as worker:
            until(lambda: "skill" in models.calls)
            worker.kill()
        row = Evolution.objects.get()
        assert (row.status, row.reply is not None) == (AttemptStatus.RUNNING, True)
        hanging.clear()

        until(lambda: jobs.reap(timezone.now()))
        until(lambda: evolutions.redeliver(timezone.now()))
        with Process("qcluster", **environment):
            until(lambda: Evolution.objects.get().status != AttemptStatus.RUNNING)

    row.refresh_from_db()
    assert (row.status, Skill.objects.get(pk=skill.pk).state) == (AttemptStatus.ACCEPTED, State.DRAFT)
    assert models.calls.count("author") == 1
