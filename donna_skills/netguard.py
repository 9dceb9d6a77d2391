"""Fetch an address that somebody else chose, without letting it reach our own network or hold us up.

A name is resolved once, every address it has is checked, and the connection goes to a checked address with the URL's
own host in the Host header and in TLS: a name that resolves differently a moment later (DNS rebinding) gains nothing.
Every redirect goes through the same check. One deadline covers everything from the look-up to the last byte, and the
size limit counts bytes after decompression, as they come.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import threading
import time
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpcore
import httpx

from donna_skills.errors import DonnaError

MAX_REDIRECTS = 5
MAX_URL = 4_096
_USER_AGENT = "donna-skills"
_REDIRECTS = {301, 302, 303, 307, 308}

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Beside what Python calls not global: ranges whose answer differs between Python versions, and IPv6 ranges that carry
# an IPv4 address inside (mapped, compatible, NAT64, 6to4, Teredo), which would lead around the check.
_REFUSED = [
    ipaddress.ip_network(spelled)
    for spelled in (
        *("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "224.0.0.0/3"),
        *("64:ff9b::/32", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16"),
    )
]
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
_NUMERIC_HOST = re.compile(r"(0[xX][0-9a-fA-F]*|[0-9]+)(\.(0[xX][0-9a-fA-F]*|[0-9]+))*\.?")
_TEXT_CHARSETS = re.compile(
    r"(utf-?8|utf-?16([bl]e)?|us-ascii|ascii|iso-8859-\d{1,2}|latin-?1|windows-125\d|cp125\d|koi8-[ru]"
    r"|gbk|gb2312|gb18030|big5|shift[_-]jis|euc-(jp|kr))",
    re.IGNORECASE,
)


class FetchFailed(DonnaError):
    """The address may not be fetched, or could not be. Codes: url_invalid, target_refused, unknown_host, unreachable,
    timeout, too_large, too_many_redirects, bad_answer."""

    status, code, title = 422, "unreachable", "The address could not be fetched"


@dataclass(frozen=True)
class Fetched:
    """An answer: `url` is where the redirects ended; header names are in lower case."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def text(self) -> str:
        """The body in the charset that the answer names, UTF-8 otherwise; what cannot be read becomes U+FFFD."""
        named = re.search(r"charset\s*=\s*[\"']?([\w-]+)", self.headers.get("content-type", ""))
        if named is None and "html" in self.content_type:
            inside = re.search(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?([\w-]{1,30})", self.body[:2_048], re.IGNORECASE)
            charset = inside[1].decode("ascii", "replace") if inside else "utf-8"
        else:
            charset = named[1] if named else "utf-8"
        # Some of Python's codecs are no charsets, or take quadratic time.
        charset = charset if _TEXT_CHARSETS.fullmatch(charset) else "utf-8"
        return self.body.decode("utf-8-sig" if charset.lower() in ("utf-8", "utf8") else charset, "replace")


def fetch(
    url: str,
    *,
    timeout_s: float = 15.0,
    max_bytes: int = 2_000_000,
    allow_hosts: Collection[str] = (),
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    max_redirects: int = MAX_REDIRECTS,
) -> Fetched:
    """The answer, whatever its status; only GET and HEAD follow redirects. Raises FetchFailed.

    `allow_hosts` names hosts ("host" or "host:port") whose addresses are not checked: local servers of tests and demos.
    """
    deadline = _Deadline(timeout_s)
    target = _parsed(url)
    sent = dict(headers or {})
    for _ in range(max_redirects + 1):
        answer = _ask(target, method, sent, body, deadline, max_bytes, allow_hosts)
        place = answer.headers.get("location")
        if answer.status not in _REDIRECTS or place is None or method not in ("GET", "HEAD") or not max_redirects:
            return answer
        following = _parsed(_joined(target, place))
        if (following.scheme, following.host, following.port) != (target.scheme, target.host, target.port):
            sent = {}  # what the caller told one server is not for another
        target = following
    raise FetchFailed(f"{_short(url)} redirects more than {max_redirects} times.", code="too_many_redirects")


def check_target(url: str, allow_hosts: Collection[str] = (), *, timeout_s: float = 10.0) -> tuple[Address, ...]:
    """The addresses that the URL's host has, all of them open to us. Raises FetchFailed with the reason otherwise."""
    return _checked_addresses(_parsed(url), allow_hosts, _Deadline(timeout_s))


def is_public(address: Address) -> bool:
    """Whether the address is an ordinary one on the Internet."""
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL_V6:
        return False
    return not any(address in network for network in _REFUSED if network.version == address.version)


# -- the target ------------------------------------------------------------------------------------------------------


def _parsed(url: str) -> httpx.URL:
    if len(url) > MAX_URL:
        raise FetchFailed(f"The address is longer than {MAX_URL} characters.", code="url_invalid")
    try:
        target = httpx.URL(url.strip())
        host = target.raw_host.decode("ascii")
    except (httpx.InvalidURL, UnicodeError, ValueError, TypeError) as error:
        raise FetchFailed(f"{_short(url)} is not a web address.", code="url_invalid") from error
    if target.scheme not in ("http", "https") or not host:
        raise FetchFailed(
            f"{_short(url)} is not a web address: it must begin with http:// or https://.", code="url_invalid"
        )
    if not 0 < _port(target) < 65_536:
        raise FetchFailed(f"{_short(url)} names a port that there is not.", code="url_invalid")
    if target.userinfo or "\\" in url:
        raise FetchFailed("A web address may not carry a user name, a password or a backslash.", code="url_invalid")
    if _NUMERIC_HOST.fullmatch(host) and not _is_dotted_quad(host):
        raise FetchFailed(f"{host[:60]!r} is not a way to write a host.", code="target_refused")
    return target


def _is_dotted_quad(host: str) -> bool:
    try:
        return bool(ipaddress.IPv4Address(host))
    except ValueError:
        return False


def _joined(target: httpx.URL, place: str) -> str:
    try:
        return str(target.join(place))
    except (httpx.InvalidURL, UnicodeError, ValueError, TypeError) as error:
        raise FetchFailed(f"{target.host} redirects to something that is not an address.", code="bad_answer") from error


def _checked_addresses(target: httpx.URL, allow_hosts: Collection[str], deadline: _Deadline) -> tuple[Address, ...]:
    host, port = target.raw_host.decode("ascii").strip("[]").lower(), _port(target)
    addresses = _resolved(host, port, deadline)
    if {host, f"{host}:{port}", f"[{host}]:{port}"} & {allowed.lower() for allowed in allow_hosts}:
        return addresses
    if not all(is_public(address) for address in addresses):
        raise FetchFailed(f"{host[:100]} is inside a private network, so it is not fetched.", code="target_refused")
    return addresses


def _resolved(host: str, port: int, deadline: _Deadline) -> tuple[Address, ...]:
    """What the system's resolver says. It knows no time limit, so a thread of its own waits for it."""
    answers: list[Any] = []

    def look_up() -> None:
        try:
            answers.extend(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError, ValueError):
            answers.clear()

    thread = threading.Thread(target=look_up, daemon=True, name="netguard-resolve")
    thread.start()
    thread.join(deadline.left())
    if thread.is_alive():
        raise FetchFailed(f"The name {host[:100]} was not resolved in time.", code="timeout")
    found = tuple(dict.fromkeys(ipaddress.ip_address(str(answer[4][0])) for answer in answers))
    if not found:
        raise FetchFailed(f"There is no host {host[:100]!r}.", code="unknown_host")
    return found


def _port(target: httpx.URL) -> int:
    default = 443 if target.scheme == "https" else 80
    return default if target.port is None else target.port


# -- the exchange ----------------------------------------------------------------------------------------------------


def _ask(
    target: httpx.URL,
    method: str,
    headers: Mapping[str, str],
    body: bytes | None,
    deadline: _Deadline,
    max_bytes: int,
    allow_hosts: Collection[str],
) -> Fetched:
    addresses = _checked_addresses(target, allow_hosts, deadline)
    sent = {
        "Host": target.netloc.decode("ascii"),
        "User-Agent": _USER_AGENT,
        "Accept": "*/*",
        "Accept-Encoding": "gzip, deflate",
        "Connection": "close",
        **({} if body is None else {"Content-Length": str(len(body))}),
        **headers,
    }
    backend = _PinnedBackend(addresses, deadline)
    context = _tls() if target.scheme == "https" else None
    url = httpcore.URL(scheme=target.raw_scheme, host=target.raw_host, port=target.port, target=target.raw_path or b"/")
    try:
        with (
            httpcore.ConnectionPool(ssl_context=context, network_backend=backend) as pool,
            pool.stream(method, url, headers=list(sent.items()), content=body) as response,
        ):
            found = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
            parts = response.iter_stream()
            content = b"" if method == "HEAD" else _read(parts, found, deadline, max_bytes, target.host)
            return Fetched(url=str(target), status=response.status, headers=found, body=content)
    except (httpcore.TimeoutException, TimeoutError) as error:
        raise FetchFailed(f"{target.host} did not answer in time.", code="timeout") from error
    except (httpcore.NetworkError, OSError) as error:
        raise FetchFailed(f"{target.host} cannot be reached: {_reason(error)}.", code="unreachable") from error
    except (httpcore.ProtocolError, httpcore.UnsupportedProtocol, ValueError, TypeError) as error:
        raise FetchFailed(f"{target.host} does not speak proper HTTP: {_reason(error)}.", code="bad_answer") from error


def _read(parts: Iterable[bytes], headers: Mapping[str, str], deadline: _Deadline, max_bytes: int, host: str) -> bytes:
    content = bytearray()
    try:
        for part in _decompressed(parts, headers.get("content-encoding", ""), max_bytes + 1):
            deadline.left()
            content += part
            if len(content) > max_bytes:
                raise FetchFailed(f"{host} answers with more than {max_bytes} bytes.", code="too_large")
    except zlib.error as error:
        raise FetchFailed(f"{host} answers with broken compression.", code="bad_answer") from error
    return bytes(content)


def _decompressed(parts: Iterable[bytes], encoding: str, most: int) -> Iterator[bytes]:
    """The plain bytes, never more than `most` made of one part: a bomb stops at the limit, not after it."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        yield from parts
        return
    if name not in ("gzip", "x-gzip", "deflate"):
        raise FetchFailed(f"The answer is compressed with {name[:40]!r}, which was not asked for.", code="bad_answer")
    unpack: Any = None
    for part in parts:
        if unpack is None and part:
            unpack = zlib.decompressobj(_window(name, part))
        yield unpack.decompress(part, most) if part else b""
    if unpack is not None and not unpack.eof:
        raise zlib.error("cut short")


def _window(name: str, start: bytes) -> int:
    if name != "deflate":
        return 16 + zlib.MAX_WBITS
    # Servers send both kinds of deflate: with zlib's header, whose low half is 8, and without it.
    return zlib.MAX_WBITS if start[0] & 0x0F == 8 else -zlib.MAX_WBITS


class _Deadline:
    """One moment by which everything has to be over."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        left = self._end - time.monotonic()
        if left <= 0:
            raise FetchFailed("The answer did not arrive in time.", code="timeout")
        return left

    def at_most(self, timeout: float | None) -> float:
        left = self.left()
        return left if timeout is None else min(timeout, left)


class _PinnedBackend(httpcore.NetworkBackend):
    """Connects to the checked addresses, whatever the name would resolve to by now, and never past the deadline."""

    def __init__(self, addresses: tuple[Address, ...], deadline: _Deadline) -> None:
        self._addresses = addresses
        self._deadline = deadline
        self._system = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        failure: Exception = httpcore.ConnectError("no address")
        for address in self._addresses:
            try:
                stream = self._system.connect_tcp(str(address), port, timeout=self._deadline.at_most(timeout))
                return _TimedStream(stream, self._deadline)
            except httpcore.ConnectError as error:
                failure = error
        raise failure


class _TimedStream(httpcore.NetworkStream):
    """A stream whose every read and write ends by the deadline, however slowly the bytes drip."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: _Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.at_most(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.at_most(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        secured = self._stream.start_tls(ssl_context, server_hostname, self._deadline.at_most(timeout))
        return _TimedStream(secured, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


@cache
def _tls() -> Any:
    return httpx.create_ssl_context()


def _short(url: str) -> str:
    return repr(url[:120])


def _reason(error: Exception) -> str:
    return str(error)[:200].rstrip(".") or type(error).__name__
