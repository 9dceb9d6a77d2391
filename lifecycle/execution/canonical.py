"""One spelling for one value: what recorded tool results are found by again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

_EXACT = 2**53
"""Up to here a whole float and the integer of the same value are the same number, and are spelled alike."""


def dumps(value: Any) -> str:
    """JSON with sorted keys and without blanks. Raises ValueError for a number that is not finite."""
    return json.dumps(
        _plain(value), ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"), default=str
    )


def fingerprint(tool: str, args: Mapping[str, Any]) -> str:
    """32 hexadecimal digits that name a tool call: the same tool with equal arguments gives the same ones."""
    spelled = dumps([tool, args]).encode(errors="surrogatepass")
    return hashlib.sha256(spelled).hexdigest()[:32]


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT:
        return int(value)
    return value
