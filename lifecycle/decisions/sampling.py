"""Which runs are compared with the reference: a hash of the run's id against the rate, so that anyone can recompute it.

    sampled  =  first 8 bytes of SHA-256(id, as UTF-8 text), big-endian, as an integer h   with   h < rate · 2⁶⁴

An id is a UUID in its usual text form, or any text. A run that is sampled at one rate is sampled at every higher one.
"""

from __future__ import annotations

import hashlib
from uuid import UUID

from lifecycle.decisions.statistics import Number, exact

_PLACES = 2**64


def is_sampled(run_id: UUID | str, rate: Number) -> bool:
    """Whether the run is compared. `rate` is a share: at 0 no run is, at 1 every run is; 0.05 is exactly 1/20.

    Raises ValueError for a rate that is no finite number.
    """
    return _place(str(run_id)) < exact(rate) * _PLACES


def reference_comes_first(run_id: UUID | str) -> bool:
    """Which side the judge reads first: a fair coin by the run's id, independent of whether the run is sampled."""
    return _place(f"{run_id}:order") % 2 == 0


def _place(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big")
