"""The digest names a set of files: nothing but the files has a say in it."""

from __future__ import annotations

import random
import re

from hypothesis import given
from hypothesis import strategies as st

from lifecycle.packages.digest import digest

file_sets = st.dictionaries(st.text(max_size=8), st.binary(max_size=8), max_size=5)


def test_a_digest_is_64_hexadecimal_digits_even_of_no_files():
    assert re.fullmatch(r"[0-9a-f]{64}", digest({}))


@given(files=file_sets, seed=st.integers())
def test_the_order_of_the_files_does_not_matter(files, seed):
    shuffled = list(files.items())
    random.Random(seed).shuffle(shuffled)
    assert digest(dict(shuffled)) == digest(files)


@given(one=file_sets, other=file_sets)
def test_two_sets_of_files_have_one_digest_only_when_they_are_the_same(one, other):
    assert (digest(one) == digest(other)) == (one == other)


def test_a_byte_that_moves_from_the_path_to_the_content_changes_the_digest():
    assert digest({"ab": b"c"}) != digest({"a": b"bc"})
    assert digest({"a": b"", "b": b""}) != digest({"a": b"b"})


def test_the_digest_of_known_files_never_changes():
    # Approvals and evidence are stored under it: another value here would orphan all of them.
    assert digest({"SKILL.md": b"x"}) == "b04c3a1faab7c7bca9860793510fadf25c537ab25476f421b4891f7ac02ac48b"
