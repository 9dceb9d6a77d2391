"""Splits: stable for ever, and in the proportions that they claim."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.decisions.splits import bucket, split_of


@pytest.mark.parametrize(("key", "place", "split"), [("case-0", 7, "train"), ("case-1", 66, "validation")])
def test_the_split_of_a_key_never_changes(key: str, place: int, split: str) -> None:
    assert bucket(key) == place == int(hashlib.sha256(key.encode()).hexdigest()[:16], 16) % 100
    assert split_of(key) == split


@given(st.text(st.characters(codec="utf-8")), st.integers(1, 1000))
def test_a_bucket_is_one_of_the_buckets(key: str, buckets: int) -> None:
    assert 0 <= bucket(key, buckets) < buckets


def test_the_proportions_are_60_20_20() -> None:
    seen = Counter(split_of(f"case-{number}") for number in range(10_000))
    assert abs(seen["train"] - 6_000) < 250
    assert abs(seen["validation"] - 2_000) < 200
    assert abs(seen["holdout"] - 2_000) < 200
