"""Whatever is sent, the answer is a problem that a program can read; never a traceback, never HTML."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from donna_skills.errors import Invalid
from donna_skills.rest.parsing import MAX_DEPTH, parse_json
from tests.rest.conftest import Caller

MEMBERS = {"type", "title", "status", "code", "detail", "errors"}


def nested(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


@pytest.mark.parametrize(
    ("how", "status", "code"),
    [
        ("conflict", 409, "already_decided"),
        ("gate", 403, "human_gate_required"),
        ("budget", 429, "budget_paused"),
        ("model", 503, "model_unavailable"),
        ("gone", 410, "gone"),
        ("fields", 422, "invalid"),
        ("missing", 404, "not_found"),
        ("locked", 503, "database_busy"),
        ("lost", 503, "database_busy"),
        ("bug", 500, "internal_error"),
        ("value", 422, "value_out_of_range"),
        ("unforeseen", 500, "internal_error"),
    ],
)
def test_each_error_is_its_problem(db: None, how: str, status: int, code: str) -> None:
    answer = Client().get(f"/api/v1/fails/{how}")
    body = answer.json()
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code)
    assert answer["Content-Type"] == "application/problem+json"
    assert set(body) == MEMBERS and body["title"] and body["detail"].endswith(".")
    assert "secret" not in answer.content.decode()
    assert answer["X-Request-ID"]


def test_a_problem_that_passes_says_when_to_come_back(db: None) -> None:
    assert Client().get("/api/v1/fails/budget")["Retry-After"] == "90"
    assert Client().get("/api/v1/fails/locked")["Retry-After"] == "1"


def test_field_errors_say_where(db: None) -> None:
    assert Client().get("/api/v1/fails/fields").json()["errors"] == [
        {"path": "a.b", "message": "It is wrong.", "code": "wrong", "line": 3}
    ]


def test_what_nobody_foresaw_is_logged_in_full(db: None, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        Client().get("/api/v1/fails/unforeseen")
    (record,) = [record for record in caplog.records if record.name == "donna_skills.rest.problems"]
    assert record.exc_info and "secret detail" in str(record.exc_info[1])


@pytest.mark.parametrize("path", ["/nothing", "/nothing/", "/", "/things/1/2/3", "/named/a%00b"])
@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_an_unknown_address_is_a_404_problem_with_any_method(bot: Caller, path: str, method: str) -> None:
    client = Client(enforce_csrf_checks=True)
    answer = getattr(client, method)(f"/api/v1{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer["Content-Type"] == "application/problem+json"


def test_the_wrong_method_is_a_405_problem_that_names_the_right_ones(bot: Caller) -> None:
    answer = bot.client.delete("/api/v1/documents/1")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert sorted(answer["Allow"].split(", ")) == ["GET", "PATCH"]
    assert answer["Content-Type"] == "application/problem+json"


def test_head_is_answered_like_get(bot: Caller) -> None:
    answer = bot.client.head("/api/v1/documents/1")
    assert (answer.status_code, answer["ETag"]) == (200, bot.get("/documents/1")["ETag"])
    assert bot.client.head("/api/v1/echo").status_code == 405


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "malformed_json"),
        (b"nonsense", "malformed_json"),
        (b"{} {}", "malformed_json"),
        (b"\xff\xfe", "malformed_json"),
        (b'{"a": "\xff"}', "malformed_json"),
        (b'{"a": "\\ud800"}', "malformed_json"),
        (b'{"a": "\x00"}', "malformed_json"),
        (b'{"a": NaN}', "malformed_json"),
        (b'{"a": -Infinity}', "malformed_json"),
        (b'{"a": ["b", "x\\u0000y"]}', "nul_character"),
        (b'{"a\\u0000": 1}', "nul_character"),
        (b'{"a": 9223372036854775808}', "number_out_of_range"),
        (b'{"a": -9223372036854775809}', "number_out_of_range"),
        (b'{"a": 1e999}', "number_out_of_range"),
        (b'{"a": ' + b"9" * 400 + b".5}", "number_out_of_range"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "number_out_of_range"),
        (nested(MAX_DEPTH + 1), "too_deep"),
        (b"[" * 100_000, "too_deep"),
        (b"", "invalid"),
        (b"null", "invalid"),
        (b"[]", "invalid"),
        (b'"text"', "invalid"),
    ],
)
def test_json_that_cannot_be_stored_is_422_with_a_code(bot: Caller, body: bytes, code: str) -> None:
    answer = bot.post("/echo", body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert set(answer.json()) == MEMBERS


def test_what_only_looks_suspect_is_let_through(bot: Caller) -> None:
    body = b'{"a": "\\\\u0000", "b": 9223372036854775807, "c": -9223372036854775808, "d": 1e300, "e": "%s"}' % (
        b"[" * 99
    )
    answer = bot.post("/echo", body)
    assert answer.status_code == 200
    assert answer.json()["payload"]["b"] == 2**63 - 1
    assert bot.post("/echo", nested(MAX_DEPTH)).status_code == 200


def test_the_place_of_a_bad_value_is_named(bot: Caller) -> None:
    errors = bot.post("/echo", b'{"a": {"b": [1, "\\u0000"]}}').json()["errors"]
    assert [error["path"] for error in errors] == ["a.b.1"]


def test_field_errors_have_the_paths_that_the_caller_wrote(bot: Caller) -> None:
    body = bot.post("/things", {"name": 1, "inputs": []}).json()
    assert [error["path"] for error in body["errors"]] == ["name", "inputs"]
    assert body["code"] == "invalid" and "name, inputs" in body["detail"]
    assert [error["path"] for error in bot.post("/things", {}).json()["errors"]] == ["name"]
    assert bot.get("/documents/nonsense").json()["errors"][0]["path"] == "number"


def test_a_nul_in_the_query_is_422(bot: Caller) -> None:
    answer = bot.post("/echo?flavour=a%00b", {})
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (422, "flavour")


@pytest.mark.parametrize("size", [1_048_577, 10_000_000])
def test_a_body_over_a_megabyte_is_413(bot: Caller, size: int) -> None:
    answer = bot.post("/echo", b'{"a": "' + b"x" * size + b'"}')
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_a_body_just_under_a_megabyte_is_read(bot: Caller) -> None:
    assert bot.post("/echo", b'{"a":"' + b"x" * (1_048_576 - 8) + b'"}').status_code == 200


def test_lines_of_json_are_parsed_by_the_same_rules(bot: Caller) -> None:
    assert bot.post("/lines", b'{"a": 1}\n[2]').json() == [{"a": 1}, [2]]
    assert bot.post("/lines", b'{"a": 1}\n{"a": NaN}').json()["code"] == "malformed_json"


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data", "multipart/form-data; boundary=x", "multipart/form-data; boundary=\xe9", "x"],
)
def test_a_broken_upload_is_a_problem(bot: Caller, content_type: str) -> None:
    answer = bot.client.post("/api/v1/files", data=b"nonsense", content_type=content_type)
    assert answer.status_code in {400, 422}
    assert answer["Content-Type"] == "application/problem+json"


def test_an_upload_is_read(bot: Caller) -> None:
    file = io.BytesIO(b"12345")
    file.name = "five.txt"
    assert bot.client.post("/api/v1/files", {"file": file}).json() == {"size": 5}


@pytest.mark.parametrize("debug", [True, False])
def test_debug_changes_nothing_about_problems(bot: Caller, settings: Any, debug: bool) -> None:
    settings.DEBUG = debug
    assert bot.post("/echo", b"{").json()["code"] == "malformed_json"
    assert bot.get("/fails/unforeseen").json()["code"] == "internal_error"


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_json_or_refused(raw: bytes) -> None:
    try:
        parse_json(raw)
    except Invalid as refused:
        assert refused.message.endswith(".")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=20,
    )
)
def test_a_value_comes_back_as_it_was_or_is_refused_for_a_reason(value: Any) -> None:
    raw = json.dumps(value)
    try:
        assert parse_json(raw.encode()) == value
    except Invalid as refused:
        huge = any(len(part) >= 19 for part in raw.replace("-", " ").replace(",", " ").split())
        assert (refused.code, True) in {("nul_character", "\\u0000" in raw), ("number_out_of_range", huge)}
