"""How values look on every page: badges, times, money, durations, rates with their n and interval, ids, and text that
somebody else wrote with its hidden characters made visible."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django import template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from donna_skills import shortening

register = template.Library()

NOTHING = "–"
TONES = ("grey", "blue", "violet", "teal", "green", "amber", "red")
SHAPES = {"grey": "○", "blue": "◆", "violet": "◆", "teal": "●", "green": "●", "amber": "▲", "red": "■"}
SHORT_ID_LENGTH = 8
_LONGEST_TEXT = 20_000
"""Bytes of a page that one text takes, where a template names no other number."""
_SPARK_WIDTH, _SPARK_HEIGHT, _SPARK_EDGE = 96, 24, 3

# Drawn as nothing, or as something else than what they are, though Unicode calls them letters, marks or symbols.
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"})
_UNUSUAL = re.compile(r"[^\n\t -~]")


@register.simple_tag
def badge(text: str, tone: str = "grey", *, shape: str = "", title: str = "") -> SafeString:
    """A word in a colour, with a shape for those who see no colour."""
    if tone not in TONES:
        raise template.TemplateSyntaxError(f"A badge's tone is one of {', '.join(TONES)}, not {tone!r}.")
    hint = format_html(' title="{}"', title) if title else ""
    return format_html(
        '<span class="badge tone-{}"{}><span aria-hidden="true">{}</span>{}</span>',
        tone,
        hint,
        shape or SHAPES[tone],
        text,
    )


@register.simple_tag
def icon(name: str) -> SafeString:
    """One picture of static/icons.svg; it never stands alone for its meaning."""
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}#{}"/></svg>', static("icons.svg"), name)


@register.simple_tag
def sparkline(values: Sequence[Decimal | float | int | None], label: str, *, low: float = 0, high: float = 0) -> str:
    """A line of values without axes, oldest first, from `low` to `high` (or to the largest value); None is a gap.

    `label` is what it says to those who do not see it; the newest value stands beside it in words on every page.
    """
    known = [float(value) for value in values if value is not None]
    if not known:
        return ""
    top = max(high or max(known), low + 1e-9)
    step = (_SPARK_WIDTH - 2 * _SPARK_EDGE) / max(len(values) - 1, 1)
    room = _SPARK_HEIGHT - 2 * _SPARK_EDGE
    path, pen_is_up, x, y = "", True, 0.0, 0.0
    for at, value in enumerate(values):
        if value is None:
            pen_is_up = True
            continue
        share = min(max((float(value) - low) / (top - low), 0), 1)
        x, y = _SPARK_EDGE + at * step, _SPARK_EDGE + (1 - share) * room
        path += f"{'M' if pen_is_up else 'L'}{x:.1f} {y:.1f}"
        pen_is_up = False
    return format_html(
        '<svg class="sparkline" viewBox="0 0 {} {}" role="img" aria-label="{}">'
        '<path d="{}"/><circle cx="{}" cy="{}" r="2"/></svg>',
        _SPARK_WIDTH,
        _SPARK_HEIGHT,
        label,
        path,
        f"{x:.1f}",
        f"{y:.1f}",
    )


@register.filter
def ago(when: datetime | None) -> str:
    """A relative time, with the exact one on hover and for machines."""
    if when is None:
        return NOTHING
    exact = when.astimezone(UTC)
    return format_html(
        '<time class="nowrap" datetime="{}" title="{}">{}</time>',
        exact.isoformat(timespec="seconds"),
        f"{exact.day} {exact:%b %Y, %H:%M:%S} UTC",
        _in_words(timezone.now() - when, exact),
    )


@register.filter
def money(amount: Decimal | float | int | None) -> str:
    """US dollars: cents as a rule, four decimals for the small change of single model calls."""
    if amount is None:
        return NOTHING
    value = Decimal(str(amount))
    sign, value = ("−", -value) if value < 0 else ("", value)
    if value == 0 or value >= Decimal("0.1"):
        return f"{sign}${_rounded(value, '0.01'):,}"
    if value < Decimal("0.0001"):
        return f"{sign}<$0.0001"
    return f"{sign}${_rounded(value, '0.0001')}"


@register.filter
def duration(milliseconds: float | int | None) -> str:
    """340 ms, 2.3 s, 3 min 4 s, 2 h 5 min."""
    if milliseconds is None:
        return NOTHING
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 59_950:
        return f"{milliseconds / 1000:.1f} s"
    seconds = round(milliseconds / 1000)
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


@register.filter
def rate(figure: Mapping[str, Any] | None) -> str:
    """`0.91 (0.84–0.95, n 63)` from {value, n, lower, upper}: a rate never stands without its n and interval."""
    if not figure or not figure.get("n"):
        return mark_safe('<span class="muted">no data yet</span>')
    inside = f"n {figure['n']:,}"
    if figure.get("lower") is not None and figure.get("upper") is not None:
        inside = f"{figure['lower']:.2f}–{figure['upper']:.2f}, {inside}"
    return format_html(
        '<span class="number nowrap">{} <span class="muted">({})</span></span>', f"{figure['value']:.2f}", inside
    )


@register.filter
def short_id(value: object) -> str:
    """The end of an id: a UUIDv7 begins with the time, so neighbours differ at the end."""
    return str(value)[-SHORT_ID_LENGTH:]


@register.filter
def copy_id(value: object) -> str:
    """The short id as a button that copies the full one."""
    if value is None or value == "":
        return NOTHING
    return format_html(
        '<button type="button" class="id" data-copy="{0}" title="{0}" aria-label="Copy the id {0}">{1}</button>',
        value,
        short_id(value),
    )


@register.filter
def reveal(text: object, most: int = _LONGEST_TEXT) -> SafeString:
    """Text of a model, a bot or a skill, escaped, with every character that cannot be seen spelt out. What would take
    more than `most` bytes of the page is cut, and says so."""
    shown, left = shortening.cut(str(text), most or _LONGEST_TEXT)
    safe = _UNUSUAL.sub(lambda found: _shown(found[0]), escape(shown))
    more = f' <span class="muted">… and {left:,} more characters</span>' if left else ""
    return mark_safe(safe + more)  # noqa: S308 (escaped first)


@register.filter
def pretty_json(value: Any, most: int = _LONGEST_TEXT) -> SafeString:
    """JSON to read, for a <pre>; a value that is no JSON is shown as text. Cut as `reveal` cuts."""
    return reveal(json.dumps(value, indent=2, ensure_ascii=False, default=str), most)


def spelt_out(text: str, most: int = 300) -> str:
    """The same for an attribute, where there is no markup: hidden characters by their codes."""
    shown, left = shortening.cut(text, most)
    return _UNUSUAL.sub(lambda found: _code(found[0]) if _hidden(found[0]) else found[0], shown) + ("…" if left else "")


def _code(character: str) -> str:
    return f"U+{ord(character):04X}"


def _shown(character: str) -> str:
    if not _hidden(character):
        return character
    name = unicodedata.name(character, "control or unassigned character").lower()
    return format_html('<span class="hidden-character" title="{}">{}</span>', name, _code(character))


def _hidden(character: str) -> bool:
    return (
        character in _INVISIBLE
        or unicodedata.category(character) in _HIDDEN_CATEGORIES
        or "VARIATION SELECTOR" in unicodedata.name(character, "")
    )


def _in_words(passed: timedelta, exact: datetime) -> str:
    seconds = passed.total_seconds()
    ahead, seconds = seconds < 0, abs(seconds)
    if seconds < 5:
        return "just now"
    if seconds >= 30 * 86_400:
        return f"{exact.day} {exact:%b %Y}"
    size, unit = next(found for found in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")) if seconds >= found[0])
    amount = f"{int(seconds // size)} {unit}"
    return f"in {amount}" if ahead else f"{amount} ago"


def _rounded(value: Decimal, step: str) -> Decimal:
    return value.quantize(Decimal(step), rounding=ROUND_HALF_UP)
