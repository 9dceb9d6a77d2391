"""What every test stands on: no provider's key, the offline adapter, a database file that threads share, a quick hash.

`make test` runs the suite on SQLite. `make test-services` sets DONNA_TEST_SERVICES, DATABASE_URL and REDIS_URL and runs
the same suite on PostgreSQL and Redis, and then the tests marked `services` too.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
import redis
from django.conf import settings
from django.db import connection
from django.test import TransactionTestCase

from donna_skills import env
from donna_skills.audit import append_only

SERVICES = env.flag("DONNA_TEST_SERVICES")
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
OF_THE_PROVIDERS = ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL", "OLLAMA_BASE_URL")
OF_THE_INSTALLATION = (
    "DONNA_CONFIG_DIR",
    "EMAIL_URL",
    "DONNA_DEMO",
    "DONNA_HTTPS",
    "DONNA_BEHIND_PROXY",
    "PORT",
    "BIND",
)


def pytest_configure(config: pytest.Config) -> None:
    """The settings are loaded by now, with the developer's environment in them: take back what tests must not see."""
    _forget_the_environment()
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    # One folder for each process, so that suites may run side by side.
    config.stash[_FOLDER] = folder = tempfile.mkdtemp(prefix="donna-tests-")
    settings.CACHES["workers"]["LOCATION"] = f"{folder}/workers"
    settings.STATIC_ROOT = Path(folder) / "static"
    settings.STATIC_ROOT.mkdir()
    if connection.vendor == "sqlite":
        connection.settings_dict["TEST"]["NAME"] = f"{folder}/test.sqlite3"
    if settings.REDIS_URL:
        _take_own_redis_database()


def pytest_unconfigure(config: pytest.Config) -> None:
    if folder := config.stash.get(_FOLDER, None):
        shutil.rmtree(folder, ignore_errors=True)


def pytest_sessionstart(session: pytest.Session) -> None:
    if SERVICES and not hasattr(session.config, "workerinput"):
        _demand_services()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that drive a browser or real worker processes take turns: one xdist worker runs all of a kind.

    First of all hooks, because xdist reads the groups in the same hook.
    """
    without = pytest.mark.skip(reason="needs PostgreSQL, Redis and worker processes: make test-services")
    for item in items:
        needs_services = item.get_closest_marker("services")
        for name, applies in (("browser", "browser" in item.path.parts), ("services", needs_services)):
            if applies:
                item.add_marker(pytest.mark.xdist_group(name))
        if needs_services and not SERVICES:
            item.add_marker(without)


@pytest.fixture(autouse=True, scope="session")
def _flushing_is_allowed() -> Iterator[None]:
    """Tests with real transactions empty every table afterwards, the append-only ones too."""
    flush = TransactionTestCase._fixture_teardown

    def flush_everything(self: TransactionTestCase) -> None:
        with append_only.lifted():
            flush(self)

    TransactionTestCase._fixture_teardown = flush_everything  # type: ignore[method-assign]
    yield
    TransactionTestCase._fixture_teardown = flush  # type: ignore[method-assign]


@pytest.fixture(autouse=True, scope="session")
def _threads_end_before_the_database(django_db_setup: None) -> Iterator[None]:
    """The threads that carry runs out keep their connections; a database with open connections cannot be dropped."""
    yield
    from lifecycle.services import waiting

    waiting.close()


@pytest.fixture(autouse=True)
def _contracts_are_read_anew() -> None:
    """Outside of tests a contract never changes, so a process keeps it; here the next test has other rows."""
    from lifecycle.services import reports

    reports._contract.cache_clear()
    reports._version_id.cache_clear()


@pytest.fixture(autouse=True)
def _nothing_waits_in_redis() -> None:
    """What a test enqueues there outlives its transaction, and would be found by the next one."""
    if SERVICES:
        redis.from_url(settings.REDIS_URL).flushdb()


_FOLDER = pytest.StashKey[str]()


def _forget_the_environment() -> None:
    for name in (*OF_THE_PROVIDERS, *OF_THE_INSTALLATION):
        os.environ.pop(name, None)
    for name in OF_THE_PROVIDERS:
        setattr(settings, name, "")
    # Processes that a test starts read the environment; this one reads the settings.
    os.environ["DONNA_MODEL_ADAPTER"] = settings.MODEL_ADAPTER = "offline"
    settings.CONFIG_DIR = settings.SHIPPED_CONFIG_DIR


def _take_own_redis_database() -> None:
    """Database 9 for the first xdist worker, 10 for the next: one's jobs and rate limits are none of another's."""
    from django_q.conf import Conf

    parts = urlsplit(settings.REDIS_URL)
    number = int(parts.path.strip("/") or 0) + WORKER
    url = urlunsplit(parts._replace(path=f"/{number}"))
    os.environ["REDIS_URL"] = settings.REDIS_URL = settings.CACHES["default"]["LOCATION"] = url
    settings.Q_CLUSTER["redis"] = Conf.REDIS = url


def _demand_services() -> None:
    import psycopg

    if connection.vendor != "postgresql" or not settings.REDIS_URL:
        pytest.exit("DONNA_TEST_SERVICES needs DATABASE_URL=postgres://… and REDIS_URL=redis://…", returncode=3)
    try:
        redis.from_url(settings.REDIS_URL, socket_connect_timeout=5).ping()
    except redis.RedisError as error:
        pytest.exit(f"Redis does not answer at {settings.REDIS_URL}: start it, or set SERVICES_REDIS_URL. {error}", 3)
    try:
        psycopg.connect(
            os.environ["DATABASE_URL"].replace("postgres://", "postgresql://", 1), connect_timeout=5
        ).close()
    except psycopg.OperationalError as error:
        pytest.exit(f"PostgreSQL cannot be used: start it, or set SERVICES_DATABASE_URL. {error}", 3)
