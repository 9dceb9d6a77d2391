"""What the six weeks were like: how much of which work, who answered, how well, and at what price."""

from __future__ import annotations

from lifecycle.demo import errands, paperwork, reading
from lifecycle.demo.history import Course, Shares

DRIFTING = "classify_priority"
FLAGGED = "dedup_check"
ASKING = "parse_task"
"""Nothing but a person keeps it from being trusted: a reviewer has closed its gate."""
JOURNEY = PAUSED = "bookmark_page"
"""A person's skill that went all the way: handed in, rejected, handed in again, approved, released; and then paused."""
RELEASED = ("product_watch", "news_check", "fetch_and_summarize")
"""Seeds that answer in this world, and that have earned trust."""
WITHOUT_SKILL = ("parcel_status", "invoice_fields", "meeting_summary")
"""Work that repeats and costs, for the reference model alone: skills that are worth drafting."""

_PARSER, _REFERENCE = (0.0002, 0.0009), (0.014, 0.024)
_READING = Shares(mistaken=0.035)
_QUICK, _TOOLS, _SLOW = (250, 1_100), (900, 4_200), (1_400, 6_500)

COURSES = (
    Course(
        ASKING, 1_400, 1, _PARSER, _QUICK,
        make=errands.note, mistake=errands.other_day, breaking=errands.one_key_less,
    ),
    Course(
        FLAGGED, 600, 1, _PARSER, _QUICK,
        make=errands.another_chore, mistake=errands.no_duplicate, breaking=errands.one_key_less,
        recent=Shares(mistaken=0.12),
    ),
    Course(
        DRIFTING, 900, 1, _PARSER, _QUICK,
        make=errands.chore, mistake=errands.other_priority, breaking=errands.unknown_priority,
        usual=Shares(failed=0.01, broken=0.01, mistaken=0.02),
        recent=Shares(failed=0.11, broken=0.12, mistaken=0.18),
    ),
    Course(
        "email_triage", 300, None, _REFERENCE, _SLOW,
        make=errands.mail, mistake=errands.other_kind, breaking=errands.one_key_less,
    ),
    Course(
        "product_watch", 350, 1, _PARSER, _TOOLS,
        make=reading.product, mistake=reading.other_product, breaking=errands.one_key_less,
        usual=_READING,
    ),
    Course(
        "news_check", 240, 1, _PARSER, _TOOLS,
        make=reading.feed, mistake=reading.no_news, breaking=errands.one_key_less,
        usual=_READING,
    ),
    Course(
        "fetch_and_summarize", 220, 1, _PARSER, _TOOLS,
        make=reading.article, mistake=reading.other_article, breaking=errands.one_key_less,
        usual=_READING,
    ),
    Course(
        JOURNEY, 200, 2, _PARSER, _TOOLS,
        make=reading.page, mistake=reading.untagged, breaking=errands.one_key_less,
        recent=Shares(failed=0.02, mistaken=0.03),
    ),
    Course(
        "parcel_status", 650, None, _REFERENCE, _SLOW,
        make=paperwork.parcel, mistake=paperwork.other_status, breaking=errands.one_key_less,
    ),
    Course(
        "invoice_fields", 420, None, (0.025, 0.045), _SLOW,
        make=paperwork.invoice, mistake=paperwork.net_for_total, breaking=errands.one_key_less,
    ),
    Course(
        "meeting_summary", 130, None, (0.06, 0.13), _SLOW,
        make=paperwork.meeting, mistake=paperwork.nobody_does_it, breaking=errands.one_key_less,
    ),
)  # fmt: skip

COMPARED = {
    ASKING: (90, 60),
    DRIFTING: (120, 45),
    FLAGGED: (60, 35),
    "product_watch": (110, 15),
    "news_check": (110, 15),
    "fetch_and_summarize": (110, 15),
    JOURNEY: (45, 20),
}
"""How many runs of each skill were compared with the reference, before the last two weeks and in them."""
