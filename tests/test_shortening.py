"""How much of a text fits on a page, whatever characters it is made of."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from donna_skills import shortening
from donna_skills.templatetags.ui import reveal, spelt_out


def test_what_fits_is_shown_whole_and_what_does_not_says_how_much_is_missing():
    assert shortening.cut("short", 1_000) == ("short", 0)
    assert shortening.cut("x" * 30, 20) == ("x" * 20, 10)
    assert shortening.cut("", 0) == ("", 0)
    assert "… and 1,980 more characters" in reveal("x" * 2_000, 20)
    assert "more characters" not in reveal("x" * 20, 20)


def test_a_character_that_is_spelt_out_takes_the_room_that_it_takes():
    assert shortening.weight("\u202e") > shortening.weight("<") > shortening.weight("x")
    assert len(reveal("\u202e" * 5_000, 2_000)) < 2_200
    assert spelt_out("a\u202eb", 300) == "aU+202Eb"
    assert spelt_out("x" * 400) == "x" * 300 + "…"


@given(st.text(), st.integers(min_value=1, max_value=500))
def test_what_is_shown_never_takes_more_room_than_there_is(text: str, most: int):
    shown, left = shortening.cut(text, most)
    assert text.startswith(shown) and left == len(text) - len(shown)
    assert len(reveal(shown, 10**9).encode("utf-8", "replace")) <= max(most, 1)


@given(st.text(alphabet="ab\n\u202e<", max_size=2_000), st.integers(min_value=100, max_value=600))
def test_the_parts_of_a_text_are_the_text(text: str, most: int):
    parts = shortening.pages(text, most)
    assert "".join(parts) == text and len(parts) >= 1
    assert all(shortening.weight(part) <= most for part in parts)


def test_texts_share_a_page_evenly_and_each_gets_enough_to_be_read():
    assert [shortening.share(texts) for texts in (0, 1, 10, 20, 1_000)] == [4_000, 4_000, 4_000, 2_000, 300]
