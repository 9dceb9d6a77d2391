"""What a version needs next: the first unmet step on its way to release, a sentence, and one action."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from lifecycle.decisions.gates import Status

Step = Literal[
    "spec_invalid",
    "resources_missing",
    "no_fixtures",
    "fixtures_not_passing",
    "no_replay",
    "no_baseline",
    "waiting_for_review",
    "ready_to_release",
    "released",
]
Action = Literal["edit", "make_fixtures", "run_fixtures", "replay", "run_baseline", "review", "release", "watch"]

AUTOMATIC: frozenset[Action] = frozenset({"make_fixtures", "run_fixtures", "replay", "run_baseline"})
"""What `verify` does by itself; the others are for a person or for the release's own rules."""


@dataclass(frozen=True)
class VersionEvidence:
    """What is known about a version. A gate's status is None where it has not run."""

    problems: int | None
    """Findings of validation; None where it was never validated."""
    missing_resources: tuple[str, ...] = ()
    """Files that the package refers to and does not have."""
    fixtures: int = 0
    fixtures_status: Status | None = None
    replay_status: Status | None = None
    baseline_status: Status | None = None
    approved: bool = False
    released: bool = False


@dataclass(frozen=True)
class Readiness:
    """The step that comes next, why, and what to do about it. `released` is the end: nothing but watching is left."""

    step: Step
    sentence: str
    action: Action

    @property
    def automatic(self) -> bool:
        return self.action in AUTOMATIC

    def as_dict(self) -> dict[str, str]:
        return {"step": self.step, "sentence": self.sentence, "action": self.action}


def readiness(evidence: VersionEvidence) -> Readiness:
    """The first unmet step, in this order: the package is valid, its resources are there, it has fixtures, they pass,
    recorded runs were replayed, its lift over no skill is known, a person approved it, it is released.

    A released version is watched and asks for nothing, whatever has changed since: falling back is for the release
    rules to say. Evidence that is not known counts as unmet.
    """
    return next(_unmet(evidence))


def _unmet(evidence: VersionEvidence) -> Iterator[Readiness]:
    if evidence.released:
        yield Readiness("released", "It is released and watched.", "watch")
    if evidence.problems is None:
        yield Readiness("spec_invalid", "The package has not been validated yet.", "edit")
    elif evidence.problems:
        word = "rule is" if evidence.problems == 1 else "rules are"
        yield Readiness("spec_invalid", f"{evidence.problems} {word} broken in the package.", "edit")
    if evidence.missing_resources:
        names = ", ".join(evidence.missing_resources[:3])
        more = len(evidence.missing_resources) - 3
        names += f" and {more} more" if more > 0 else ""
        yield Readiness("resources_missing", f"The package refers to what it does not have: {names}.", "edit")
    if evidence.fixtures < 1:
        yield Readiness("no_fixtures", "There is no fixture to hold it against.", "make_fixtures")
    if evidence.fixtures_status is None:
        yield Readiness("fixtures_not_passing", "Its fixtures have not been run.", "run_fixtures")
    elif evidence.fixtures_status == "BLOCK":
        yield Readiness("fixtures_not_passing", "Too few of its fixtures pass.", "edit")
    elif evidence.fixtures_status == "HOLD":
        yield Readiness("fixtures_not_passing", "Some of its fixtures gave no answer.", "run_fixtures")
    yield from _measured(evidence)
    if not evidence.approved:
        yield Readiness("waiting_for_review", "The evidence is there; a person has to decide.", "review")
    yield Readiness("ready_to_release", "It is approved and can be released.", "release")


def _measured(evidence: VersionEvidence) -> Iterator[Readiness]:
    """A measurement that was made and does not pass is shown to the reviewer and is not made again: HOLD waits for a
    person, and running the same replay twice would say the same."""
    if evidence.replay_status is None:
        yield Readiness("no_replay", "No recorded run has been replayed with it.", "replay")
    elif evidence.replay_status == "BLOCK":
        yield Readiness("no_replay", "The replay of recorded runs came out too badly.", "edit")
    if evidence.baseline_status is None:
        yield Readiness("no_baseline", "What it adds over the reference model alone is not known.", "run_baseline")
