"""The tier of a change: grave reasons alone make it high, of the ordinary ones it takes two."""

from __future__ import annotations

import pytest

from lifecycle.decisions.risk import Change, risk


@pytest.mark.parametrize(
    ("change", "tier", "codes"),
    [
        (Change(), "low", []),
        (Change(lines_changed=10, lines_before=40), "low", []),
        (Change(lines_changed=40, lines_before=40), "low", []),
        (Change(lines_changed=41, lines_before=40), "medium", ["LARGE_CHANGE"]),
        (Change(lines_changed=200, lines_before=4000), "low", []),
        (Change(lines_changed=201, lines_before=4000), "medium", ["LARGE_CHANGE"]),
        (Change(first_release=True), "medium", ["FIRST_RELEASE"]),
        (Change(puts_back=True), "medium", ["PUT_BACK"]),
        (Change(inputs_added=("sender",)), "medium", ["INPUTS_WIDENED"]),
        (Change(first_release=True, inputs_added=("sender",)), "high", ["FIRST_RELEASE", "INPUTS_WIDENED"]),
        (Change(tools_added=("web.fetch",)), "high", ["TOOLS_ADDED"]),
        (Change(past_a_rule=True), "high", ["GLASS_BROKEN"]),
        (Change(unreadable=True), "high", ["UNREADABLE"]),
        (Change(tools_added=("web.fetch",), first_release=True), "high", ["TOOLS_ADDED", "FIRST_RELEASE"]),
    ],
)
def test_the_tier_follows_from_what_changes(change: Change, tier: str, codes: list[str]):
    found = risk(change)
    assert (found.tier, [reason.code for reason in found.reasons]) == (tier, codes)


def test_a_reason_names_what_is_new_and_no_more_of_it_than_one_can_read():
    found = risk(Change(tools_added=tuple("abcdefg")))
    assert found.reasons[0].message == "It may use tools that it could not use before: a, b, c, d, e and 2 more."
