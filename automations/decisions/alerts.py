"""Alerts: is a condition well-formed, is it true for an output, and is that worth a notice.

Conditions, paths and operators are in `conditions.py`, `paths.py` and `comparisons.py`; the language as a JSON Schema
is `docs/alert-conditions.schema.json`, made by `alert_schema.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from automations.decisions import comparisons, paths, patterns
from automations.decisions import conditions as trees
from automations.decisions.conditions import Compound, Held, InvalidAlertCondition, Leaf, Node, On, Status

__all__ = [
    "AlertTooLarge",
    "Evaluation",
    "InvalidAlertCondition",
    "Notice",
    "Run",
    "Told",
    "evaluate",
    "notice",
    "validate",
]

MOST_VALUES = 500_000
"""Values that one evaluation looks at, over all leaves and runs; an ordinary one looks at a dozen."""
MOST_SEARCHED = 100_000
"""Characters that one evaluation searches for patterns."""

# In place of an age: the success before, when it was handed in by itself.
_GIVEN = -1


class AlertTooLarge(ValueError):
    """An evaluation that was given up, because condition and output together are too large."""


@dataclass(frozen=True)
class Run:
    """One run as conditions see it."""

    output: Any
    status: Status = "success"


@dataclass(frozen=True)
class Evaluation:
    """`clauses` has one mapping per leaf in the order of the document, all of them looked at: path (JSON Pointer),
    field, op, value (what was found, or None), verdict. `conclusive` is False when a run without an output left the
    condition open; then nothing is to be told, and nothing has cleared.
    """

    alert: bool
    clauses: tuple[Mapping[str, Any], ...]
    conclusive: bool = True


@dataclass(frozen=True)
class Told:
    """What the owner was told last: that it is alerting (`open`) and with which content, and when."""

    open: bool = False
    content: str = ""
    at: datetime | None = None


@dataclass(frozen=True)
class Notice:
    """Whether to send, why in a sentence, and what the owner has been told once that is done."""

    kind: Literal["none", "opened", "changed", "repeated", "resolved"]
    reason: str
    told: Told


def validate(conditions: Any, output_schema: Any = None) -> None:
    """Raise InvalidAlertCondition for a condition that is malformed, too large, can never be true because its value
    has no order, or looks where outputs of the schema have nothing.
    """
    for leaf in trees.read(conditions).leaves:
        if isinstance(leaf, On):
            continue
        ends = leaf.value if leaf.op == "between" else [leaf.value] if leaf.op in trees.ORDER else []
        if not all(comparisons.has_order(end) for end in ends):
            raise InvalidAlertCondition(f"`{leaf.op}` compares numbers or texts.", path=leaf.path, key="value")
        if leaf.op == "between" and not (comparisons.comparable(*ends) and ends[0] <= ends[1]):
            raise InvalidAlertCondition("`between` goes from low to high.", path=leaf.path, key="value")
        problem = paths.obstacle(output_schema, leaf.steps) if isinstance(output_schema, dict) else None
        if problem:
            raise InvalidAlertCondition(problem, path=leaf.path, key="field")


def evaluate(
    conditions: Any,
    output: Any,
    *,
    previous: Any = None,
    status: Status = "success",
    history: Sequence[Run] = (),
) -> Evaluation:
    """Whether a condition is true for a run, with the verdict of every leaf.

    `previous` is the output of the success before, None when there is none; `history` are the runs before, newest
    first, for what asks about several runs (`for`), and where `previous` is looked for when it is not given. A run
    that failed has no output: only what is asked `on` its status is decided, the rest is open. Raises
    InvalidAlertCondition for a malformed condition, and AlertTooLarge.
    """
    tree = trees.read(conditions)
    judge = _Judge([Run(output, status), *history], previous)
    verdict = judge.verdict(tree.root, 0)
    return Evaluation(verdict is True, tuple(judge.trace[leaf.path] for leaf in tree.leaves), verdict is not None)


def notice(
    evaluation: Evaluation,
    *,
    content: str,
    told: Told,
    now: datetime,
    repeat_every: timedelta | None = None,
    cool_down: timedelta = timedelta(0),
) -> Notice:
    """Edge-triggered: a notice when the condition turns true, when what there is to say has changed, after
    `repeat_every`, and when it clears.

    1. An open question tells nothing and clears nothing.
    2. Cleared: one notice, if the owner knows of the alert; a cool-down does not hold it back.
    3. Within the cool-down since the last notice nothing else is sent; what was held back goes with the next run after.
    4. Not told yet: opened. Told with other content: changed. Told longer ago than `repeat_every`: repeated.
    """
    if not evaluation.conclusive:
        return Notice("none", "The run had no output, so the condition stays as it was.", told)
    if not evaluation.alert:
        if told.open:
            return Notice("resolved", "The condition is no longer true.", Told(False, "", now))
        return Notice("none", "The condition is not true.", told)
    since = None if told.at is None else now - told.at
    if since is not None and since < cool_down:
        return Notice("none", "The condition is true; the last notice is too recent for another.", told)
    if not told.open:
        return Notice("opened", "The condition has turned true.", Told(True, content, now))
    if content != told.content:
        return Notice(
            "changed", "The condition is still true, and what it is about has changed.", Told(True, content, now)
        )
    if repeat_every is not None and since is not None and since >= repeat_every:
        return Notice("repeated", "The condition is still true.", replace(told, at=now))
    return Notice("none", "The condition is still true, and the owner has been told.", told)


class _Judge:
    """Goes through a tree for the newest run, or an earlier one. Verdicts are True, False, or None for an open one;
    they are combined as in S. C. Kleene's three-valued logic.
    """

    def __init__(self, runs: Sequence[Run], previous: Any) -> None:
        self.runs, self.trace = runs, dict[str, Mapping[str, Any]]()
        self._previous = previous
        self._found: dict[tuple[int, tuple[str, ...]], paths.Found] = {}
        self._changed: dict[tuple[int, tuple[str, ...]], tuple[bool, Any]] = {}
        self._values, self._searched = MOST_VALUES, MOST_SEARCHED

    def verdict(self, node: Node, age: int) -> bool | None:
        """Of the run that is `age` runs old. Every part is looked at, whatever the others say."""
        found = self._now(node, age)
        if node.held is not None:
            found = self._held(node, node.held, age, found)
            if isinstance(node, Leaf | On) and age == 0:
                self.trace[node.path] = {**self.trace[node.path], "verdict": found is True}
        return found

    def _now(self, node: Node, age: int) -> bool | None:
        if isinstance(node, Compound):
            verdicts = [self.verdict(part, age) for part in node.parts]
            if node.kind == "not":
                return None if verdicts[0] is None else not verdicts[0]
            return _all(verdicts) if node.kind == "all_of" else _any(verdicts)
        run = self.runs[age]
        found: tuple[bool | None, Any] = (None, None)
        if isinstance(node, On):
            found = run.status == node.status, run.status
        elif run.status == "success":
            found = self._leaf(node, age)
        if age == 0:
            field, op = ("status", "on") if isinstance(node, On) else (node.field, node.op)
            clause = {"path": node.path, "field": field, "op": op, "value": found[1], "verdict": found[0] is True}
            self.trace[node.path] = clause
        return found[0]

    def _held(self, node: Node, held: Held, age: int, newest: bool | None) -> bool | None:
        """True in enough of the runs there are; open when those that are open could make it so."""
        earlier = range(age + 1, min(age + held.of, len(self.runs)))
        verdicts = [newest, *(self._now(node, older) for older in earlier)]
        certain, possible = verdicts.count(True), len(verdicts) - verdicts.count(False)
        return True if certain >= held.runs else None if possible >= held.runs else False

    def _leaf(self, leaf: Leaf, age: int) -> tuple[bool, Any]:
        """As `_judged`; what may compare whole outputs is done once for each field."""
        if leaf.op != "changed":
            return self._judged(leaf, age)
        if (age, leaf.steps) not in self._changed:
            self._changed[age, leaf.steps] = self._judged(leaf, age)
        return self._changed[age, leaf.steps]

    def _judged(self, leaf: Leaf, age: int) -> tuple[bool, Any]:
        """The verdict, and the value that decided it: the first that fits, or all that do not."""
        found = self._find(leaf.steps, age)
        values = list(found.values.values())
        shown = None if not values else values[0] if paths.ANY not in leaf.steps else values
        if leaf.op in trees.EXISTENCE:
            return (found.lacking if leaf.op == "missing" else bool(values)), shown
        self._spend(len(values))
        before = self._before(leaf, age)
        for place, value in found.values.items():
            if self._fits(leaf, place, value, before):
                return True, value
        return False, shown

    def _fits(self, leaf: Leaf, place: paths.Place, value: Any, before: paths.Found | None) -> bool:
        if leaf.op == "matches" and isinstance(value, str):
            self._searched -= min(len(value), patterns.LONGEST_TEXT)
            if self._searched < 0:
                raise AlertTooLarge(f"More than {MOST_SEARCHED} characters would have to be searched for patterns.")
        if leaf.op == "contains" and isinstance(value, list):
            self._spend(len(value))
        if leaf.op in comparisons.SIMPLE:
            return comparisons.SIMPLE[leaf.op](value, leaf.prepared)
        if before is None:
            return False
        if leaf.op == "changed":
            return place not in before.values or not comparisons.same(value, before.values[place])
        return comparisons.moved(value, before.values.get(place), leaf.prepared, up=leaf.op == "increased_by")

    def _before(self, leaf: Leaf, age: int) -> paths.Found | None:
        """What the success before had in the same field; None when there is no such success."""
        if leaf.op in comparisons.SIMPLE:
            return None
        if age == 0 and self._previous is not None:
            return self._find(leaf.steps, _GIVEN)
        older = (number for number in range(age + 1, len(self.runs)) if self.runs[number].status == "success")
        earlier = next(older, None)
        return None if earlier is None else self._find(leaf.steps, earlier)

    def _find(self, steps: tuple[str, ...], age: int) -> paths.Found:
        known = self._found.get((age, steps))
        if known is None:
            output = self._previous if age == _GIVEN else self.runs[age].output
            known = self._found[age, steps] = paths.find(output, steps)
            self._spend(known.visited)
        return known

    def _spend(self, values: int) -> None:
        self._values -= values
        if self._values < 0:
            raise AlertTooLarge(f"More than {MOST_VALUES} values would have to be looked at.")


def _all(verdicts: Sequence[bool | None]) -> bool | None:
    """An empty `all_of` is false: nothing was asked."""
    if not verdicts or False in verdicts:
        return False
    return None if None in verdicts else True


def _any(verdicts: Sequence[bool | None]) -> bool | None:
    if True in verdicts:
        return True
    return None if None in verdicts else False
