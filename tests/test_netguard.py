"""What may be fetched, and that nothing a server does holds us up or leads us home."""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from donna_skills import netguard
from donna_skills.netguard import Fetched, FetchFailed
from tests.lifecycle.execution.servers import PAGE, Server, serving


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


def fetch(server: Server, path: str, **more: Any) -> Fetched:
    return netguard.fetch(f"{server.url}{path}", allow_hosts=[server.host], **{"timeout_s": 5, **more})


def refusal(url: str, **more: Any) -> str:
    with pytest.raises(FetchFailed) as failed:
        netguard.fetch(url, **{"timeout_s": 5, **more})
    assert failed.value.message.endswith(".")
    return failed.value.code


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
        "169.254.169.254", "100.64.0.1", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1",
        "192.88.99.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "::1", "::7f00:1",
        "::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2001::1",
        "2001:db8::1", "fc00::1", "fd12::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "100::1", "4000::1",
        "5f00::1", "3fff::1",
    ],
)  # fmt: skip
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert not netguard.is_public(ipaddress.ip_address(address))
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(FetchFailed) as failed:
        netguard.check_target(f"http://{host}/")
    assert failed.value.code in {"target_refused", "unknown_host", "url_invalid"}


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700:4700::1111", "2a00::1"]
)
def test_an_ordinary_address_is_public(address: str) -> None:
    assert netguard.is_public(ipaddress.ip_address(address))
    host = f"[{address}]" if ":" in address else address
    assert netguard.check_target(f"https://{host}:8443/x") == (ipaddress.ip_address(address),)


@given(st.ip_addresses(v=6))
def test_no_address_outside_the_global_range_is_public(address: ipaddress.IPv6Address) -> None:
    if netguard.is_public(address):
        assert address in ipaddress.IPv6Network("2000::/3")
        assert address.ipv4_mapped is None
        assert address.sixtofour is None


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("ftp://a.example/", "url_invalid"),
        ("file:///etc/passwd", "url_invalid"),
        ("gopher://a.example", "url_invalid"),
        ("/relative", "url_invalid"),
        ("", "url_invalid"),
        ("http://", "url_invalid"),
        ("http:///x", "url_invalid"),
        ("http://user@a.example/", "url_invalid"),
        ("http://user:pw@a.example/", "url_invalid"),
        ("http://a.example\\@127.0.0.1/", "url_invalid"),
        ("http://a.example\n/", "url_invalid"),
        ("http://a\x00b/", "url_invalid"),
        ("http://a.example:99999999/", "url_invalid"),
        ("http://a.example:0/", "url_invalid"),
        ("http://[::1/", "url_invalid"),
        ("http://a.example/" + "x" * 5_000, "url_invalid"),
        ("http://2130706433/", "target_refused"),
        ("http://0x7f000001/", "target_refused"),
        ("http://0x7f.1/", "target_refused"),
        ("http://017700000001/", "target_refused"),
        ("http://0177.0.0.1/", "target_refused"),
        ("http://127.1/", "target_refused"),
        ("http://127.0.0.1./", "target_refused"),
        ("http://localhost/", "target_refused"),
        ("http://LOCALHOST:80/", "target_refused"),
        ("http://127.0.0.1:5432/", "target_refused"),
        ("http://[::1]/", "target_refused"),
        ("http://[::ffff:127.0.0.1]/", "target_refused"),
        ("http://[::ffff:7f00:1]/", "target_refused"),
        ("http://①②⑦.0.0.1/", "target_refused"),
        ("http://no-such-host.invalid/", "unknown_host"),
    ],
)
def test_a_url_that_may_not_be_fetched_is_refused(url: str, code: str) -> None:
    found = refusal(url)
    # Whether a full-width digit is no host or an address is the URL library's to say; neither is fetched.
    assert found == code or {found, code} == {"url_invalid", "target_refused"}


@given(st.text(max_size=40))
def test_any_text_as_a_url_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(FetchFailed):
        netguard.check_target(f"ftp://{text}")


def test_an_allowed_host_is_fetched(server: Server) -> None:
    answer = fetch(server, "/page?x=1#y")
    assert (answer.status, answer.body, answer.content_type) == (200, PAGE, "text/html")
    assert answer.url.startswith(f"{server.url}/page?x=1")
    method, path, headers = server.seen[-1]
    assert (method, path, headers["host"]) == ("GET", "/page?x=1", server.host)
    assert netguard.fetch(f"{server.url}/page", allow_hosts=["127.0.0.1"]).status == 200


def test_the_allowance_is_for_the_port_that_it_names(server: Server) -> None:
    assert refusal(f"{server.url}/page", allow_hosts=["127.0.0.1:1"]) == "target_refused"
    assert refusal(f"{server.url}/page", allow_hosts=["localhost"]) == "target_refused"


