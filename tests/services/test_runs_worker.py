"""Runs across real processes: a web process killed in the middle of one, a worker that runs a sandbox skill unseen."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.utils import timezone

from lifecycle.models import RunPath, SkillRun
from lifecycle.services import runs, seeds
from lifecycle.states import State
from tests import builders
from tests.jobs.processes import Process, until
from tests.llm.conftest import PURPOSES, QUICK_RETRIES
from tests.stubs.model_server import Answer, ModelServer, Silent

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def config_for(server: ModelServer, folder: Path) -> str:
    """A configuration folder whose models all stand behind the stub."""
    option = {"provider": "openai_compatible", "base_url": server.openai_url, "timeout_s": 60}
    aliases = {"parser": [{**option, "model": "small"}], "reasoner": [{**option, "model": "large"}]}
    models = {"aliases": aliases, "purposes": PURPOSES, "retries": QUICK_RETRIES}
    (folder / "models.yaml").write_text(yaml.safe_dump(models))
    return str(folder)


def ask(port: int, secret: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {**builders.headers(secret), "Content-Type": "application/json"}
    connection.request("POST", "/api/v1/runs", json.dumps(body), headers)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def _ask_in_vain(port: int, secret: str, body: dict[str, Any]) -> None:
    """The caller whose server dies: the connection breaks, and that is all it hears."""
    with suppress(OSError, http.client.HTTPException):
        ask(port, secret, body)


def web(port: int, **environment: str) -> Process:
    """gunicorn with two workers, as in production."""
    command = ("-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "2", "--threads", "4")
    return Process(*command, "donna_skills.wsgi:application", program=(), **environment)


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_killing_the_web_process_in_the_middle_of_a_run_leaves_a_run_that_is_reaped(port: int, tmp_path: Path):
    skill = builders.skill(State.TRUSTED)
    _, secret = builders.bot_token()
    body = {"capability": skill.capability.name, "inputs": {"text": "hello"}}
    with ModelServer() as server:
        server.will(*[Silent()] * 5)
        short_leases = {"DONNA_LEASE_S": "3", "DONNA_LEASE_RENEW_S": "1"}
        with web(port, DONNA_CONFIG_DIR=config_for(server, tmp_path), **short_leases) as process:
            until(lambda: listening(port))
            threading.Thread(target=_ask_in_vain, args=(port, secret, body), daemon=True).start()
            run = until(lambda: SkillRun.objects.filter(status="running").first())
            process.kill()
        assert runs.reap(timezone.now() + timedelta(seconds=4)) == 1

    run.refresh_from_db()
    assert (run.status, run.outcome) == ("interrupted", "")
    assert run.finished_at is not None
    assert "nobody knows" in run.error


def test_a_worker_runs_a_sandbox_skill_beside_the_answer(port: int):
    seeds.load()
    _, secret = builders.bot_token()
    email = {"from": "anna@example.org", "subject": "Invoice 7", "body": "Please pay by Friday."}
    with web(port), Process("qcluster"):
        until(lambda: listening(port))
        status, seen = ask(port, secret, {"capability": "email_triage", "inputs": email})
        assert (status, seen["path"], seen["status"]) == (201, "native", "succeeded")
        unseen = until(lambda: SkillRun.objects.filter(path=RunPath.SANDBOX, status="succeeded").first())
    assert str(unseen.shadow_of_id) == seen["id"]
    assert unseen.output


def test_a_run_that_is_not_waited_for_is_answered_by_a_worker(port: int, tmp_path: Path):
    skill = builders.skill(State.TRUSTED)
    _, secret = builders.bot_token()
    with ModelServer() as server:
        server.otherwise(Answer('{"label": "greeting"}'))
        environment = {"DONNA_CONFIG_DIR": config_for(server, tmp_path)}
        with web(port, **environment), Process("qcluster", **environment):
            until(lambda: listening(port))
            body = {"capability": skill.capability.name, "inputs": {"text": "x"}, "wait": False}
            status, run = ask(port, secret, body)
            assert (status, run["status"]) == (202, "queued")
            until(lambda: SkillRun.objects.filter(pk=run["id"], status="succeeded").exists())
