"""Rules for a shop's mails: which order was sent, with whom, and when it arrives."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from donna_skills.llm.offline import words
from donna_skills.llm.offline.shapes import inputs_of

_ORDER = re.compile(r"\border\s+(?:number\s+|no\.?\s*)?(?P<order>[A-Z]{2}-\d{4})\b", re.IGNORECASE)
_CARRIER = re.compile(r"\bhanded to\s+(?P<carrier>[^.,;]+?)\s+(?:today|yesterday|on)\b")
_ARRIVES = re.compile(r"\barrives on\s+(?P<arrives>\d{4}-\d{2}-\d{2})\b")


def read_dispatch_mail(facts: Mapping[str, Any], blunt: bool) -> dict[str, Any] | None:
    """Each field where the mail says it. A small model left to itself sees that there is an order, and no more."""
    mail = words.first_text(inputs_of(facts), "mail", "text")
    if not mail:
        return None
    found: dict[str, Any] = {}
    for pattern in (_ORDER,) if blunt else (_ORDER, _CARRIER, _ARRIVES):
        if match := pattern.search(mail):
            found |= match.groupdict()
    return found or None
