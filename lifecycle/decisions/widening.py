"""What a new version may do that the one before it could not, in sentences for whoever decides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

IN_FORCE = "no version in force may"


@dataclass(frozen=True)
class Abilities:
    """What one version can reach: its tools, the models that its steps pin, and which steps there are."""

    tools: Sequence[str] = ()
    models: Mapping[str, str] = field(default_factory=dict)
    """Step -> the model that it pins."""
    steps: Sequence[str] = ()


@dataclass(frozen=True)
class Change:
    """One sentence; `wider` says that the version may do more than before."""

    message: str
    wider: bool


def changes(old: Abilities | None, new: Abilities, *, unlike: str = IN_FORCE) -> tuple[Change, ...]:
    """What becomes possible and what ceases to be, widest first. None before: the first version of a skill.

    `unlike` ends the sentence about a tool where the other one is not what serves now: "version 1 may not".
    """
    before = old or Abilities()
    found = [*_tools(before, new, unlike), *_models(before, new)]
    if old is not None:
        found += _steps(before, new)
    return tuple(sorted(found, key=lambda change: not change.wider))


def _tools(old: Abilities, new: Abilities, unlike: str) -> Iterator[Change]:
    for name in sorted({*new.tools} - {*old.tools}):
        yield Change(f"It may call the tool {name}, which {unlike}.", wider=True)
    for name in sorted({*old.tools} - {*new.tools}):
        yield Change(f"It no longer calls the tool {name}.", wider=False)


def _models(old: Abilities, new: Abilities) -> Iterator[Change]:
    for step, model in sorted(new.models.items()):
        if old.models.get(step) != model:
            yield Change(f"Its step {step} pins the model {model} instead of the one that serves skills.", wider=True)
    for step in sorted({*old.models} - {*new.models} & {*new.steps}):
        yield Change(f"Its step {step} no longer pins a model.", wider=False)


def _steps(old: Abilities, new: Abilities) -> Iterator[Change]:
    for name in (step for step in new.steps if step not in old.steps):
        yield Change(f"It has a new step, {name}.", wider=False)
    for name in (step for step in old.steps if step not in new.steps):
        yield Change(f"Its step {name} is gone.", wider=False)
