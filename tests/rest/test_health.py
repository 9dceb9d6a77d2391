"""Health and readiness: every part is looked at, none of them can break the answer."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test import Client
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.conf import Conf
from django_q.status import Stat, Status

from donna_skills.jobs import heartbeat


@pytest.fixture(autouse=True)
def _own_signs_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not those of a cluster that the developer has running."""
    monkeypatch.setattr(Conf, "CACHE", "default")
    monkeypatch.setattr(Conf, "Q_STAT", f"test:{uuid.uuid4()}")


def cluster_reports() -> None:
    """What a cluster's sentinel writes about itself several times a second."""
    stat = Stat.__new__(Stat)
    Status.__init__(stat, 1, "test")
    stat.broker = get_broker()
    stat.save()


def ask(path: str) -> tuple[int, Any]:
    answer = Client().get(f"/api/v1{path}")
    assert answer["Content-Type"].startswith("application/json")
    assert set(answer.json()) == {"status", "version", "database", "queue", "scheduler_lag_s", "model"}
    return answer.status_code, answer.json()


def test_with_every_part_at_work_both_say_so(db: None) -> None:
    cluster_reports()
    heartbeat.beat(heartbeat.SCHEDULER, now=timezone.now() - timedelta(seconds=5))
    for path in ("/health", "/ready"):
        status, body = ask(path)
        assert (status, body["status"], body["database"], body["queue"]) == (
            200,
            "ok",
            "ok",
            {"status": "ok", "waiting": 0},
        )
        assert 5 <= body["scheduler_lag_s"] < 15
        assert body["model"]["adapter"] == "offline"


def test_without_worker_and_scheduler_it_is_alive_but_not_ready(db: None) -> None:
    assert ask("/health")[0] == 200
    status, body = ask("/ready")
    assert (status, body["status"]) == (503, "degraded")
    assert body["queue"]["status"] == "no_worker" and body["scheduler_lag_s"] is None


@pytest.mark.parametrize(("age_s", "status"), [(50, 200), (70, 503)])
def test_a_scheduler_that_fell_silent_makes_it_not_ready(db: None, age_s: int, status: int) -> None:
    cluster_reports()
    heartbeat.beat(heartbeat.SCHEDULER, now=timezone.now() - timedelta(seconds=age_s))
    assert ask("/ready")[0] == status


def test_a_model_route_that_cannot_be_read_makes_it_not_ready(db: None, settings: LazySettings, tmp_path: Path) -> None:
    cluster_reports()
    heartbeat.beat(heartbeat.SCHEDULER)
    (tmp_path / "models.yaml").write_text("aliases: [")
    settings.CONFIG_DIR = tmp_path
    status, body = ask("/ready")
    assert (status, body["database"]) == (503, "ok")
    assert body["model"]["error"] and str(tmp_path) not in str(body)


@pytest.fixture
def _no_database(transactional_db: None) -> Iterator[None]:
    usual = dict(connection.settings_dict)
    connection.close()
    away = {"NAME": "/nowhere/at/all.sqlite3"} if connection.vendor == "sqlite" else {"PORT": 1, "HOST": "127.0.0.1"}
    connection.settings_dict.update(away)
    yield
    connection.close()
    connection.settings_dict.update(usual)


@pytest.mark.usefixtures("_no_database")
def test_without_a_database_both_are_503_and_still_answer() -> None:
    for path in ("/health", "/ready"):
        status, body = ask(path)
        assert (status, body["status"], body["database"]) == (503, "down", "down")
        assert body["queue"] == {"status": "unreachable", "waiting": None}


def test_neither_needs_a_token_or_counts_against_a_rate(db: None) -> None:
    answer = Client().get("/api/v1/health")
    assert "RateLimit-Limit" not in answer and not answer.cookies


def test_a_queue_that_is_away_is_reported(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Conf, "REDIS", "redis://127.0.0.1:1/0")
    monkeypatch.setattr(Conf, "ORM", None)
    status, body = ask("/ready")
    assert (status, body["queue"]["status"]) == (503, "unreachable")
