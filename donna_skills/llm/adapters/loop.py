"""One event loop in a thread of each process, on which every call to a provider runs under a total deadline.

A socket's own timeout starts anew with each byte, so a server that drips its answer would hold a worker for ever;
cancelling the task ends it. Connections live as long as the loop, and so are shared by all threads of the process.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, TypeVar

T = TypeVar("T")

# How long after the deadline a cancelled task may take to tidy up.
_CANCEL_GRACE_S = 5.0


class Loop:
    """The running loop, and what belongs to it: clients that must not outlive or leave it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._kept: dict[Hashable, Any] = {}
        threading.Thread(target=self._loop.run_forever, name="model-calls", daemon=True).start()

    def run(self, work: Coroutine[Any, Any, T], *, timeout_s: float) -> T:
        """Raises TimeoutError at the deadline."""
        future = asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, timeout_s), self._loop)
        try:
            return future.result(timeout_s + _CANCEL_GRACE_S)
        except BaseException:
            future.cancel()
            raise

    def keep(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, made once for this loop. Call it on the loop: then no two threads race."""
        if key not in self._kept:
            self._kept[key] = make()
        kept: T = self._kept[key]
        return kept


def current() -> Loop:
    """This process's loop, started when it is first needed."""
    global _current
    with _lock:
        if _current is None:
            _current = Loop()
        return _current


def _forget() -> None:
    """A forked child has the parent's memory, but not its threads: it starts a loop of its own."""
    global _current, _lock
    _current, _lock = None, threading.Lock()


_current: Loop | None = None
_lock = threading.Lock()
os.register_at_fork(after_in_child=_forget)
