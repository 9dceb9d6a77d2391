"""A real gunicorn with a database of its own, and a bare socket to it: what no well-behaved client would send."""

from __future__ import annotations

import http.client
import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

PATIENCE_S = 2
WORKERS = 2
_STARTS_WITHIN_S = 60


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def problem(self) -> Any:
        """The body, if it is a problem as every failure of the API is one."""
        assert self.headers["content-type"] == "application/problem+json", self.raw[:500]
        return json.loads(self.raw)


@dataclass(frozen=True)
class Server:
    port: int
    pid: int
    token: str
    database: Path
    log: Path

    def post(self, path: str, body: bytes, **headers: str) -> Answer:
        """A request that is well-formed as HTTP, whatever its body holds."""
        return self.send(self.head("POST", path, **{"Content-Length": str(len(body)), **headers}) + body)

    def head(self, method: str, path: str, **headers: str) -> bytes:
        """The first lines of a request with a token; headers with underscores in their names get hyphens."""
        usual = {
            "Host": "localhost",
            "Authorization": f"Bearer {self.token}",
            "Content-Type": "application/json",
            "Connection": "close",
        }
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"{name}: {value}" for name, value in {**usual, **given}.items()]
        return "\r\n".join([f"{method} /api/v1/{path} HTTP/1.1", *lines, "", ""]).encode("latin-1")

    def send(self, raw: bytes, *, then_end: bool = False) -> Answer:
        """These bytes and nothing else; `then_end` says that no more will come."""
        with closing(socket.create_connection(("127.0.0.1", self.port), timeout=20)) as link:
            # It may have answered and hung up before it read everything.
            with suppress(OSError):
                link.sendall(raw)
                if then_end:
                    link.shutdown(socket.SHUT_WR)
            answer = http.client.HTTPResponse(link, method="HEAD" if raw.startswith(b"HEAD") else None)
            answer.begin()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, headers, answer.read())

    def rows(self) -> dict[str, int]:
        """How many rows each table has."""
        with closing(sqlite3.connect(self.database)) as link:
            tables = link.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            return {name: link.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for (name,) in tables}

    def errors(self) -> list[str]:
        """What the log calls an error of ours; Django calls so what a caller did wrong, too, in a logger of its own."""
        lines = self.log.read_text().splitlines()
        wrong = [line for line in lines if '"level": "error"' in line or "Traceback" in line]
        return [line for line in wrong if '"logger": "django.security' not in line]

    def peak_memory_mb(self) -> float:
        """The most that any worker has ever held, in MB; 0 where the system does not say."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        if not children.exists():
            return 0.0
        peaks = [_high_water_kb(Path(f"/proc/{pid}/status")) for pid in children.read_text().split()]
        return max(peaks) / 1024


@contextmanager
def running(folder: Path) -> Iterator[Server]:
    """The server with the seed skills and a bot's token with every scope; its processes are gone afterwards."""
    database, log = folder / "own.sqlite3", folder / "log"
    port = _free_port()
    environment = _environment(folder, database, port)
    _manage("migrate", "--verbosity", "0", environment=environment)
    _manage("load_seed_skills", environment=environment)
    scopes = ("runs:read", "runs:write", "skills:read", "skills:write", "events:read")
    asked = [word for scope in scopes for word in ("--scope", scope)]
    token = _manage("create_api_token", "hostile", *asked, environment=environment).strip().splitlines()[-1]
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "--config", "config/gunicorn.conf.py", "donna_skills.wsgi:application"],
            cwd=settings.BASE_DIR,
            env=environment,
            stdout=sink,
            stderr=sink,
        )
    try:
        _wait_for(port, process, log)
        yield Server(port, process.pid, token, database, log)
    finally:
        process.terminate()
        process.wait(timeout=60)


def _environment(folder: Path, database: Path, port: int) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in {"REDIS_URL", "COVERAGE_PROCESS_START"}}
    return kept | {
        "DATABASE_URL": f"sqlite:///{database}",
        "DONNA_VAR_DIR": str(folder / "var"),
        "DONNA_MODEL_ADAPTER": "offline",
        "DONNA_API_RATE_PER_MINUTE": "100000",
        "BIND": "127.0.0.1",
        "PORT": str(port),
        "WEB_CONCURRENCY": str(WORKERS),
        "WEB_THREADS": "4",
        "WEB_PATIENCE": str(PATIENCE_S),
    }


def _manage(*words: str, environment: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _STARTS_WITHIN_S
    while process.poll() is None and time.monotonic() < until:
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            link.request("GET", "/api/v1/health")
            if link.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
        finally:
            link.close()
    raise AssertionError(f"The server did not start:\n{log.read_text()[-3000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _high_water_kb(status: Path) -> int:
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1])
