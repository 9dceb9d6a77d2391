"""Numbers without gaps or races: one writer at a time takes the next number of a named series."""

from __future__ import annotations

import hashlib

from django.db import connection
from django.db.transaction import TransactionManagementError


def serialise(name: str) -> None:
    """Let one transaction at a time go on from here until it ends.

    PostgreSQL holds an advisory lock until the transaction ends. SQLite has one writer anyway: its transactions begin
    IMMEDIATE. Call it late in a transaction, since everybody else waits, and where a transaction needs two series take
    `audit` first, so that no two transactions wait for each other.
    """
    if not connection.in_atomic_block:
        raise TransactionManagementError(f"serialise({name!r}) belongs inside transaction.atomic().")
    if connection.vendor == "postgresql":
        key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [key])
