"""What django-q2's workers call. A task takes an id and calls one service; twice is harmless."""

from __future__ import annotations

from donna_skills.jobs import services


def run(job_id: str) -> None:
    services.run(job_id)
