"""Which settings are in force, where each comes from, and what it may be: config/*.yaml and the environment.

A process reads its files once. A file that says something else by now is shown with what it says, because that waits
for a restart. Keys and passwords are never shown, only whether they are set.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from django.conf import settings
from django.db import connection
from django.utils.module_loading import import_string

from donna_skills import configuration

_PASSWORD_IN_URL = re.compile(r"//[^/@\s]+@")
_TYPES = {bool: "true or false", int: "whole number", str: "text"}


@dataclass(frozen=True)
class Setting:
    """One value. `source` is `file`, `environment` or `default`; `pending` is what the file says by now, where it
    differs."""

    name: str
    value: str
    default: str
    source: str
    allowed: str
    help: str
    changed: bool = False
    pending: str = ""


@dataclass(frozen=True)
class Group:
    """A file, or a section of one. `problem` says why the file as it is now would not be read."""

    heading: str
    file: str
    own: bool
    settings: list[Setting]
    problem: str = ""


@dataclass(frozen=True)
class Variable:
    """A setting of the environment."""

    name: str
    help: str
    value: Callable[[], object]


def groups() -> list[Group]:
    """Every configuration that settings.CONFIGURATIONS names."""
    return [_group(*entry) for entry in settings.CONFIGURATIONS]


def environment() -> list[Setting]:
    """What the environment decides, each with whether it does."""
    return [
        Setting(
            name=one.name,
            value=_words(one.value()),
            default="",
            source="environment" if os.environ.get(one.name) else "default",
            allowed="",
            help=one.help,
        )
        for one in ENVIRONMENT
    ]


def _config_folder() -> str:
    return "the shipped files" if settings.CONFIG_DIR == settings.SHIPPED_CONFIG_DIR else "a folder of one's own"


def _is_set(name: str) -> Callable[[], str]:
    return lambda: "set" if getattr(settings, name) else "not set"


ENVIRONMENT = (
    Variable("DATABASE_URL", "Which database.", lambda: connection.vendor),
    Variable(
        "REDIS_URL",
        "The broker and the cache of several machines.",
        lambda: "Redis" if settings.REDIS_URL else "the database",
    ),
    Variable("DONNA_ENVIRONMENT", "The name in the menu's foot.", lambda: settings.ENVIRONMENT),
    Variable("DONNA_CONFIG_DIR", "A folder with configuration of one's own.", _config_folder),
    Variable(
        "DONNA_MODEL_ADAPTER",
        "Who carries model calls out; empty lets the keys decide.",
        lambda: settings.MODEL_ADAPTER,
    ),
    Variable("ANTHROPIC_API_KEY", "Anthropic's models.", _is_set("ANTHROPIC_API_KEY")),
    Variable("OPENAI_API_KEY", "OpenAI's models.", _is_set("OPENAI_API_KEY")),
    Variable("OPENAI_BASE_URL", "A server that speaks OpenAI's protocol.", lambda: settings.OPENAI_BASE_URL),
    Variable("OLLAMA_BASE_URL", "A server with Ollama.", lambda: settings.OLLAMA_BASE_URL),
    Variable("DONNA_WORKERS", "Worker processes of one cluster.", lambda: settings.Q_CLUSTER.get("workers")),
    Variable("DONNA_LEASE_S", "Seconds after which silent work counts as dead.", lambda: settings.LEASE_S),
    Variable("DONNA_LEASE_RENEW_S", "Seconds between renewals of a lease.", lambda: settings.LEASE_RENEW_S),
    Variable(
        "DONNA_SCHEDULER_POLL_S", "Seconds between rounds of the scheduler.", lambda: settings.SCHEDULER_POLL_INTERVAL_S
    ),
    Variable(
        "DONNA_API_RATE_PER_MINUTE",
        "Requests that one token may make in a minute.",
        lambda: settings.API_RATE_PER_MINUTE,
    ),
    Variable(
        "PUBLIC_URL",
        "Where people reach this installation; links in messages begin with it.",
        lambda: settings.PUBLIC_URL,
    ),
    Variable("WEBHOOK_ALLOW_HOSTS", "Private hosts that messages may go to.", lambda: settings.WEBHOOK_ALLOW_HOSTS),
    Variable("EMAIL_URL", "Who sends e-mail.", lambda: settings.EMAIL_BACKEND.split(".")[-2]),
    Variable("DONNA_MAIL_FROM", "The sender of e-mail.", lambda: settings.DEFAULT_FROM_EMAIL),
    Variable("DONNA_HTTPS", "Cookies and redirects for https only.", lambda: settings.HTTPS),
    Variable("DEBUG", "Faults with their source; never on a server that others reach.", lambda: settings.DEBUG),
)


def _group(heading: str, file: str, section: str, dotted: str) -> Group:
    """The values as loaded, beside the file as it is now."""
    cls, path = import_string(dotted), configuration.file(file)
    in_force = configuration.load(cls, path, section=section or None)
    given, fresh, problem = _now(cls, path, section)
    # What a section of the same file has a group of its own for is not told twice.
    elsewhere = {other for _, name, other, _ in settings.CONFIGURATIONS if name == file and other}
    found = [
        dataclasses.replace(one, name=f"{section}.{one.name}" if section else one.name)
        for one in _settings(cls, in_force, given=given, fresh=fresh)
        if section or one.name.split(".")[0] not in elsewhere
    ]
    return Group(heading, file, path.parent != settings.SHIPPED_CONFIG_DIR, found, problem)


def _now(cls: type[Any], path: Any, section: str) -> tuple[Mapping[str, Any], Any, str]:
    """What the file gives at this moment, as it would be read, and why it would not."""
    try:
        content = configuration.read(path)
    except configuration.ConfigurationInvalid as error:
        return {}, None, " ".join(error.problems)
    given = content.get(section) if section else content
    fresh, problems = configuration.build(cls, given or {}, where=section)
    return (given if isinstance(given, Mapping) else {}), fresh, " ".join(problems)


def _settings(
    cls: type[Any], in_force: Any, *, given: Mapping[str, Any], fresh: Any, whole: Any = None, within: str = ""
) -> Iterator[Setting]:
    """One for each field; a field that is a dataclass of its own, or a mapping, gives one for each thing in it.

    `whole` is the default of the dataclass as a whole, where it is the value of another one's field.
    """
    hints = get_type_hints(cls)
    for field in dataclasses.fields(cls):
        name, value = f"{within}{field.name}", getattr(in_force, field.name)
        default = _default(field) if whole is None else getattr(whole, field.name)
        now = value if fresh is None else getattr(fresh, field.name)
        inner = given.get(field.name)
        inner = inner if isinstance(inner, Mapping) else {}
        if dataclasses.is_dataclass(value):
            yield from _settings(type(value), value, given=inner, fresh=now, whole=default, within=f"{name}.")
        elif isinstance(value, Mapping):
            for key in [*value, *(key for key in now if key not in value)]:
                yield _setting(f"{name}.{key}", value.get(key), given=key in inner, now=now.get(key))
        else:
            shown = _setting(name, value, given=field.name in given, now=now)
            told = {"allowed": _allowed(field, hints[field.name]), "help": str(field.metadata.get("help", ""))}
            yield dataclasses.replace(
                shown,
                **told,
                default="" if default is None else _words(default),
                changed=default is not None and value != default,
            )


def _setting(name: str, value: Any, *, given: bool, now: Any) -> Setting:
    return Setting(
        name=name,
        value=_words(value),
        default="",
        source="file" if given else "default",
        allowed="",
        help="",
        pending=_words(now) if now != value else "",
    )


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not dataclasses.MISSING else None


def _allowed(field: dataclasses.Field[Any], kind: Any) -> str:
    """The range in words, or the choices, or the type."""
    low, high = field.metadata.get("low"), field.metadata.get("high")
    if low is not None and high is not None:
        return f"{low:,} to {high:,}"
    if low is not None:
        return f"at least {low:,}"
    if get_origin(kind) is Literal:
        return ", ".join(map(str, get_args(kind)))
    if get_origin(kind) is tuple:
        return "a list"
    options = [one for one in get_args(kind) if one is not NoneType] or [kind]
    return _TYPES.get(options[0], "")


def _words(value: Any) -> str:
    """As the file would say it, without what may be a password in an address."""
    if value is None or value in ("", (), []):
        return "–"
    if isinstance(value, bool):
        return "true" if value else "false"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        given = [getattr(value, one.name) for one in dataclasses.fields(value) if _is_told(value, one)]
        return " ".join(_words(one) for one in given)
    if isinstance(value, list | tuple):
        return ", ".join(_words(one) for one in value)
    return _PASSWORD_IN_URL.sub("//…@", str(value))


def _is_told(value: Any, field: dataclasses.Field[Any]) -> bool:
    """Of a thing in a list, what it needs to be known by: what has no default, and an address."""
    return field.default is dataclasses.MISSING or (field.name == "base_url" and getattr(value, field.name))
