"""What the review pages show that no other page does: a change line by line, and the words around a decision."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from donna_skills.templatetags.ui import badge, pretty_json, reveal
from lifecycle import review_words
from lifecycle.decisions.textdiff import FileChange, Row, Side
from lifecycle.models import Review

register = template.Library()

GATES = {
    "static": "Valid package",
    "safety": "Nothing harmful",
    "leak": "Nothing given away",
    "dry_run": "Dry run",
    "fixtures": "Examples",
    "replay": "Recorded runs",
    "baseline": "Better than no skill",
    "closed_loop": "Closed loop",
    "targeted": "Cases it is aimed at",
    "holdout": "Cases it never saw",
    "recent_success": "Recent successes",
}
_LONGEST_FIGURE = 1_000
"""Bytes of the page that one figure of a gate takes."""
_SIGNS = {"removed": "−", "added": "+"}


@register.simple_tag
def diff(change: FileChange, side: bool) -> SafeString:
    """The rows of one file as a table, in one column or side by side; every text is escaped and spelt out."""
    rows = "".join(_side_by_side(change.rows or ()) if side else _inline(change.rows or ()))
    return format_html(
        '<table class="diff-table{}"><thead class="visually-hidden"><tr>{}</tr></thead><tbody>{}</tbody></table>',
        " diff-sides" if side else "",
        _SIDES_HEAD if side else _INLINE_HEAD,
        mark_safe(rows),  # noqa: S308 (each part is escaped below)
    )


@register.simple_tag
def file_warning(hidden: int) -> SafeString:
    word = "character" if hidden == 1 else "characters"
    return badge(f"{hidden} hidden {word}", "red", title="Spelt out in red where they stand.")


@register.filter
def gate_words(gate: str) -> str:
    return GATES.get(gate, gate)


@register.filter
def figure(value: Any) -> str:
    """A figure as it is read: yes and no, a list of names, a number with three decimals at most."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    if isinstance(value, list) and all(isinstance(one, str | int) for one in value):
        return reveal(", ".join(map(str, value)), _LONGEST_FIGURE)
    return pretty_json(value, _LONGEST_FIGURE) if isinstance(value, dict | list) else reveal(value, _LONGEST_FIGURE)


@register.filter
def review_title(review: Review) -> str:
    return review_words.title(review)


@register.filter
def gated(review: Review) -> bool:
    return review_words.gated(review)


@register.filter
def review_happened(review: Review) -> str:
    return review_words.happened(review)


@register.filter
def review_way_back(review: Review) -> str:
    return review_words.way_back(review)


_INLINE_HEAD = mark_safe(
    '<th scope="col">Before</th><th scope="col">After</th><th scope="col">Change</th><th scope="col">Text</th>'
)
_SIDES_HEAD = mark_safe(
    '<th scope="col">Line</th><th scope="col">Before</th><th scope="col">Line</th><th scope="col">After</th>'
)


def _inline(rows: tuple[Row, ...]) -> Iterator[str]:
    """A changed line is two rows; in a stretch of them all old lines come before the new ones."""
    waiting: list[Side] = []
    for row in rows:
        if row.kind in {"same", "skipped"}:
            yield from _added(waiting)
            waiting = []
        if row.kind == "skipped":
            yield _skipped(row, columns=4)
        elif row.kind == "same" and row.old and row.new:
            yield _line("same", row.old.number, row.new.number, "", _text(row.new, "ins"))
        else:
            if row.old:
                yield _line("removed", row.old.number, None, _SIGNS["removed"], _text(row.old, "del"))
            if row.new:
                waiting.append(row.new)
    yield from _added(waiting)


def _added(sides: list[Side]) -> Iterator[str]:
    for side in sides:
        yield _line("added", None, side.number, _SIGNS["added"], _text(side, "ins"))


def _side_by_side(rows: tuple[Row, ...]) -> Iterator[str]:
    for row in rows:
        if row.kind == "skipped":
            yield _skipped(row, columns=4)
            continue
        cells = (_half(row.old, "del", row.kind), _half(row.new, "ins", row.kind))
        yield format_html("<tr>{}{}</tr>", *cells)


def _half(side: Side | None, tag: str, kind: str) -> SafeString:
    if side is None:
        return mark_safe('<td class="diff-number"></td><td class="diff-nothing"></td>')
    tone = "" if kind == "same" else "diff-removed" if tag == "del" else "diff-added"
    sign = "" if kind == "same" else _SIGNS["removed" if tag == "del" else "added"]
    return format_html(
        '<td class="diff-number">{}</td><td class="diff-text {}">{}{}</td>',
        side.number,
        tone,
        format_html('<span class="diff-sign">{}</span>', sign) if sign else "",
        _text(side, tag),
    )


def _line(kind: str, old: int | None, new: int | None, sign: str, text: SafeString) -> str:
    return format_html(
        '<tr class="diff-{}"><td class="diff-number">{}</td><td class="diff-number">{}</td>'
        '<td class="diff-sign">{}</td><td class="diff-text">{}</td></tr>',
        kind,
        "" if old is None else old,
        "" if new is None else new,
        sign,
        text,
    )


def _skipped(row: Row, *, columns: int) -> str:
    word = "line" if row.skipped == 1 else "lines"
    return format_html(
        '<tr class="diff-skipped"><td colspan="{}">{} {} unchanged</td></tr>', columns, row.skipped, word
    )


def _text(side: Side, tag: str) -> SafeString:
    if len(side.pieces) == 1:  # The whole line is new or gone: its row says so already.
        return reveal(side.pieces[0].text)
    parts = [f"<{tag}>{reveal(one.text)}</{tag}>" if one.changed else reveal(one.text) for one in side.pieces]
    return mark_safe("".join(parts))  # noqa: S308 (reveal escapes)
