"""`python -m donna_skills.supervisor`: the Procfile's processes on one machine, started together and stopped together.

1. Each process gets a session of its own, so that Ctrl-C reaches only this one and the rest is stopped in order.
2. On SIGINT, SIGTERM or a closed terminal (SIGHUP), and when one of the processes ends by itself, every leader gets
   SIGTERM: gunicorn finishes its requests, the worker its task, the scheduler its round.
3. What is still there after GRACE_S, and whatever a leader left behind in its session, is killed. A second Ctrl-C does
   not wait. Work that was cut off is found again by its lease.

Plain Python: it needs neither Django nor a database. On several machines systemd or containers do this job.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GRACE_S = 12.0
READY_WITHIN_S = 60.0
_POLL_S = 0.1
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> int:
    return Supervisor(read_procfile(ROOT / "Procfile")).run()


def read_procfile(path: Path) -> dict[str, list[str]]:
    """The lines `name: command`, as name to arguments. No shell is involved, so a command is just words."""
    commands = {}
    for line in path.read_text().splitlines():
        name, colon, command = line.partition(":")
        if colon and not line.startswith("#"):
            commands[name.strip()] = shlex.split(command)
    return commands


class Supervisor:
    """Runs the commands until one of them ends or a signal comes."""

    def __init__(self, commands: Mapping[str, list[str]], *, address: tuple[str, int] | None = None) -> None:
        self._commands = commands
        self._address = address or (_reachable(os.environ.get("BIND", "")), int(os.environ.get("PORT") or 8000))
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._signals: list[int] = []

    def run(self) -> int:
        """Start, watch, stop. Returns 0 after a signal, otherwise 1: no process of ours ends by itself."""
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup means it
                signal.signal(number, lambda number, frame: self._signals.append(number))
        try:
            for name, command in self._commands.items():
                self._processes[name] = _start(command)
            ended = self._watch()
        finally:
            self._stop()
        if ended:
            _say(f"The {ended} process ended with code {self._processes[ended].returncode}; the others were stopped.")
        return 1 if ended else 0

    def _watch(self) -> str | None:
        """The name of the process that ended by itself, or None after a signal."""
        announce_until = time.monotonic() + READY_WITHIN_S
        while not self._signals:
            for name, process in self._processes.items():
                if process.poll() is not None:
                    return name
            if announce_until and self._answers():
                _say(f"Ready: http://{self._address[0]}:{self._address[1]}/ (Ctrl-C stops everything)")
                announce_until = 0.0
            elif announce_until and time.monotonic() > announce_until:
                _say("The web process has not opened its port yet; its log above may say why.")
                announce_until = 0.0
            time.sleep(_POLL_S)
        return None

    def _answers(self) -> bool:
        try:
            socket.create_connection(self._address, timeout=0.2).close()
        except OSError:
            return False
        return True

    def _stop(self) -> None:
        if self._signals:
            _say("Stopping.")
        for process in self._processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        signals_so_far = len(self._signals)
        until = time.monotonic() + GRACE_S
        while any(process.poll() is None for process in self._processes.values()):
            if time.monotonic() > until or len(self._signals) > signals_so_far:
                break
            time.sleep(_POLL_S)
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _start(command: list[str]) -> subprocess.Popen[bytes]:
    # The programs of this interpreter's environment come first, whether or not it was activated.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return subprocess.Popen(  # noqa: S603 -- the words of our own Procfile
        command, cwd=ROOT, env={**os.environ, "PATH": path}, stdin=subprocess.DEVNULL, start_new_session=True
    )


def _reachable(bind: str) -> str:
    """The address to knock at: one that listens everywhere answers here, too."""
    return "127.0.0.1" if bind in {"", "0.0.0.0"} else bind  # noqa: S104 -- compared, not bound


def _say(sentence: str) -> None:
    # The terminal may be gone: that is one of the reasons for stopping.
    with contextlib.suppress(OSError):
        print(sentence, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
