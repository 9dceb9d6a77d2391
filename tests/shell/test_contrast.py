"""Words on their grounds reach 4.5:1, and the lines of controls 3:1, in both themes (WCAG 2.2, 1.4.3 and 1.4.11)."""

from __future__ import annotations

import re

import pytest

from donna_skills.adminsite import TOKENS, unfold_settings

TONES = ("grey", "blue", "violet", "teal", "green", "amber", "red")
GROUNDS = ("ground", "ground-side", "ground-raised", "ground-sunken", "ground-hover")
WORDS = [
    *((words, ground) for words in ("text", "text-muted") for ground in GROUNDS),
    *(("link", ground) for ground in ("ground", "ground-raised", "ground-sunken")),
    *((f"{tone}-tone", f"{tone}-tone-ground") for tone in TONES),
    *((f"{tone}-tone", ground) for tone in TONES for ground in ("ground", "ground-raised")),
    ("on-accent", "accent"),
    ("on-accent", "accent-hover"),
    ("accent-text", "accent-ground"),
    ("link", "amber-tone-ground"),
]
LINES = [(line, ground) for line in ("line-strong", "focus") for ground in ("ground", "ground-raised", "ground-sunken")]
_TOKEN = re.compile(r"^\s*--([\w-]+): ([^;]+);", re.M)


def _tokens() -> dict[str, str]:
    return dict(_TOKEN.findall(TOKENS.read_text()))


def _colour(name: str, theme: str) -> str:
    """The token as #rrggbb in one theme: follows var() and takes its side of light-dark()."""
    value = _tokens()[name]
    if pair := re.fullmatch(r"light-dark\((.+), (.+)\)", value):
        value = pair[1] if theme == "light" else pair[2]
    if reference := re.fullmatch(r"var\(--(.+)\)", value):
        return _colour(reference[1], theme)
    assert re.fullmatch(r"#[0-9a-f]{6}", value), value
    return value


def _luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_the_measure_itself_knows_black_on_white() -> None:
    assert _contrast("#000000", "#ffffff") == pytest.approx(21)
    assert _contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("words", "ground"), WORDS)
def test_words_can_be_read_on_their_ground(words: str, ground: str, theme: str) -> None:
    assert _contrast(_colour(words, theme), _colour(ground, theme)) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("line", "ground"), LINES)
def test_the_edge_of_a_control_can_be_seen(line: str, ground: str, theme: str) -> None:
    assert _contrast(_colour(line, theme), _colour(ground, theme)) >= 3


def test_the_admins_active_entry_can_be_read_in_both_themes() -> None:
    # The theme writes it in primary-600 on base-100, and in the dark in primary-500 on a veil of 6 % white.
    assert _contrast(_colour("indigo-600", "light"), _colour("grey-100", "light")) >= 4.5
    assert _contrast(_colour("indigo-500", "dark"), _colour("grey-800", "dark")) >= 4.5


def test_the_admin_takes_its_colours_from_the_same_tokens() -> None:
    colours = unfold_settings()["COLORS"]

    assert colours["base"]["900"] == _colour("ground", "dark")
    assert colours["primary"]["600"] == _colour("accent", "light")
    assert len(colours["base"]) == len(colours["primary"]) == 11
