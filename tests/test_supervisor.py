"""Real processes, started and stopped together; nothing is left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from donna_skills import supervisor

PROGRAM = """
import sys
from donna_skills.supervisor import Supervisor
sys.exit(Supervisor({commands!r}, address=("127.0.0.1", {port})).run())
"""
# A leader that notes its start, has a child of its own, and ends when it is asked to.
POLITE = """
import pathlib, signal, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
def end(*_):
    pathlib.Path(sys.argv[1] + ".ended").write_text("in order")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
pathlib.Path(sys.argv[1]).write_text(f"{child.pid}")
time.sleep(600)
"""


def test_the_procfile_names_the_three_processes() -> None:
    commands = supervisor.read_procfile(supervisor.ROOT / "Procfile")
    assert list(commands) == ["web", "worker", "scheduler"]
    assert all(words[0] in {"gunicorn", "python"} for words in commands.values())


def test_comments_and_blank_lines_of_a_procfile_are_not_processes(tmp_path: Path) -> None:
    (tmp_path / "Procfile").write_text("# web: nothing\n\nweb: server --name 'two words'\n")
    assert supervisor.read_procfile(tmp_path / "Procfile") == {"web": ["server", "--name", "two words"]}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_every_process_in_order_and_their_children_too(tmp_path: Path, number: int) -> None:
    notes = [tmp_path / "one", tmp_path / "two"]
    running = _start({note.name: [sys.executable, "-c", POLITE, str(note)] for note in notes})
    children = [_number_in(note) for note in notes]

    running.send_signal(number)

    assert running.wait(timeout=20) == 0
    assert [Path(f"{note}.ended").read_text() for note in notes] == ["in order", "in order"]
    assert _eventually(lambda: not any(_alive(child) for child in children))


def test_when_one_process_ends_the_others_are_stopped_and_the_code_says_so(tmp_path: Path) -> None:
    note = tmp_path / "lasting"
    brief = [sys.executable, "-c", f"import os, time\nwhile not os.path.exists({str(note)!r}): time.sleep(0.05)"]
    running = _start({"lasting": [sys.executable, "-c", POLITE, str(note)], "brief": brief})

    assert running.wait(timeout=20) == 1
    assert "The brief process ended with code 0" in _output(running)
    assert Path(f"{note}.ended").exists()


def test_a_second_signal_does_not_wait_for_the_stubborn(tmp_path: Path) -> None:
    note = tmp_path / "note"
    stubborn = (
        "import os, pathlib, signal, sys, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))\ntime.sleep(600)"
    )
    running = _start({"stubborn": [sys.executable, "-c", stubborn, str(note)]})
    pid = _number_in(note)

    began = time.monotonic()
    running.send_signal(signal.SIGINT)
    time.sleep(1)
    assert running.poll() is None
    running.send_signal(signal.SIGINT)

    assert running.wait(timeout=supervisor.GRACE_S) == 0
    assert time.monotonic() - began < supervisor.GRACE_S
    assert _eventually(lambda: not _alive(pid))


def test_it_says_when_the_port_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        running = _start({"one": [sys.executable, "-c", "import time; time.sleep(600)"]}, port=port)
        assert running.stdout is not None
        assert f"http://127.0.0.1:{port}/".encode() in running.stdout.readline()
        running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=20) == 0


def _start(commands: dict[str, list[str]], *, port: int = 1) -> subprocess.Popen[bytes]:
    program = PROGRAM.format(commands=commands, port=port)
    return subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=supervisor.ROOT
    )


def _output(running: subprocess.Popen[bytes]) -> str:
    assert running.stdout is not None
    return running.stdout.read().decode()


def _number_in(note: Path) -> int:
    assert _eventually(lambda: note.exists() and bool(note.read_text()))
    return int(note.read_text())


def _alive(pid: int) -> bool:
    """Whether a process runs; one that has ended but was not yet collected does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def _eventually(is_so: Callable[[], bool], *, within_s: float = 15.0) -> bool:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if is_so():
            return True
        time.sleep(0.05)
    return False
