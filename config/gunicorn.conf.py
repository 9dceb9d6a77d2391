"""The web process. BIND, PORT, WEB_CONCURRENCY and WEB_THREADS come from the environment."""

import logging
import os
import socket
import struct
from pathlib import Path
from typing import Any

_on_postgresql = os.environ.get("DATABASE_URL", "").startswith("postgres")

bind = f"{os.environ.get('BIND') or '127.0.0.1'}:{os.environ.get('PORT') or '8000'}"
worker_class = "gthread"
# SQLite has one writer at a time, so a second process adds only its memory; PostgreSQL gains from each core.
workers = int(os.environ.get("WEB_CONCURRENCY") or (min(os.cpu_count() or 1, 8) if _on_postgresql else 1))
threads = int(os.environ.get("WEB_THREADS") or 16)
# The application is loaded by each worker itself: threads and event loops started before a fork would not survive it.
preload_app = False
timeout = 120
# Requests under way when the process is told to stop get this long; a run that waits for a model may need it.
graceful_timeout = 30
keepalive = 15
max_requests = 20_000
max_requests_jitter = 2_000
# A heartbeat file on a disk can stall the worker; memory cannot.
_memory = Path("/dev/shm")  # noqa: S108 -- gunicorn makes the file's name there
worker_tmp_dir = str(_memory) if _memory.is_dir() else None
# It would be one socket in the home folder, shared by every gunicorn of this user.
control_socket_disable = True
# A thread waits this long for a caller to send or take the next piece, so that slow ones cannot keep all of them.
_PATIENCE_S = int(os.environ.get("WEB_PATIENCE") or 20)


def when_ready(server: Any) -> None:
    """Accepted connections inherit these options of the socket that listens; gunicorn itself waits without an end."""
    patience = struct.pack("@ll", _PATIENCE_S, 0)
    for listener in server.LISTENERS:
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            listener.sock.setsockopt(socket.SOL_SOCKET, option, patience)


class _OutOfPatience(logging.Filter):
    """gunicorn calls it an error, with a traceback, when a caller is given up: anybody could fill the log with it."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], BlockingIOError))


# Requests are in the application's own structured log, with their ids.
accesslog = None
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "donna_skills.logs.JsonFormatter"}},
    "filters": {"out_of_patience": {"()": _OutOfPatience}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json", "filters": ["out_of_patience"]}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        "gunicorn.error": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
        "gunicorn.access": {"handlers": [], "level": "WARNING", "propagate": False},
    },
}
