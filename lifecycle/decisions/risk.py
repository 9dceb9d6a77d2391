"""How much can go wrong when a review is approved: a tier and the reasons for it, from what changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lifecycle.decisions.verdict import Reason

Tier = Literal["low", "medium", "high"]

LARGE_CHANGE_LINES = 200
"""So many lines added or removed are too many to read at a glance, whatever the size of the package."""


@dataclass(frozen=True)
class Change:
    """What approving brings. Lines are counted against the version that it would replace, where there is one."""

    first_release: bool = False
    puts_back: bool = False
    """It served, slipped, and would serve again."""
    past_a_rule: bool = False
    tools_added: tuple[str, ...] = ()
    inputs_added: tuple[str, ...] = ()
    lines_changed: int = 0
    lines_before: int = 0
    unreadable: bool = False
    """What would change could not be found out."""


@dataclass(frozen=True)
class Risk:
    tier: Tier
    reasons: tuple[Reason, ...]


def risk(change: Change) -> Risk:
    """High: new tools, a rule that was broken, or a change that cannot be told. Otherwise each of first release, wider
    inputs, a large change and a return to service counts: none is low, one is medium, two are high."""
    grave, ordinary = tuple(_grave(change)), tuple(_ordinary(change))
    tier: Tier = "high" if grave or len(ordinary) > 1 else "medium" if ordinary else "low"
    return Risk(tier, (*grave, *ordinary))


def _grave(change: Change) -> list[Reason]:
    found = []
    if change.unreadable:
        found.append(Reason("UNREADABLE", "What would change could not be found out."))
    if change.past_a_rule:
        found.append(Reason("GLASS_BROKEN", "It was approved past a rule, by one person."))
    if change.tools_added:
        found.append(
            Reason("TOOLS_ADDED", f"It may use tools that it could not use before: {_list(change.tools_added)}.")
        )
    return found


def _ordinary(change: Change) -> list[Reason]:
    found = []
    if change.first_release:
        found.append(Reason("FIRST_RELEASE", "No version of this skill has served anybody yet."))
    if change.puts_back:
        found.append(Reason("PUT_BACK", "It slipped, and would serve again."))
    if change.inputs_added:
        found.append(
            Reason("INPUTS_WIDENED", f"It reads inputs that it did not read before: {_list(change.inputs_added)}.")
        )
    if change.lines_changed > LARGE_CHANGE_LINES or change.lines_changed > change.lines_before > 0:
        found.append(
            Reason("LARGE_CHANGE", f"{change.lines_changed} lines change; there were {change.lines_before} before.")
        )
    return found


def _list(names: tuple[str, ...], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
