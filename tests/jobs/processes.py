"""Our own processes as subprocesses of a test, on the test's database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

from django.conf import settings
from django.db import connection


def database_url() -> str:
    """The address of the database that this test runs on."""
    found = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{found['NAME']}"
    secret = f":{found['PASSWORD']}" if found["PASSWORD"] else ""
    return f"postgres://{found['USER']}{secret}@{found['HOST']}:{found['PORT']}/{found['NAME']}"


def until(condition: Callable[[], Any], *, seconds: float = 30) -> Any:
    """Wait for a true answer, and give it back."""
    end = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < end, "It did not happen in time."
        time.sleep(0.05)
    return answer


class Process:
    """`manage.py <command>` (or another program of ours) in a process group of its own, which is gone after the block,
    whatever happened in it."""

    def __init__(self, *command: str, program: tuple[str, ...] = ("manage.py",), **environment: str) -> None:
        self._command = [sys.executable, *program, *command]
        self._environment = {**os.environ, "DATABASE_URL": database_url(), **environment}
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed when the block ends)

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            cwd=settings.BASE_DIR,
            env=self._environment,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        return self

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        self.kill()
        if failure:
            sys.stderr.write(self.output)  # pytest shows it with the failure
        self._log.close()

    @property
    def output(self) -> str:
        self._log.seek(0)
        return self._log.read()

    def tell(self, number: int) -> None:
        """Send the signal to the process alone, as a supervisor does."""
        self._process.send_signal(number)

    def wait(self, seconds: float = 20) -> int:
        return self._process.wait(seconds)

    def kill(self) -> None:
        """SIGKILL to every process of the group, as when a machine loses power."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def is_empty(self) -> bool:
        """Whether the group has no process left."""
        try:
            os.killpg(self._process.pid, 0)
        except ProcessLookupError:
            return True
        return False
