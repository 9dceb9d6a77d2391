"""What workers do: load by id, call one service. Twice is harmless."""

from __future__ import annotations

from django.utils import timezone

from automations.services import cadence, dispatch, tick


def drain(number: int, owner: str) -> int:
    """A turn at the queue of runs, for the slot whose bell rang."""
    return dispatch.work(number, owner)


def net() -> int:
    """Under the scheduler process: when none runs, automations are late by a minute and not lost."""
    return tick.duty(timezone.now())


def resync() -> int:
    """Floors that neither signal nor feed brought in line."""
    return cadence.resync(timezone.now())
