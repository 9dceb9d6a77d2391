"""Matching: bands, ranking, and numbers that stay in their range."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.decisions.matching import band, cosine, lexical_scores, vector_scores

PHRASES = {
    "parse_task": ["parse a task", "turn a sentence into a task with a due date"],
    "email_triage": ["triage an e-mail", "sort incoming emails by urgency"],
}


@pytest.mark.parametrize(("score", "name"), [(0.75, "HIGH"), (0.7499, "MEDIUM"), (0.4, "MEDIUM"), (0.3999, "LOW")])
def test_the_bands_include_their_lower_ends(score: float, name: str) -> None:
    assert band(score, high=0.75, medium=0.40) == name


def test_the_best_phrase_decides() -> None:
    best = lexical_scores("sort my email by how urgent it is", PHRASES)[0]
    assert best.name == "email_triage"
    assert lexical_scores("parse a task", PHRASES)[0].score == 1.0


def test_nothing_in_common_scores_nothing() -> None:
    assert {match.score for match in lexical_scores("zzz", PHRASES)} == {0.0}
    assert lexical_scores("anything", {}) == []


@given(
    st.text(max_size=60), st.dictionaries(st.text(min_size=1, max_size=5), st.lists(st.text(max_size=20), max_size=3))
)
def test_scores_are_shares_best_first(text: str, phrases: dict[str, list[str]]) -> None:
    found = lexical_scores(text, phrases)
    assert [match.score for match in found] == sorted((match.score for match in found), reverse=True)
    assert all(0 <= match.score <= 1 for match in found)
    assert {match.name for match in found} == set(phrases)


def test_vectors_of_another_length_or_direction_score_nothing() -> None:
    found = {
        m.name: m.score for m in vector_scores([1.0, 0.0], {"same": [2.0, 0.0], "against": [-1, 0], "short": [1.0]})
    }
    assert found == {"same": 1.0, "against": 0.0, "short": 0.0}
    assert cosine({}, {"a": 1.0}) == 0.0
