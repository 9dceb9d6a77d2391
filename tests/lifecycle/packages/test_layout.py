"""Files as such: paths, sizes, encodings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.packages import layout
from tests.lifecycle.packages.samples import codes, files


def test_the_sample_is_in_order():
    assert layout.check(files()) == ()


@pytest.mark.parametrize(
    "path", ["a.md", "steps/a.md", "references/über uns.md", "assets/x.tar.gz", ".hidden/a", "a..b"]
)
def test_an_ordinary_path_is_accepted(path):
    assert layout.path_problem(path) is None


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/etc/passwd",
            "../a",
            "a/../../b",
            "a/..",
            "..",
            ".",
            "./a",
            "a//b",
            "a/",
            "",
            "C:/a",
            "c:a",
            "a\\b",
            "..\\a",
        ),
        *("a\x00b", "a\nb", "a\x7f", "\ud800", "a" * 300, ".git/config", "__MACOSX/a", "x/.DS_Store"),
    ],
)
def test_a_path_that_could_leave_the_package_or_hide_is_refused(path):
    assert codes(layout.check({path: b""})) == ["path_invalid"]


@pytest.mark.parametrize(
    ("one", "other"), [("a.md", "A.md"), ("stra\u00dfe", "STRASSE"), ("\u00e9", "e\u0301"), ("a", "a/b")]
)
def test_paths_that_would_collide_on_some_file_system_are_refused(one, other):
    assert codes(layout.check({one: b"", other: b""})) == ["path_duplicate"]


def test_a_file_of_ten_megabytes_and_a_package_that_is_too_large_are_refused():
    assert codes(layout.check({"a.bin": b"x" * 10_000_000})) == ["file_too_large", "package_too_large"]
    assert codes(layout.check({f"{n}": b"x" * 900_000 for n in range(3)})) == ["package_too_large"]
    assert layout.check({"a": b"x" * layout.MAX_FILE_BYTES, "b": b"x" * layout.MAX_FILE_BYTES}) == ()


def test_two_hundred_files_are_accepted_and_one_more_is_not():
    many = {f"{n}": b"" for n in range(200)}
    assert layout.check(many) == ()
    assert codes(layout.check({**many, "last": b""})) == ["too_many_files"]


def test_text_files_must_be_utf_8_without_nul_and_other_files_need_not():
    assert codes(layout.check({"steps/a.md": b"\xff\xfe"})) == ["not_text"]
    assert codes(layout.check({"scripts/a.PY": b"a\x00b"})) == ["not_text"]
    assert layout.check({"assets/logo.png": b"\x89PNG\x00\xff"}) == ()


@given(st.dictionaries(st.text(max_size=12), st.binary(max_size=12), max_size=6))
def test_any_files_are_checked_without_an_exception(found):
    assert all(finding.message and finding.code for finding in layout.check(found))
