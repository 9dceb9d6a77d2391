"""No connection into the private network while a library talks to addresses that people typed in.

Apprise resolves names and connects by itself, so a check of its URL beforehand could be led around by a name that
resolves differently the second time, by a redirect, or by a plug-in that takes its host from an odd place. Python asks
audit hooks before every connect(): this one refuses there, at the address that is really about to be used, whichever
library made it. Apprise copies the context into its threads, so the rule holds in them too.
"""

from __future__ import annotations

import contextvars
import ipaddress
import socket
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from donna_skills import netguard
from donna_skills.errors import DonnaError

_EVENTS = {"socket.connect", "socket.sendto", "socket.sendmsg"}


class TargetRefused(DonnaError):
    """Raised out of connect() for an address that is neither public nor allow-listed."""

    status, code, title = 422, "target_refused", "Private addresses are refused"


class Watch:
    """What happened in a block: libraries tend to swallow the exception, so the refusal is kept here as well."""

    def __init__(self, allowed: frozenset[tuple[str, int | None]]) -> None:
        self.allowed = allowed
        self.refused: TargetRefused | None = None


_watch: contextvars.ContextVar[Watch | None] = contextvars.ContextVar("public_only_watch", default=None)


@contextmanager
def public_connections_only(allow_hosts: Collection[str]) -> Iterator[Watch]:
    """Within the block this context connects to public addresses and to the allow-listed hosts, nowhere else."""
    _install()
    watch = Watch(_addresses(allow_hosts))
    token = _watch.set(watch)
    try:
        yield watch
    finally:
        _watch.reset(token)


@cache
def _install() -> None:
    """Once per process, and only in one that needs it: a hook cannot be removed, and is asked about every event."""
    sys.addaudithook(_refuse_private)


def _refuse_private(event: str, args: tuple[Any, ...]) -> None:
    if event not in _EVENTS or (watch := _watch.get()) is None:
        return
    address = args[1]
    # No address: a datagram on a socket that is connected, which was asked about when it was connected.
    if address is None or _may(address, watch.allowed):
        return
    host = address[0] if isinstance(address, tuple) else address
    watch.refused = TargetRefused(f"{host!s:.100} is inside a private network, so nothing is sent there.")
    raise watch.refused


def _may(address: Any, allowed: frozenset[tuple[str, int | None]]) -> bool:
    """A name is refused like a private address (connect() would resolve it unseen), and so is a socket in a file."""
    if not isinstance(address, tuple):
        return False
    host, port = str(address[0]).partition("%")[0], address[1]
    try:
        return netguard.is_public(ipaddress.ip_address(host)) or bool({(host, port), (host, None)} & allowed)
    except ValueError:
        return False


def _addresses(allow_hosts: Collection[str]) -> frozenset[tuple[str, int | None]]:
    """Where the hosts of the allow-list ("host" or "host:port") live now. One that has no address allows nothing."""
    found: set[tuple[str, int | None]] = set()
    for allowed in allow_hosts:
        host, _, port = allowed.rpartition(":") if allowed.rpartition(":")[2].isdigit() else (allowed, "", "")
        try:
            answers = socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)
        except OSError:
            continue
        found |= {(str(answer[4][0]), int(port) if port else None) for answer in answers}
    return frozenset(found)
