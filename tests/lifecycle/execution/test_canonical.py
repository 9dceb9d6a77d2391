"""Equal calls have equal fingerprints, different ones do not."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.execution import canonical

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def test_the_order_of_keys_does_not_matter() -> None:
    assert canonical.dumps({"b": 1, "a": {"d": 2, "c": "é"}}) == '{"a":{"c":"é","d":2},"b":1}'
    assert canonical.fingerprint("t", {"a": 1, "b": 2}) == canonical.fingerprint("t", {"b": 2, "a": 1})


def test_a_whole_float_is_the_same_number_as_the_integer() -> None:
    assert canonical.fingerprint("t", {"n": 1.0}) == canonical.fingerprint("t", {"n": 1})
    assert canonical.fingerprint("t", {"n": True}) != canonical.fingerprint("t", {"n": 1})


def test_a_fingerprint_is_32_hexadecimal_digits_and_depends_on_tool_and_arguments() -> None:
    one = canonical.fingerprint("web_fetch", {"url": "https://a.example"})
    assert len(one) == 32
    assert set(one) <= set("0123456789abcdef")
    assert one != canonical.fingerprint("rss_fetch", {"url": "https://a.example"})
    assert one != canonical.fingerprint("web_fetch", {"url": "https://b.example"})
    assert len(canonical.fingerprint("t", {"half": "\ud800"})) == 32


def test_what_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical.dumps({"n": float("nan")})


@given(JSON)
def test_a_value_read_back_is_spelled_the_same(value: object) -> None:
    spelled = canonical.dumps(value)
    assert canonical.dumps(json.loads(spelled)) == spelled
