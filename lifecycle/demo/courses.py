"""What the six weeks were like: how much of which work, who answered, how well, and at what price."""

from __future__ import annotations

from lifecycle.demo import errands, paperwork, reading
from lifecycle.demo.history import Course, Shares

DRIFTING = "classify_priority"
FLAGGED = "product_watch"
PAUSED = "news_check"
JOURNEY = "bookmark_page"
"""A person's skill that went all the way: handed in, rejected, handed in again, approved, released."""
WITHOUT_SKILL = ("parcel_status", "invoice_fields", "meeting_summary")
"""Work that repeats and costs, for the reference model alone: skills that are worth drafting."""

_PARSER, _REFERENCE = (0.0002, 0.0009), (0.014, 0.024)
_QUICK, _TOOLS, _SLOW = (250, 1_100), (900, 4_200), (1_400, 6_500)

COURSES = (
    Course(
        "parse_task", 1_400, 1, _PARSER, _QUICK,
        make=errands.note, mistake=errands.other_day, breaking=errands.one_key_less,
    ),
    Course(
        "dedup_check", 600, 1, _PARSER, _QUICK,
        make=errands.another_chore, mistake=errands.no_duplicate, breaking=errands.one_key_less,
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
        FLAGGED, 350, 1, _PARSER, _TOOLS,
        make=reading.product, mistake=reading.thousandth_price, breaking=errands.one_key_less,
        recent=Shares(failed=0.03, broken=0.01, mistaken=0.14),
    ),
    Course(
        PAUSED, 150, 1, _PARSER, _TOOLS,
        make=reading.feed, mistake=reading.no_news, breaking=errands.one_key_less,
        recent=Shares(failed=0.07, mistaken=0.03),
    ),
    Course(
        JOURNEY, 200, 2, _PARSER, _TOOLS,
        make=reading.page, mistake=reading.untagged, breaking=errands.one_key_less,
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