def test_the_connection_goes_to_the_address_that_was_checked(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name resolves to a public address once, and to this machine ever after: nobody asks a second time."""
    asked: list[str] = []
    connected: list[str] = []

    def resolve(host: str, port: int, **more: Any) -> list[Any]:
        asked.append(host)
        address = "93.184.216.34" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    def connect(address: tuple[str, int], *args: Any, **more: Any) -> socket.socket:
        connected.append(address[0])
        here = socket.socket()
        here.connect(("127.0.0.1", server.http.server_port))
        return here

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", connect)
    answer = netguard.fetch("http://rebinding.example/page", timeout_s=5)
    assert answer.status == 200
    assert asked == ["rebinding.example"]
    assert connected == ["93.184.216.34"]
    assert server.seen[-1][2]["host"] == "rebinding.example"


def test_a_name_with_one_private_address_among_others_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 80)) for ip in ("8.8.8.8", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **more: found)
    assert refusal("http://mixed.example/") == "target_refused"


def test_a_resolver_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **more: time.sleep(8) or [])
    started = time.perf_counter()
    assert refusal("http://slow.example/", timeout_s=0.2) == "timeout"
    assert time.perf_counter() - started < 7


def test_redirects_are_followed_to_allowed_places_only(server: Server) -> None:
    assert fetch(server, "/to-page").body == PAGE
    assert fetch(server, "/to-page").url == f"{server.url}/page"
    for place in (
        "http://127.0.0.1:1/",
        "http://localhost/",
        "http://169.254.169.254/latest/meta-data/",
        "http://2130706433/",
        "//[::1]/",
    ):
        server.elsewhere = place
        with pytest.raises(FetchFailed) as failed:
            fetch(server, "/to-elsewhere")
        assert failed.value.code == "target_refused", place
    for place, code in (
        ("file:///etc/passwd", "url_invalid"),
        ("http://[bad/", "unknown_host"),
        ("http://a@b/", "url_invalid"),
    ):
        server.elsewhere = place
        with pytest.raises(FetchFailed) as failed:
            fetch(server, "/to-elsewhere")
        assert failed.value.code == code, place


def test_redirects_end_somewhere(server: Server) -> None:
    before = len(server.seen)
    with pytest.raises(FetchFailed) as failed:
        fetch(server, "/round")
    assert failed.value.code == "too_many_redirects"
    assert len(server.seen) - before == 6


def test_headers_stay_with_the_server_that_they_were_for(server: Server) -> None:
    with serving() as other:
        server.elsewhere = f"{other.url}/page"
        allowed = [server.host, other.host]
        netguard.fetch(f"{server.url}/to-elsewhere", allow_hosts=allowed, headers={"X-Secret": "s"})
        assert server.seen[-1][2]["x-secret"] == "s"
        assert "x-secret" not in other.seen[-1][2]


def test_a_post_is_sent_once_and_follows_nothing(server: Server) -> None:
    answer = fetch(server, "/to-page", method="POST", body=b'{"a": 1}', headers={"Content-Type": "application/json"})
    assert answer.status == 302
    method, _, headers = server.seen[-1]
    assert (method, headers["x-body"], headers["content-type"]) == ("POST", '{"a": 1}', "application/json")
    assert fetch(server, "/page", method="HEAD").body == b""


@pytest.mark.parametrize("path", ["/large", "/lie", "/bomb"])
def test_too_much_is_refused_as_it_comes(server: Server, path: str) -> None:
    started = time.process_time()
    with pytest.raises(FetchFailed) as failed:
        fetch(server, path, max_bytes=1_000_000, timeout_s=120)
    assert failed.value.code == "too_large"
    assert time.process_time() - started < 15


@pytest.mark.parametrize("path", ["/drip", "/drip-headers", "/never"])
def test_slowness_ends_at_the_deadline(server: Server, path: str) -> None:
    started = time.perf_counter()
    with pytest.raises(FetchFailed) as failed:
        fetch(server, path, timeout_s=0.5)
    assert failed.value.code == "timeout"
    assert time.perf_counter() - started < 30


@pytest.mark.parametrize("path", ["/gzip", "/deflate", "/zlib"])
def test_compression_is_undone(server: Server, path: str) -> None:
    assert fetch(server, path).body == PAGE


@pytest.mark.parametrize("path", ["/broken-gzip", "/cut-gzip", "/brotli", "/cut", "/garbage", "/long-header"])
def test_a_broken_answer_is_a_failure(server: Server, path: str) -> None:
    with pytest.raises(FetchFailed) as failed:
        fetch(server, path)
    assert failed.value.code == "bad_answer"


def test_a_port_where_nobody_listens_is_unreachable() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert refusal(f"http://127.0.0.1:{port}/", allow_hosts=["127.0.0.1"]) == "unreachable"


def test_tls_is_verified(server: Server) -> None:
    assert refusal(f"https://{server.host}/", allow_hosts=["127.0.0.1"]) == "unreachable"


def test_text_is_read_in_its_charset(server: Server) -> None:
    assert fetch(server, "/latin").text == "é\x00"
    assert fetch(server, "/odd-charset").text == "x" * 10_000
    page = Fetched("u", 200, {"content-type": "text/html"}, b"<meta charset='windows-1252'>\x80")
    assert page.text.endswith("€")
    assert Fetched("u", 200, {}, "\ufeffé".encode()).text == "é"
    assert Fetched("u", 200, {}, b"\xff").text == "\ufffd"
