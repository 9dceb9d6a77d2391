"""Abuse of a live gunicorn: each request gets a clear answer, nothing is written, nothing is logged as our error."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from tests.contract import hostile
from tests.contract.server import PATIENCE_S, Answer, Server, running

NDJSON, ZIP = "application/x-ndjson", "application/zip"
# A refused decision leaves one row that says who tried what.
RECORD_OF_REFUSALS = "audit_auditevent"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("hostile")) as found:
        yield found


@pytest.fixture(autouse=True)
def _nothing_changes(server: Server) -> Iterator[None]:
    before, complaints = server.rows(), server.errors()
    yield
    after = server.rows()
    changed = {name: (before[name], after[name]) for name in after if before[name] != after[name]}
    changed.pop(RECORD_OF_REFUSALS, None)
    assert not changed
    assert server.errors()[len(complaints) :] == []


@pytest.fixture(scope="module")
def skill_id(server: Server) -> str:
    answer = server.send(server.head("GET", "skills?capability=parse_task"))
    return str(json.loads(answer.raw)["items"][0]["id"])


def refused(answer: Answer, status: int, code: str) -> dict[str, Any]:
    """The problem that the answer is, which must be this one."""
    found: dict[str, Any] = answer.problem
    assert (answer.status, found["status"], found["code"]) == (status, status, code), found
    assert found["detail"].endswith(".") and len(found["detail"]) < 1_000, found
    return found


@pytest.mark.parametrize(("body", "code"), hostile.BODIES.values(), ids=hostile.BODIES)
def test_a_bad_run_is_refused(server: Server, body: bytes, code: str):
    refused(server.post("runs", body), 422, code)


@pytest.mark.parametrize(("body", "code"), hostile.REPORTS.values(), ids=hostile.REPORTS)
def test_a_bad_report_is_refused(server: Server, body: bytes, code: str):
    refused(server.post("runs/report", body), 422, code)


@pytest.mark.parametrize(("status", "body", "code"), hostile.BATCHES.values(), ids=hostile.BATCHES)
def test_a_bad_batch_is_refused_whole(server: Server, status: int, body: bytes, code: str):
    refused(server.post("runs/batch", body, Content_Type=NDJSON), status, code)


@pytest.mark.parametrize("files", hostile.PACKAGES.values(), ids=hostile.PACKAGES)
def test_a_hostile_package_is_refused_with_its_findings(server: Server, skill_id: str, files: dict[str, str]):
    body = json.dumps({"files": [{"path": path, "text": text} for path, text in files.items()]}).encode()
    found = refused(server.post(f"skills/{skill_id}/versions", body), 422, "package_invalid")
    assert found["errors"] and all(error["message"] for error in found["errors"])


@pytest.mark.parametrize("body", hostile.ZIPS.values(), ids=hostile.ZIPS)
def test_a_hostile_zip_is_refused_with_its_findings(server: Server, skill_id: str, body: bytes):
    found = refused(server.post(f"skills/{skill_id}/versions", body, Content_Type=ZIP), 422, "package_invalid")
    assert found["errors"] and all(error["message"] for error in found["errors"])


@pytest.mark.parametrize(
    "file",
    [
        {"path": "a"},
        {"path": "a", "text": "x", "base64": "eA=="},
        {"path": "a", "base64": "no base64!"},
        {"path": "a", "base64": "ä"},
        {"path": "a" * 256, "text": ""},
        {"path": "a", "text": "x", "mode": "0777"},
    ],
    ids=["nothing", "both", "not base64", "not ASCII", "a long path", "a mode"],
)
def test_a_file_that_cannot_be_read_is_refused(server: Server, skill_id: str, file: dict[str, str]):
    refused(server.post(f"skills/{skill_id}/versions", json.dumps({"files": [file]}).encode()), 422, "invalid")


def test_ten_megabytes_are_refused_in_every_form_and_never_held(server: Server, skill_id: str):
    server.post("runs", hostile.run(wait="warm"))
    before = server.peak_memory_mb()
    body = b"x" * 10 * hostile.MB
    for path, kind in [("runs", "application/json"), ("runs/batch", NDJSON), (f"skills/{skill_id}/versions", ZIP)]:
        for _ in range(4):
            refused(server.post(path, body, Content_Type=kind), 413, "too_large")
    assert server.peak_memory_mb() - before < 8


def test_a_body_of_a_claimed_petabyte_is_refused_at_once(server: Server):
    refused(server.send(server.head("POST", "runs", Content_Length=str(10**15)) + b"{"), 413, "too_large")


def test_chunks_are_refused_because_nobody_knows_how_much_will_come(server: Server):
    head = server.head("POST", "runs", Transfer_Encoding="chunked")
    body = hostile.run()
    whole = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    refused(server.send(head + whole), 411, "length_required")
    refused(server.send(head + b"ffffff\r\n" + b"x" * 1_000), 411, "length_required")


def test_a_body_without_its_length_is_no_body(server: Server):
    refused(server.send(server.head("POST", "runs") + hostile.run()), 422, "invalid")


def test_a_body_shorter_than_it_claims_is_refused_even_where_it_could_be_read(server: Server):
    body = hostile.report()
    head = server.head("POST", "runs/batch", Content_Type=NDJSON, Content_Length=str(len(body) + 2))
    refused(server.send(head + body + b"\n", then_end=True), 400, "bad_request")


def test_a_body_longer_than_it_claims_is_cut_there(server: Server):
    body = hostile.run()
    refused(server.send(server.head("POST", "runs", Content_Length=str(len(body) - 5)) + body), 422, "malformed_json")


def test_a_body_that_stops_coming_is_given_up(server: Server):
    started = time.monotonic()
    head = server.head("POST", "runs", Content_Length="1000")
    refused(server.send(head + b'{"capability": '), 408, "body_too_slow")
    assert PATIENCE_S * 0.9 <= time.monotonic() - started < PATIENCE_S + 10


def test_silent_callers_do_not_keep_the_others_out(server: Server):
    """Twice as many as there are threads, half of them silent in the body and half in the head."""
    waiting = [socket.create_connection(("127.0.0.1", server.port), timeout=20) for _ in range(16)]
    for index, link in enumerate(waiting):
        link.sendall(server.head("POST", "runs", Content_Length="1000")[: None if index % 2 else 40])
    try:
        assert server.send(server.head("GET", "budget")).status == 200
    finally:
        for link in waiting:
            link.close()


def test_half_a_request_that_goes_away_harms_nobody(server: Server):
    for cut in (1, 20, 60, 200):
        with closing(socket.create_connection(("127.0.0.1", server.port), timeout=20)) as link:
            link.sendall((server.head("POST", "runs", Content_Length="500") + hostile.run())[:cut])
    assert server.send(server.head("GET", "health")).status == 200


HEALTH = b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n"
RUNS = b"POST /api/v1/runs HTTP/1.1\r\nHost: localhost\r\n"
MALFORMED = {
    "no version": (400, b"GET /api/v1/health\r\n\r\n"),
    "no such protocol": (400, b"GET /api/v1/health HTTP/9.9\r\nHost: localhost\r\n\r\n"),
    "a method in small letters": (400, b"get /api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    "a header without a colon": (400, HEALTH + b"nonsense\r\n\r\n"),
    "a header with a NUL": (400, HEALTH + b"X-A: a\x00b\r\n\r\n"),
    "a blank before the colon": (400, HEALTH + b"X-A : a\r\n\r\n"),
    "a folded header": (400, HEALTH + b"X-A: a\r\n b\r\n\r\n"),
    "two lengths": (400, RUNS + b"Content-Length: 2\r\nContent-Length: 9\r\n\r\n{}"),
    "a length and chunks": (400, RUNS + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "a length below nothing": (400, RUNS + b"Content-Length: -1\r\n\r\n"),
    "a length in words": (400, RUNS + b"Content-Length: ten\r\n\r\n"),
    "an unknown coding": (501, RUNS + b"Transfer-Encoding: magic\r\n\r\n"),
    "an endless line": (414, b"GET /api/v1/health?" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    "an endless header": (431, HEALTH + b"X-A: " + b"a" * 9_000 + b"\r\n\r\n"),
    "1 000 headers": (431, HEALTH + b"X-A: a\r\n" * 1_000 + b"\r\n"),
    "a TLS hello": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500 + b"\r\n\r\n"),
}


@pytest.mark.parametrize(("status", "raw"), MALFORMED.values(), ids=MALFORMED)
def test_what_is_not_http_is_refused_by_the_server_itself(server: Server, status: int, raw: bytes):
    assert server.send(raw, then_end=True).status == status


def test_a_foreign_host_is_refused_with_a_problem(server: Server):
    for host in ["evil.example", "localhost@evil.example", "[", "localhost:0x50", "a" * 300, ""]:
        refused(server.send(server.head("GET", "budget", Host=host)), 400, "bad_request")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "OPTIONS", "BREW"])
def test_an_unknown_method_is_told_which_there_are(server: Server, method: str):
    answer = server.send(server.head(method, "runs"))
    refused(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"


def test_a_head_is_a_get_without_its_body(server: Server):
    whole = server.send(server.head("GET", "capabilities/parse_task"))
    head = server.send(server.head("HEAD", "capabilities/parse_task"))
    assert (head.status, head.headers["etag"], head.raw) == (200, whole.headers["etag"], b"")


ADDRESSES = {
    "nowhere": ("nowhere", 404, "not_found"),
    "a NUL": ("skill-runs/%00", 404, "not_found"),
    "a newline": ("jobs/%0A", 404, "not_found"),
    "broken UTF-8": ("capabilities/%FF%FE", 404, "unknown_capability"),
    "upwards": ("../../etc/passwd", 404, None),
    "upwards, encoded": ("capabilities/..%2F..%2Fetc%2Fpasswd", 404, "not_found"),
    "an injection": ("capabilities/a'%20OR%201=1--", 404, "unknown_capability"),
    "no UUID": ("skills/1", 422, "invalid"),
    "a long name": ("capabilities/" + "a" * 3_000, 404, "unknown_capability"),
    "a version of 10**300": ("skills/00000000-0000-7000-8000-000000000000/versions/1" + "0" * 300, 404, "not_found"),
    "a version of 10**30": ("skills/00000000-0000-7000-8000-000000000000/versions/1" + "0" * 30, 404, "not_found"),
    "a limit of nought": ("skills?limit=0", 422, "invalid"),
    "a limit of 10**400": ("skills?limit=1" + "0" * 400, 422, "invalid"),
    "a limit in words": ("skills?limit=many", 422, "invalid"),
    "a cursor of nobody": ("skills?cursor=abcd", 422, "bad_cursor"),
    "a cursor of nonsense": ("skills?cursor=%F0%9F%98%80", 422, "bad_cursor"),
    "an events cursor below nothing": ("events?after=ZXZlbnQ6LTE", 422, "bad_cursor"),
    "a NUL in the query": ("skills?capability=a%00b", 422, "nul_character"),
    "an unknown state": ("skills?state=perfect", 422, "invalid"),
    "a time without its zone": ("skill-runs?since=2026-11-20T00:00:00", 422, "invalid"),
    "a time before all times": ("skill-runs?since=0001-01-01T00:00:00%2B14:00", 422, "invalid"),
    "600 parameters": ("skills?" + "&".join(f"a{n}=" for n in range(600)), 200, None),
    "an address of 8 000 characters": ("skills?capability=" + "a" * 8_000, 414, None),
}


@pytest.mark.parametrize(("path", "status", "code"), ADDRESSES.values(), ids=ADDRESSES)
def test_a_strange_address_is_answered_clearly(server: Server, path: str, status: int, code: str | None):
    answer = server.send(server.head("GET", path))
    assert answer.status == status, answer.raw[:500]
    if code:
        refused(answer, status, code)


TOKENS = [
    "",
    "Bearer",
    "Bearer ",
    "Basic YTpi",
    "Bearer dsk_x",
    "Bearer " + "a" * 5_000,
    "Bearer \xff\xfe",
    "bearer\tx",
]


@pytest.mark.parametrize("token", TOKENS)
def test_a_strange_token_opens_nothing(server: Server, token: str):
    answer = server.send(server.head("GET", "budget", Authorization=token))
    assert answer.status == answer.problem["status"] == 401


def test_a_key_that_cannot_be_kept_is_refused(server: Server):
    for key in ["", " ", "a b", "ä", "k" * 256]:
        refused(server.post("runs", hostile.run(), Idempotency_Key=key), 422, "idempotency_key_invalid")


def test_an_etag_of_anything_is_only_compared(server: Server):
    for tag in ["", "*,*", '"', "W/" * 1_000, "\xff", ","]:
        answer = server.send(server.head("GET", "packages/parse_task", If_None_Match=tag))
        assert answer.status == 200


def test_a_form_is_not_read_as_json(server: Server):
    kinds = [
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "multipart/form-data; boundary=x",
        "text/xml",
        "",
    ]
    for kind in kinds:
        assert server.post("runs", b"capability=parse_task&inputs=x", Content_Type=kind).problem["status"] == 422


def test_sixty_at_once_are_all_answered(server: Server):
    bodies = [body for body, _ in [*hostile.BODIES.values()]] * 2
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda body: server.post("runs", body), bodies[:60]))
    assert {answer.status for answer in answers} == {422}


def test_after_all_this_it_still_works(server: Server):
    package = server.send(server.head("GET", "packages/parse_task"))
    assert package.status == 200 and json.loads(package.raw)["version"] == 1
