"""A report as facts, tables and parts."""

from __future__ import annotations

from donna_skills import readable
from donna_skills.readable import Cell


def test_values_become_facts_lists_of_objects_tables_and_objects_parts() -> None:
    found = readable.part(
        {
            "drafted": 1,
            "cost_usd": "1.22",
            "dry_run": False,
            "note": "",
            "names": ["a", "b"],
            "stages": [{"stage": "detect", "ok": True}, {"stage": "draft", "why": None}],
            "window": {"since": "2026-10-22", "deeper": {"n": 3}},
        }
    )
    assert found.facts == [
        ("Drafted", Cell("text", 1)),
        ("Cost USD", Cell("money", "1.22")),
        ("Dry run", Cell("no")),
        ("Note", Cell("nothing")),
        ("Names", Cell("text", "a, b")),
    ]
    (table,) = found.tables
    assert (table.heading, table.columns) == ("Stages", ["Stage", "Ok", "Why"])
    assert table.rows[1] == [Cell("text", "draft"), Cell("nothing"), Cell("nothing")]
    (window,) = found.parts
    assert window.facts == [("Since", Cell("text", "2026-10-22"))]
    assert window.parts[0].facts == [("N", Cell("text", 3))]


def test_every_part_has_an_address_of_its_own() -> None:
    found = readable.part({"a": {"x": {"y": 1}}, "b": {"x": {"y": 1}}})
    paths = [found.path, *(one.path for one in found.parts), *(two.path for one in found.parts for two in one.parts)]
    assert len(paths) == len(set(paths)) == 5


def test_objects_that_hold_more_or_are_too_wide_are_parts_headed_by_their_name() -> None:
    lines = [{"skill": "parse_task", "says": "299 calls"}, {"skill": "tag_mail", "says": "9 calls"}]
    steps = [{"label": "Look for candidates", "counts": {"found": 4, "not_enough": 1}, "lines": lines}, {"lines": [{}]}]
    (found,) = readable.part({"steps": steps, "wide": []}).parts
    first, second = found.parts
    assert (found.heading, first.heading, second.heading) == ("Steps", "Look for candidates", "2")
    assert first.facts == [("Counts", Cell("text", "4 found, 1 not enough"))]
    assert first.tables[0].rows[1] == [Cell("text", "tag_mail"), Cell("text", "9 calls")]

    (wide,) = readable.part({"rows": [{str(number): number for number in range(20)}]}).parts
    assert len(wide.parts[0].facts) == 20


def test_what_is_too_deep_or_odd_stays_json() -> None:
    deep: dict[str, object] = {"bottom": {"value": 1}}
    for _ in range(5):
        deep = {"down": deep}
    found = readable.part(deep)
    while found.parts:
        found = found.parts[0]
    assert [cell.form for _, cell in found.facts] == ["json"]

    assert [cell.form for _, cell in readable.part({"mixed": [1, {"a": 2}]}).facts] == ["json"]
    assert readable.part({}).empty


def test_money_that_is_no_number_is_text_and_ids_are_known() -> None:
    found = dict(
        readable.part({"cost_usd": "much", "run": "0198c0de-0000-7000-8000-000000000000", "left_usd": 2}).facts
    )
    assert [cell.form for cell in found.values()] == ["text", "id", "money"]
