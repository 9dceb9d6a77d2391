"""What workers do: load by id, call one service. Twice is harmless."""

from __future__ import annotations

from django.utils import timezone

from lifecycle.services import divergences, nightly, runs


def carry_out_run(run_id: str) -> None:
    """Answer a queued run, or run a sandbox skill beside an answer that was given."""
    runs.carry_out(run_id)


def compare_run(run_id: str) -> None:
    """Compare a sampled run with the reference."""
    divergences.compare(run_id)


def night() -> None:
    """Begin the night where it is due; what settings.Q_SCHEDULES calls every hour."""
    nightly.wake(timezone.now())
