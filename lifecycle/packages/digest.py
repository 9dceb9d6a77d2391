"""The name of a version: one SHA-256 over all of its files. Approvals, evidence and caches are bound to it."""

from __future__ import annotations

import hashlib

from lifecycle.packages.model import Files

_FORMAT = b"donna skill package 1\n"


def digest(files: Files) -> str:
    """64 hex digits. Paths in order, and every path and content preceded by its length, so that no two sets of files
    can be spelled the same and the order of the mapping does not matter."""
    total = hashlib.sha256(_FORMAT)
    for path in sorted(files):
        for part in (path.encode("utf-8", "surrogatepass"), files[path]):
            total.update(len(part).to_bytes(8, "big"))
            total.update(part)
    return total.hexdigest()
