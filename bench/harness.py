"""What every measurement needs: a database of its own, servers on loopback ports, and a line of JSON at the end.

Everything made here is gone afterwards, also when the measurement fails.
"""

from __future__ import annotations

import json
import os
import platform
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

ROOT = Path(__file__).resolve().parent.parent
POSTGRESQL_URL = os.environ.get("BENCH_DATABASE_URL", "postgres://postgres@127.0.0.1:5432/postgres")
DATABASES = ("sqlite", "postgresql")
WORKERS = 2
_READY_WITHIN_S = 60


def report(bench: str, figures: Mapping[str, Any]) -> None:
    """The one line: when, where, what."""
    print(
        json.dumps(
            {"bench": bench, "at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine(), **figures}
        )
    )


def machine() -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "processor": _processor(),
        "python": platform.python_version(),
    }


@contextmanager
def database(kind: str) -> Iterator[str]:
    """The address of an empty database, dropped at the end."""
    if kind == "sqlite":
        folder = tempfile.mkdtemp(prefix="donna-bench-")
        try:
            yield f"sqlite:///{folder}/bench.sqlite3"
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return
    name = f"donna_bench_{secrets.token_hex(6)}"
    _on_postgresql(f'CREATE DATABASE "{name}"')
    try:
        yield urlunsplit(urlsplit(POSTGRESQL_URL)._replace(path=f"/{name}"))
    finally:
        _on_postgresql(f'DROP DATABASE "{name}" WITH (FORCE)')


def available(kind: str) -> str:
    """Empty when this kind of database can be used, otherwise why not."""
    if kind == "sqlite":
        return ""
    import psycopg

    try:
        _on_postgresql("SELECT 1")
    except psycopg.OperationalError as error:
        return f"PostgreSQL does not answer (BENCH_DATABASE_URL): {str(error).splitlines()[0]}"
    return ""


def environment(database_url: str, **more: str) -> dict[str, str]:
    """A process's environment with this database, the offline adapter, no provider and no limits that hide the rate."""
    keep = {name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_BASE_URL"))}
    keep.pop("REDIS_URL", None)
    return keep | {
        "DATABASE_URL": database_url,
        "SECRET_KEY": secrets.token_urlsafe(64),
        "DONNA_MODEL_ADAPTER": "offline",
        "DONNA_API_RATE_PER_MINUTE": "1000000000",
        "LOG_LEVEL": "WARNING",
        "PYTHONPATH": str(ROOT),
        "WEB_CONCURRENCY": str(WORKERS),
        "WEB_THREADS": "8",
        **more,
    }


def command(*words: str, env: Mapping[str, str]) -> str:
    """Run `python words…` in the checkout and return what it printed; its complaint is the error's text."""
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=dict(env), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


@contextmanager
def served(application: str, *, env: Mapping[str, str]) -> Iterator[int]:
    """gunicorn with the shipped configuration on a free port of loopback; stopped with all its workers at the end."""
    port = _free_port()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "--config", "config/gunicorn.conf.py", application],
            cwd=ROOT,
            env={**env, "BIND": "127.0.0.1", "PORT": str(port)},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            _wait_for(port, process, log)
            yield port
        finally:
            process.terminate()
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Any) -> None:
    until = time.monotonic() + _READY_WITHIN_S
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    log.seek(0)
    raise RuntimeError(f"The server did not start:\n{log.read().decode(errors='replace')[-3000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _on_postgresql(statement: str) -> None:
    import psycopg

    with psycopg.connect(
        POSTGRESQL_URL.replace("postgres://", "postgresql://", 1), autocommit=True, connect_timeout=5
    ) as link:
        link.execute(statement)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
