"""What a newcomer does: start everything, paste the printed line, press Ctrl-C. Real processes, their own database."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

pytestmark = pytest.mark.xdist_group("processes")


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
def running(tmp_path: Path, port: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The started application and what it printed until it was ready."""
    env = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL", "SECRET_KEY"}}
    process = subprocess.Popen(
        [sys.executable, "manage.py", "prepare", "--serve"],
        cwd=settings.BASE_DIR,
        env={**env, "PORT": str(port), "DONNA_VAR_DIR": str(tmp_path), "DONNA_DEMO": "no"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:
        printed += line
        if line.startswith("Ready:"):
            break
    yield process, printed
    if process.poll() is None:
        process.kill()
        process.wait()


def test_the_printed_line_answers_and_ctrl_c_leaves_no_process(
    running: tuple[subprocess.Popen[str], str], port: int, tmp_path: Path
) -> None:
    process, printed = running
    token = re.search(r"Bot token +(dsk_\w+)", printed)
    body = re.search(r"-d '(.+)'", printed)
    assert token and body, printed

    run = _post(port, "/api/v1/runs", body[1], token=token[1])

    assert (run["status"], run["path"]) == ("succeeded", "skill")
    assert "mechanic" in json.dumps(run["output"]).lower()
    assert run["output"]["priority"] == "urgent"
    assert len(_processes_in(tmp_path)) >= 3

    process.send_signal(signal.SIGINT)

    assert process.wait(timeout=30) == 0
    assert _eventually_none(tmp_path)


def _post(port: int, path: str, body: str, *, token: str) -> dict:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", path, body, {"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    assert answer.status == 201, text
    return json.loads(text)


def _processes_in(var: Path) -> list[int]:
    """The processes of this start, by the folder in their environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"DONNA_VAR_DIR={var}\0".encode() in entry.read_bytes():
                found.append(int(entry.parent.name))
        except OSError:
            continue
    return found


def _eventually_none(var: Path, *, within_s: float = 10.0) -> bool:
    until = time.monotonic() + within_s
    while _processes_in(var):
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True
