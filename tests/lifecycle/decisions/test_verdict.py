"""A "no" always says why."""

from __future__ import annotations

import pytest

from lifecycle.decisions.verdict import Reason, Verdict


def test_a_refusal_without_a_reason_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="reason"):
        Verdict(False)


def test_a_refusal_with_a_reason_and_a_plain_yes_can() -> None:
    assert not Verdict(False, (Reason("why", "Because."),)).passed
    assert Verdict(True).evidence == {}
