"""Hidden text is found in whatever it hides, and writing that needs invisible characters is left alone."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.decisions.hiddentext import hidden, unescaped

ORDINARY = [
    "plain text\twith\r\nlines",
    "Grüße, naïve café — “quotes” … 東京 한국어 Ελληνικά עברית العربية",
    "\ufeffa byte order mark at the very start",
    "می\u200cخواهم",  # Persian needs the non-joiner
    "क्\u200dष",
    "family 👨\u200d👩\u200d👧 and 👩🏽\u200d💻, heart ❤\ufe0f\u200d🔥, flag 🏳\ufe0f\u200d🌈",
    "keycap 1\ufe0f\u20e3 and ℹ\ufe0f and ☎\ufe0f",
    "flag \U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f of England",
    "葛\U000e0100城市",
]
TRICKS = [
    *("\u202eevil", "a\u2066b\u2069", "x\u200ey", "zero\u200bwidth", "soft\u00adhyphen", "word\u2060joiner"),
    *("a\u200db", "a\ufe0fb", "late\ufeffmark", "filler\u3164", "braille\u2800", "\x1b[8mhidden", "nul\x00", "\x7f"),
    *("tags \U000e0069\U000e0067\U000e006e", "❤\ufe0f\ufe0f", "a\U000e0150", "\U0001f3f4\U000e0067 no end", "\u0085"),
    "\U0001f3f4" + "\U000e0067" * 9 + "\U000e007f",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_writing_is_no_trick(text: str) -> None:
    assert list(hidden(text)) == []


@pytest.mark.parametrize("text", TRICKS, ids=ascii)
def test_a_trick_is_found(text: str) -> None:
    assert list(hidden(text)) != []


def test_it_says_where_and_what() -> None:
    assert list(hidden("one\ntwo\n\u202ethree")) == [(3, "U+202E right-to-left override")]


@given(st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs", "Sc"]), max_size=60))
def test_letters_digits_and_signs_are_never_hidden(text: str) -> None:
    fillers = "\u115f\u1160\u3164\uffa0"
    assert list(hidden(text.translate(dict.fromkeys(map(ord, fillers))))) == []


@given(st.text(max_size=30), st.text(max_size=30))
def test_an_override_is_found_wherever_it_stands(before: str, after: str) -> None:
    assert any(name.startswith("U+202E") for _, name in hidden(f"{before}\u202e{after}"))


@given(st.text(st.characters(codec="utf-8", exclude_characters="\\"), max_size=30))
def test_escapes_of_json_are_read_as_the_text_they_stand_for(text: str) -> None:
    written = "".join(one if one.isascii() else json.dumps(one)[1:-1] for one in text)
    assert unescaped(written) == text


def test_what_is_no_escape_stays() -> None:
    assert unescaped(r"\\u202e") == r"\\u202e"
    assert unescaped(r"\ud800 alone") == r"\ud800 alone"
    assert unescaped(r"\UFFFFFFFF") == r"\UFFFFFFFF"
    assert unescaped(r"\U0001F600") == "😀"
