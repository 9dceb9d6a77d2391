"""A refused decision leaves one audit row that says who tried what, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import transaction

from donna_skills.accounts.actors import Actor
from donna_skills.audit import services as audit
from donna_skills.errors import DonnaError


@contextmanager
def recorded(
    action: str, *, actor: Actor, subject_type: str, subject_id: object, data: Mapping[str, Any] | None = None
) -> Iterator[None]:
    """Run a decision in one transaction; if it is refused, roll it back first and then record the refusal.

    Nested uses are harmless: the inner record goes with the rollback, the outermost one stays.
    """
    try:
        with transaction.atomic():
            yield
    except DonnaError as error:
        with transaction.atomic():
            audit.record(
                f"{action}.refused",
                actor=actor,
                subject_type=subject_type,
                subject_id=subject_id,
                data={**(data or {}), "code": error.code, "why": error.message},
            )
        raise
