"""Which examples may be learned from and which are kept aside: a stable hash, so that nobody chooses."""

from __future__ import annotations

import hashlib
from typing import Literal

Split = Literal["train", "validation", "holdout"]
TRAIN_PERCENT, VALIDATION_PERCENT = 60, 20


def bucket(key: str, buckets: int = 100) -> int:
    """A number in [0, buckets) from SHA-256 of the key: the same on every machine, for ever."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % buckets


def split_of(key: str) -> Split:
    """60 % train, 20 % validation, 20 % holdout."""
    place = bucket(key)
    if place < TRAIN_PERCENT:
        return "train"
    return "validation" if place < TRAIN_PERCENT + VALIDATION_PERCENT else "holdout"
