"""Rules for a message: what kind it is, how soon it wants an answer, what it says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from donna_skills.llm.offline import tasks, words
from donna_skills.llm.offline.shapes import inputs_of

# The first kind with most words found wins, so that kinds which people must not miss stand first.
_KINDS: list[tuple[str, tuple[str, ...]]] = [
    ("billing", ("invoice", "payment", "receipt", "refund", "overdue", "bill", "charged", "billing", "amount due")),
    (
        "support",
        ("not working", "broken", "error", "bug", "crash", "help", "problem", "issue", "cannot", "can't log"),
    ),
    ("sales", ("quote", "pricing", "demo", "purchase order", "interested in buying", "offer", "proposal")),
    ("meeting", ("meeting", "schedule", "calendar", "reschedule", "appointment", "invite", "agenda", "call on")),
    ("newsletter", ("unsubscribe", "newsletter", "weekly digest", "view in browser", "sale ends", "% off", "deals")),
    (
        "spam",
        ("lottery", "winner", "you have won", "claim your prize", "giveaway", "wire transfer", "inheritance"),
    ),
    ("personal", ("dinner", "birthday", "family", "holiday", "love", "weekend", "party")),
]
_NO_REPLY_KINDS = {"newsletter", "spam"}
_NO_REPLY_SENDER = re.compile(r"no-?reply|do-?not-?reply|newsletter|notifications?@", re.IGNORECASE)
_ASKS = ("please reply", "let me know", "please confirm", "can you", "could you", "would you", "get back to", "rsvp")


def triage_email(facts: Mapping[str, Any], blunt: bool) -> dict[str, Any] | None:
    inputs = inputs_of(facts)
    subject, body = words.first_text(inputs, "subject"), words.first_text(inputs, "body", "text")
    if not subject and not body:
        return None
    whole, sender = f"{subject}. {body}", words.first_text(inputs, "from", "sender")
    category = _kind(whole)
    return {
        "category": category,
        "urgency": "low" if category in _NO_REPLY_KINDS else tasks.priority_of(whole) or "normal",
        "needs_reply": category not in _NO_REPLY_KINDS and not _NO_REPLY_SENDER.search(sender) and _asks(whole),
        "summary": _summary(subject, body, blunt=blunt),
    }


def _kind(text: str) -> str:
    """A word of a sale or a prize does not make advertising of a message that has more of something else."""
    counts = [(sum(words.has_any(text, (word,)) for word in found), kind) for kind, found in _KINDS]
    most = max(count for count, _ in counts)
    return next(kind for count, kind in counts if count == most) if most else "other"


def _asks(text: str) -> bool:
    return "?" in text or words.has_any(text, _ASKS)


def _summary(subject: str, body: str, *, blunt: bool) -> str:
    first = next(iter(words.sentences(body)), "")
    if blunt or not first:
        return words.shortened(subject or first, 300)
    return words.shortened(f"{subject.rstrip('.')}: {first}" if subject else first, 300)
