"""Read the environment once, and fail loudly: a setting that cannot be understood stops the process with a sentence."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, default).strip()


def flag(name: str, default: bool = False) -> bool:
    raw = os.environ.get(name)
    if raw is None:
        return default
    if raw.strip().lower() in _TRUE:
        return True
    if raw.strip().lower() in _FALSE:
        return False
    raise ImproperlyConfigured(f"{name}={raw!r} is neither yes nor no: use true or false.")


def integer(name: str, default: int, *, at_least: int = 0) -> int:
    raw = os.environ.get(name)
    if raw is None or not raw.strip():
        return default
    try:
        value = int(raw)
    except ValueError:
        raise ImproperlyConfigured(f"{name}={raw!r} is not a whole number.") from None
    if value < at_least:
        raise ImproperlyConfigured(f"{name}={raw} is too small: {at_least} is the least.")
    return value


def names(name: str, default: str = "") -> list[str]:
    """A comma-separated list, without blanks."""
    return [item.strip() for item in text(name, default).split(",") if item.strip()]


def loopback(name: str) -> str:
    """host:port on this machine, or empty: an address that others have is refused."""
    site = text(name)
    host, _, port = site.rpartition(":")
    if site and not (host in {"127.0.0.1", "localhost"} and port.isdecimal() and 0 < int(port) < 65_536):
        raise ImproperlyConfigured(f"{name}={site} is no address of this machine: 127.0.0.1:8000, for example.")
    return site


def folder(name: str, default: Path) -> Path:
    path = Path(text(name)) if text(name) else default
    if not path.is_dir():
        raise ImproperlyConfigured(f"{name}={path} is not a folder.")
    return path.resolve()


def database(name: str, *, default: str) -> dict[str, Any]:
    """DATABASE_URL as Django's settings; SQLite and PostgreSQL are the two databases that the suite passes on."""
    config: dict[str, Any] = environ.Env.db_url_config(text(name) or default)
    engine = config.get("ENGINE", "")
    if engine.endswith("sqlite3"):
        config.setdefault("CONN_MAX_AGE", 600)  # a connection a thread, not one a request with its pragmas
        config["OPTIONS"] = {
            # Writers queue at BEGIN instead of failing at their first write (SQLITE_BUSY cannot be retried by then).
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": (
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=20000; "
                "PRAGMA cache_size=-32000; PRAGMA temp_store=MEMORY;"
            ),
            **config.get("OPTIONS", {}),
        }
        return config
    if engine.endswith("postgresql"):
        config.setdefault("CONN_MAX_AGE", 60)
        config["CONN_HEALTH_CHECKS"] = True
        return config
    raise ImproperlyConfigured(f"{name} must start with sqlite:// or postgres://, not with another database's scheme.")


def email(name: str) -> dict[str, Any]:
    """EMAIL_URL as Django's EMAIL_* settings; mail goes to the log where none is given."""
    config: dict[str, Any] = environ.Env.email_url_config(text(name) or "consolemail://")
    return {key: value for key, value in config.items() if key.startswith("EMAIL_")}
