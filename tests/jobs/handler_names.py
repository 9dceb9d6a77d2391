"""The job kinds that tests use, by dotted names: importable by settings, before any model is."""

from __future__ import annotations

_KINDS = ("count", "refuse", "crash", "swallow", "overrun", "cancel_itself", "sleep", "kill_its_worker")
HANDLERS = {kind: f"tests.jobs.handlers.{kind}" for kind in _KINDS}
