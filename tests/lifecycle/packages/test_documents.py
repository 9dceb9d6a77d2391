"""YAML and JSON from strangers: what is read, what is refused, and how quickly."""

from __future__ import annotations

import json
import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.packages import safe_json, safe_yaml
from lifecycle.packages.documents import Unreadable

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(min_codepoint=32, max_codepoint=0xD7FF, exclude_characters="\x7f\x85"), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcdef", min_size=1, max_size=5), inner),
    max_leaves=20,
)


def load(text: str):
    return safe_yaml.load(text, "skill.yaml").value


def refused(reader, text: str) -> Unreadable:
    started = time.process_time()
    with pytest.raises(Unreadable) as caught:
        reader(text)
    assert time.process_time() - started < 0.5
    return caught.value


@given(plain)
def test_yaml_that_a_dumper_writes_is_read_as_the_same_value(value):
    written = yaml.dump(value, Dumper=_NoAliases, allow_unicode=True, default_style='"') if _text_only(value) else None
    assert load(written if written is not None else json.dumps(value)) == value


@given(plain)
def test_json_is_read_as_the_same_value_by_both_readers(value):
    assert safe_json.load(json.dumps(value)) == value
    assert load(json.dumps(value)) == value


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_and_nothing_else(text):
    for reader in (load, safe_json.load):
        try:
            reader(text)
        except Unreadable as error:
            assert error.message.endswith(".")


def test_scalars_follow_the_core_schema_and_not_the_older_one():
    assert load("[yes, on, 1:30, 2026-01-01, 012, 0x1f, 0o17, 1e3, ~, 'true', true]") == [
        *("yes", "on", "1:30", "2026-01-01"),
        *(12, 31, 15, 1000.0, None, "true", True),
    ]


def test_scalars_may_stay_as_they_are_written():
    assert safe_yaml.load("version: 1.10", "x", scalars_as_text=True).value == {"version": "1.10"}


def test_lines_are_known_for_keys_and_items_and_fall_back_to_what_is_around():
    document = safe_yaml.load("a: 1\nb:\n  - x\n  - y: 2\n", "skill.yaml")
    assert [document.line("a"), document.line("b", 1, "y"), document.line("b", 0, "missing"), document.line("z")] == [
        *(1, 4, 3, 1)
    ]


def test_an_alias_is_followed_while_little_comes_of_it():
    assert load("a: &x [1, 2]\nb: *x\n") == {"a": [1, 2], "b": [1, 2]}


def test_an_alias_bomb_is_refused_at_once():
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    started = time.process_time()
    assert "aliases" in refused(load, "\n".join(rows)).message
    assert time.process_time() - started < 0.1


def test_an_alias_that_contains_itself_is_refused():
    assert refused(load, "a: &a [*a]").line == 1


@pytest.mark.parametrize(
    "text",
    [
        *("[" * 100_000, "- " * 100_000, '{"a":' * 50_000, "? " * 100_000, "[{" * 60_000),
        *("a: " + "x" * 300_000, "[" + "a," * 120_000, "- a\n" * 60_000),
        *("a: 1\na: 2", "a: !!python/object:os.system x", "!x [1]", "a: !!float 1", "<<: {a: 1}"),
        *("a: .inf", "a: .nan", "a: 1e999", "a: " + "9" * 5000, "[a]: 1", "a: 1\n---\nb: 2", 'a: "\\0"', "a: *b"),
        *("a: [1", "\x00", "\t- a", "a: b: c", "%YAML 9.9\n---\n", "@"),
    ],
)
def test_yaml_is_refused_quickly_with_a_sentence(text):
    assert refused(load, text).message.endswith(".")


@pytest.mark.parametrize(
    "text",
    [
        *("[" * 500_000, '{"a":' * 100_000, '"\\' * 500_000, "[" + '"' * 1_000_000, "1" * 1_000_000),
        *("NaN", "[Infinity]", "-Infinity", "1e999", "9" * 5000, '{"a": 1, "a": 2}', '["\\u0000"]', '["\\ud83d"]'),
        *("", "{", "[1,]", "'a'", '{"a" 1}', "x" * 2_000_000, "\x00"),
    ],
)
def test_json_is_refused_quickly_with_a_sentence(text):
    assert refused(safe_json.load, text).message.endswith(".")


def test_json_says_the_line():
    assert refused(safe_json.load, '{"a": 1,\n "b": }').line == 2


def test_fifty_levels_are_read_and_fifty_one_are_not():
    for reader in (load, safe_json.load):
        assert reader("[" * 50 + "]" * 50) is not None
        assert "50 levels" in refused(reader, "[" * 51 + "]" * 51).message


def test_a_whole_surrogate_pair_and_brackets_inside_of_texts_are_fine():
    assert safe_json.load('["\\ud83d\\ude00", "' + "[" * 100 + '"]') == ["\U0001f600", "[" * 100]


class _NoAliases(yaml.SafeDumper):
    def ignore_aliases(self, data):
        return True


def _text_only(value) -> bool:
    """With every scalar in double quotes only texts stay what they are."""
    if isinstance(value, dict):
        return all(_text_only(item) for item in value.values())
    return all(_text_only(item) for item in value) if isinstance(value, list) else isinstance(value, str)
