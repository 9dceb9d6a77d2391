"""Patterns: the same answers as `re`, never its time."""

from __future__ import annotations

import re
from time import thread_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automations.decisions import patterns
from automations.decisions.patterns import BadPattern

ATOMS = st.sampled_from(
    ["a", "b", ".", "[ab]", "[^a]", r"\d", r"\w", r"\s", r"\.", "é", "1", "A", "_", r"\n", "[]a]", " "]
)
ANCHORS = st.sampled_from(["^", r"\b", r"\B", r"\Z"])
COUNTS = st.sampled_from(["", "", "*", "+", "?", "{2}", "{1,2}", "{0,}", "*?", "{2,3}?"])
TEXTS = st.text(alphabet="abAB1 é_.\n", max_size=12)


@st.composite
def expressions(draw: st.DrawFn, depth: int = 2) -> str:
    parts = []
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["atom", "atom", "anchor", "group"]))
        if kind == "group" and depth:
            inside = draw(expressions(depth - 1))
            parts.append(f"({'?:' * draw(st.booleans())}{inside})" + draw(st.sampled_from(["", "?", "{2}", "+"])))
        elif kind == "anchor":
            parts.append(draw(ANCHORS))
        else:
            parts.append(draw(ATOMS) + draw(COUNTS))
    flags = draw(st.sampled_from(["", "(?i)"])) if depth == 2 else ""
    return flags + "".join(parts) + "|b" * draw(st.booleans())


@settings(max_examples=500, deadline=None)
@given(expressions(), st.lists(TEXTS, min_size=1, max_size=8))
def test_it_finds_what_re_finds(expression: str, texts: list[str]) -> None:
    # `$` is the very end here, which `re` writes \Z.
    try:
        pattern = patterns.compiled(expression.replace(r"\Z", "$"))
    except BadPattern as error:
        assert "repetition within a repetition" in str(error)
        return
    reference = re.compile(expression)
    for text in texts:
        if not text and r"\B" in expression:
            continue  # there is no boundary in an empty text, which `re` says only since Python 3.14
        assert pattern.search(text) is (reference.search(text) is not None), text


@pytest.mark.parametrize(
    ("expression", "found", "not_found"),
    [
        (r"\$\d+(\.\d\d)?$", ["costs $12.50", "$3"], ["$12.5", "12", "$3 "]),
        (r"(?i)sold ?out|unavailable", ["SOLD OUT now", "soldout", "is Unavailable"], ["sold", "available"]),
        (r"^v\d{1,3}\.\d+$", ["v12.4"], ["v1234.1", " v1.1", "v1.1\n"]),
        (r"\bcat\b", ["a cat.", "cat"], ["concat", "cats", "_cat"]),
        (r"[\w.+-]+@[\w-]+\.de", ["to ann.b@post.de now"], ["ann@post.com"]),
        (r"(ab|c){2}", ["abc", "xccx", "abab"], ["ab", "ca"]),
        (r"x{2,}", ["axxx"], ["x"]),
        (r"[^\]\\]\]", ["a]"], [r"\]"]),
    ],
)
def test_what_people_write_works(expression: str, found: list[str], not_found: list[str]) -> None:
    pattern = patterns.compiled(expression)
    assert [pattern.search(text) for text in found] == [True] * len(found)
    assert [pattern.search(text) for text in not_found] == [False] * len(not_found)


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("", "empty"),
        ("a" * 201, "at most 200"),
        ("(a+)+$", "repetition within a repetition"),
        ("(a*)*", "repetition within a repetition"),
        ("(a?){30}", "repetition within a repetition"),
        (r"(\w+\s?)*", "repetition within a repetition"),
        ("((ab?)c){2}", "repetition within a repetition"),
        (r"(a)\1", "Backreferences"),
        ("(?P<x>a)(?P=x)", "named groups"),
        ("(?=a)", "Looking around"),
        ("(?<!a)b", "Looking around"),
        ("a(?i)b", "flags within"),
        ("(?>a)", "Looking around"),
        ("a**", "Two counts"),
        ("a*+", "Two counts"),
        ("a{2}{3}", "Two counts"),
        ("*a", "nothing to repeat"),
        ("a|+", "nothing to repeat"),
        ("a{,3}", "nothing to repeat"),
        ("a{x", "nothing to repeat"),
        ("a{101}", "at most 100"),
        ("a{99999999999}", "at most 100"),
        ("a{3,2}", "can never be met"),
        ("a{0}", "can never be met"),
        ("(a{100}){100}", "too large"),
        ("(a", "is missing"),
        ("a)", "too many"),
        ("[a", "is missing"),
        ("[]", "cannot be read"),
        ("[z-a]", "cannot be read"),
        ("[[:alpha:]]", "put a"),
        ("[a&&b]", "put a"),
        (r"[\b]", "not supported"),
        (r"\Aa", "not supported"),
        (r"\x41", "not supported"),
        ("a\\", "not supported"),
        ("^*", "anchor"),
        ("(" * 40 + "a" + ")" * 40, "ten deep"),
    ],
)
def test_what_is_refused_is_refused_with_a_sentence(expression: str, says: str) -> None:
    with pytest.raises(BadPattern, match=says):
        patterns.compiled(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "a?" * 60 + "a" * 60,
        "a*a*a*a*a*a*a*a*a*a*b",
        "(a|a)*b",
        "(a|ab|b)*c",
        r"\d+x",
        ".*.*.*=.*",
        "[ab]*a[ab]{100}[ab]{100}c",
        "(a|b|ab)*(a|ba)*c",
    ],
)
def test_no_pattern_explodes(expression: str) -> None:
    started = thread_time()
    pattern = patterns.compiled(expression)
    for text in (
        "a" * 10_000,
        "ab" * 5_000,
        "1" * 10_000,
        "".join("ab"[bit * bit * 7 % 11 % 2] for bit in range(10_000)),
    ):
        pattern.search(text)
    assert thread_time() - started < 10


def test_only_the_beginning_of_a_long_text_is_searched() -> None:
    text = "x" * patterns.LONGEST_TEXT
    assert not patterns.compiled("y").search(text + "y")
    assert patterns.compiled("y").search(text[1:] + "y")
    assert not patterns.compiled("x$").search(text + "x")
    assert patterns.compiled("x$").search(text)
