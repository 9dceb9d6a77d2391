"""Every threshold of automations, from config/automations.yaml, as one frozen value."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.core import checks

from donna_skills import configuration
from donna_skills.configuration import knob, part
from lifecycle.states import State

_DAY = 86_400


@dataclass(frozen=True)
class Floors:
    """Seconds between two scheduled starts, by the state of the skill."""

    trusted: int = knob(900, low=0, high=31 * _DAY, help="It has earned its freedom.")
    shadow_primary: int = knob(3600, low=0, high=31 * _DAY, help="It serves, and is compared.")
    claude_native: int = knob(43_200, low=0, high=31 * _DAY, help="The reference model answers.")
    skill_candidate: int = knob(43_200, low=0, high=31 * _DAY, help="The reference model answers.")
    draft: int = knob(43_200, low=0, high=31 * _DAY, help="The reference model answers.")
    sandbox: int = knob(43_200, low=0, high=31 * _DAY, help="The reference model answers, the skill runs unseen.")
    degraded: int = knob(43_200, low=0, high=31 * _DAY, help="The reference model answers.")


@dataclass(frozen=True)
class Knobs:
    default_max_cost_per_run_usd: Decimal = knob(Decimal(2), low=0, high=10_000, help="When none is given.")
    default_min_interval_seconds: int = knob(300, low=0, high=31 * _DAY, help="When none is given.")
    shortest_min_interval_seconds: int = knob(60, low=0, high=_DAY, help="Nobody may ask for less.")
    cadence_floors: Floors = part(Floors)
    capability_floors: Mapping[str, Mapping[str, int]] = dataclasses.field(default_factory=dict)
    tick_batch: int = knob(500, low=1, high=10_000, help="Automations claimed in one transaction.")
    on_time_seconds: int = knob(60, low=0, high=_DAY, help="At most this late is on time.")
    catch_up_at_most: int = knob(24, low=1, high=1000, help="Runs made up for at once.")
    drain_workers: int = knob(0, low=0, high=256, help="Jobs at the same time; 0: as many as there are workers.")
    drain_seconds: float = knob(30.0, low=0, high=600, help="A job hands over after this.")
    run_deadline_seconds: int = knob(600, low=1, high=800, help="One run, its retries included.")
    transient_attempts: int = knob(3, low=1, high=20, help="Tries at a run whose model did not answer.")
    transient_wait_seconds: float = knob(5.0, low=0, high=600, help="Before the second try.")
    automation_failure_pause_threshold: int = knob(5, low=1, high=1000, help="Failures in a row that pause.")
    follow_up_depth: int = knob(5, low=1, high=50, help="How long a chain of automations may be.")

    def __post_init__(self) -> None:
        known = {field.name for field in dataclasses.fields(Floors)}
        for capability, floors in self.capability_floors.items():
            for state, seconds in floors.items():
                if state not in known:
                    raise ValueError(f"`capability_floors.{capability}.{state}`: the states are {', '.join(known)}.")
                if not 0 <= seconds <= 31 * _DAY:
                    raise ValueError(f"`capability_floors.{capability}.{state}` must be from 0 to {31 * _DAY} seconds.")

    def state_floor(self, capability: str, state: str) -> int | None:
        """The floor in seconds; None where scheduled automations pause."""
        if state == State.FLAGGED_FOR_REVIEW:
            return None
        own = self.capability_floors.get(capability, {}).get(state)
        return int(getattr(self.cadence_floors, state) if own is None else own)


def knobs() -> Knobs:
    """The thresholds in force; read once per process."""
    return configuration.load(Knobs, configuration.file("automations.yaml"))


def check_knobs(**kwargs: Any) -> list[checks.CheckMessage]:
    """System check: a wrong threshold stops the start with a sentence."""
    return configuration.check(Knobs, "automations.yaml", id="automations.E001")
