"""Types for what callers send, where pydantic's own are more generous than the description of the API."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator

_DATE_AND_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d")


def _written_out(value: Any) -> Any:
    """pydantic also reads a bare number as seconds since 1970, which is more often a mistake than a time."""
    if (isinstance(value, str) and not _DATE_AND_TIME.match(value)) or isinstance(value, int | float):
        raise ValueError("a time is written as 2026-11-20T09:30:00Z")
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("the time lies outside of the years 1 to 9999 of UTC") from None


Moment = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_in_utc)]
"""An instant: ISO 8601 with an offset, handed over in UTC."""
