"""Values against schemas, and schemas that nobody should have to run."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.execution import schemas

from .test_canonical import JSON

AT_MOST_S = 8.0
DOUBLING = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)} | {"d40": {}}
KEYWORDS = st.sampled_from(["type", "items", "properties", "allOf", "$ref", "enum", "const", "minimum"])


def test_problems_name_the_place_and_the_reason() -> None:
    schema = {
        "type": "object",
        "properties": {"a/b": {"type": "array", "items": {"type": "integer"}}},
        "required": ["title"],
        "additionalProperties": False,
    }
    found = dict(schemas.problems({"a/b": [1, "x"], "more": 1}, schema))
    assert "'x' is not of type 'integer'." in found["/a~1b/1"]
    assert "" in found
    assert schemas.problems({"a/b": [1], "title": 2}, {**schema, "additionalProperties": True}) == []
    messages = " ".join(message for _, message in schemas.problems({"more": 1}, schema))
    assert "'title' is a required property" in messages
    assert "'more' may not be there" in messages


def test_no_more_than_twenty_problems_are_told() -> None:
    assert len(schemas.problems(["x"] * 500, {"items": {"type": "integer"}})) == 20
    assert all(len(message) <= 400 for _, message in schemas.problems(["x" * 9_999], {"items": {"type": "integer"}}))


def test_the_draft_is_the_one_that_the_schema_names() -> None:
    tuple_7 = {"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"type": "integer"}]}
    assert schemas.problems(["x"], tuple_7) != []
    tuple_2020 = {"$schema": "https://json-schema.org/draft/2020-12/schema", "prefixItems": [{"type": "integer"}]}
    assert schemas.problems(["x"], tuple_2020) != []
    assert "neither 2020-12 nor draft 7" in str(
        schemas.schema_problem({"$schema": "https://json-schema.org/draft/2019-09/schema"})
    )


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "nope"},
        {"properties": []},
        {"pattern": "("},
        [],
        "x",
        {"minimum": float("nan")},
        {"a": object()},
        {"required": 1},
    ],
)
def test_a_schema_that_is_none_is_a_problem_of_everything(schema: Any) -> None:
    assert schemas.schema_problem(schema)
    assert schemas.problems(1, schema)[0][0] == ""


def test_references_stay_inside_the_schema() -> None:
    inside = {"$defs": {"n": {"type": "integer"}}, "properties": {"a": {"$ref": "#/$defs/n"}}}
    assert schemas.problems({"a": 1}, inside) == []
    assert schemas.problems({"a": "x"}, inside)[0][0] == "/a"
    for outside in ("https://example.com/schema.json", "file:///etc/passwd", "#/$defs/absent", "other.json"):
        found = schemas.problems({"a": 1}, {"properties": {"a": {"$ref": outside}}})
        assert "which it does not hold" in found[0][1]


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date", ["2026-11-21", "2024-02-29"], ["2026-02-29", "20261121", "2026-W01-1", "21.11.2026", ""]),
        (
            "date-time",
            ["2026-11-21T10:00:00Z", "2026-11-21t10:00:00.123456789+02:00"],
            ["2026-11-21", "2026-11-21T10:00:00", "2026-13-21T10:00:00Z", "2026-11-21T25:00:00Z"],
        ),
        ("email", ["a@b.example", "a.b+c@d-e.co"], ["a", "a@", "@b", "a b@c.d", "a@b..c", "a@-b.c", "a@b@c"]),
        (
            "uri",
            ["https://a.example/x?y=1#z", "mailto:a@b.example", "http://[::1]:80/"],
            ["/relative", "a b", "http://a b", "ex ample:x", "http://[zz]/", "http://a:port/", "é:x", "1a:x"],
        ),
    ],
)
def test_formats_are_checked(name: str, good: list[str], bad: list[str]) -> None:
    for value in [*good, 5, None]:
        assert schemas.problems(value, {"format": name}) == [], value
    for value in bad:
        assert schemas.problems(value, {"format": name}) != [], value


def test_unique_items_and_patterns_work_within_their_bounds() -> None:
    assert schemas.problems([{"a": n} for n in range(20_000)], {"uniqueItems": True}) == []
    assert schemas.problems([{"a": 1}, {"a": 1.0}], {"uniqueItems": True}) != []
    assert schemas.problems("ab1", {"pattern": "^[a-z]+\\d$"}) == []
    assert schemas.problems("1ab", {"pattern": "^[a-z]+\\d$"}) != []
    named = {"patternProperties": {"^x_": {"type": "integer"}}, "additionalProperties": {"type": "string"}}
    assert schemas.problems({"x_a": 1, "b": "s"}, named) == []
    assert {path for path, _ in schemas.problems({"x_a": "s", "b": 1}, named)} == {"/x_a", "/b"}
    assert "together with" in str(schemas.schema_problem({"unevaluatedProperties": False, "patternProperties": {}}))


@pytest.mark.parametrize(
    ("instance", "schema"),
    [
        ("a" * 5_000 + "!", {"pattern": "^(a|a)*$"}),
        ("a" * 5_000 + "!", {"pattern": "^(a+)+$"}),
        ({"a" * 5_000 + "!": 1}, {"patternProperties": {"^(a|a)*$": {}}}),
        ({"a" * 5_000 + "!": 1}, {"additionalProperties": False, "patternProperties": {"^(a+)+$": {}}}),
        ("x", {"pattern": "a" * 1_000}),
        (1, {"$defs": DOUBLING, "$ref": "#/$defs/d0"}),
        (1, {"$ref": "#"}),
        (1, {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}),
    ],
)  # fmt: skip
def test_a_schema_that_would_take_for_ever_ends_as_a_problem(instance: Any, schema: dict[str, Any]) -> None:
    started = time.thread_time()
    assert schemas.problems(instance, schema)
    assert time.thread_time() - started < AT_MOST_S


def test_a_deep_schema_and_a_long_one_are_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(5_000):
        deep = {"not": deep}
    assert schemas.schema_problem(deep)
    assert "longer than" in str(schemas.schema_problem({"description": "x" * 300_000}))


@given(JSON, JSON)
def test_anything_against_anything_gives_a_list(instance: Any, schema: Any) -> None:
    assert isinstance(schemas.problems(instance, schema), list)


@given(st.dictionaries(KEYWORDS, JSON))
def test_schema_like_things_give_a_list(schema: dict[str, Any]) -> None:
    assert isinstance(schemas.problems([{"a": 1}], schema), list)
