"""How values look: times, money, durations, rates, ids, badges, and characters that nobody can see."""

from __future__ import annotations

import unicodedata
from datetime import timedelta
from decimal import Decimal

import pytest
from django.template import Context, Template, TemplateSyntaxError
from django.utils import timezone
from django.utils.html import escape
from hypothesis import given
from hypothesis import strategies as st

from donna_skills.templatetags import ui
from lifecycle.models import RunStatus, StepStatus, VersionStatus
from lifecycle.states import STATES, State
from lifecycle.templatetags import skills
from tests.shell import samples


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (Decimal("12.4"), "$12.40"),
        (Decimal("1234567.891"), "$1,234,567.89"),
        (Decimal("0.125"), "$0.13"),
        (Decimal("0.000412"), "$0.0004"),
        (Decimal("0.00000001"), "<$0.0001"),
        (Decimal("-3.1"), "−$3.10"),
        (0, "$0.00"),
        (None, "–"),
    ],
)
def test_money_shows_cents_and_small_change_finer(amount, shown):
    assert ui.money(amount) == shown


@pytest.mark.parametrize(
    ("milliseconds", "shown"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (2300, "2.3 s"),
        (59_940, "59.9 s"),
        (59_960, "1 min 0 s"),
        (184_000, "3 min 4 s"),
        (7_500_000, "2 h 5 min"),
        (None, "–"),
    ],
)
def test_a_duration_takes_the_unit_that_fits(milliseconds, shown):
    assert ui.duration(milliseconds) == shown


@pytest.mark.parametrize(
    ("passed", "shown"),
    [
        (timedelta(seconds=1), "just now"),
        (timedelta(seconds=40), "40 s ago"),
        (timedelta(minutes=59, seconds=59), "59 min ago"),
        (timedelta(hours=3), "3 h ago"),
        (timedelta(days=2, hours=5), "2 d ago"),
        (timedelta(hours=-3, seconds=-30), "in 3 h"),
    ],
)
def test_a_time_is_relative_with_the_exact_one_on_hover(passed, shown):
    when = timezone.now() - passed
    html = ui.ago(when)

    assert f">{shown}</time>" in html
    assert f'datetime="{when.isoformat(timespec="seconds")}"' in html
    assert "UTC" in html


def test_an_old_time_is_a_date_and_no_time_is_a_dash():
    long_ago = timezone.now() - timedelta(days=90)

    assert f">{long_ago.day} {long_ago:%b %Y}</time>" in ui.ago(long_ago)
    assert ui.ago(None) == "–"


def test_a_rate_never_stands_without_its_n_and_interval():
    shown = ui.rate({"value": 0.912, "n": 1063, "lower": 0.84, "upper": 0.95})

    assert "0.91" in shown
    assert "(0.84–0.95, n 1,063)" in shown
    assert ui.rate({"value": None, "n": 0, "lower": 0.0, "upper": 1.0}) == ui.rate(None)
    assert "no data yet" in ui.rate(None)


def test_an_id_is_short_to_see_and_full_to_copy():
    html = ui.copy_id("0198c0de-0000-7000-8000-00000000abcd")

    assert ">0000abcd<" in html
    assert 'data-copy="0198c0de-0000-7000-8000-00000000abcd"' in html
    assert ui.copy_id(None) == "–"


def test_a_badge_has_a_word_and_a_shape_and_escapes_both():
    html = ui.badge("<b>", "amber", title='"')

    assert "▲" in html
    assert "&lt;b&gt;" in html
    assert "&quot;" in html


def test_a_badge_in_an_unknown_tone_is_the_authors_mistake():
    with pytest.raises(TemplateSyntaxError, match="pink"):
        ui.badge("word", "pink")


@pytest.mark.parametrize("state", list(State))
def test_a_state_has_one_look_everywhere_with_its_code_on_hover(state):
    html = Template("{% load skills %}{% state_badge state %}").render(Context({"state": state.value}))

    assert STATES[state].label in html
    assert f"tone-{STATES[state].tone}" in html
    assert f'title="{state.value}: ' in html


def test_every_status_has_a_tone():
    assert set(skills.RUN_TONES) == set(RunStatus)
    assert set(skills.STEP_TONES) == set(StepStatus)
    assert set(skills.VERSION_TONES) == set(VersionStatus)
    for status in StepStatus:
        assert str(status.label) in skills.step_badge(status.value)
    for status in VersionStatus:
        assert str(status.label) in skills.version_badge(status.value)


def test_a_degraded_run_says_so():
    assert "Succeeded, degraded" in skills.run_badge(samples.run(degraded=True))
    assert "Failed" in skills.run_badge(samples.run(status="failed", degraded=True))


@pytest.mark.parametrize(
    "character",
    ["\u200b", "\u202e", "\u2066", "\ufeff", "\u00a0", "\u00ad", "\u3164", "\ufe0f", "\U000e0041", "\r", "\x00"],
)
def test_a_character_that_nobody_can_see_is_spelt_out(character):
    html = ui.reveal(f"a{character}b")

    assert character not in html
    assert f"U+{ord(character):04X}" in html


def test_ordinary_writing_stays_as_it_is():
    text = "Žluťoučký kůň, 日本語, ﷽, naïve — “quoted” 1 < 2\n\tindented"

    assert ui.reveal(text) == escape(text)


@given(st.text())
def test_revealed_text_holds_no_markup_and_nothing_hidden(text):
    html = ui.reveal(text)
    remaining = html.replace("</span>", "").split('<span class="hidden-character" title="')

    assert all("<" not in part for part in remaining)
    assert all(c in "\n\t" or unicodedata.category(c) not in {"Cc", "Cf", "Co", "Cs", "Cn"} for c in html)


def test_json_is_pretty_and_escaped():
    assert ui.pretty_json({"a": "<b>"}) == "{\n  &quot;a&quot;: &quot;&lt;b&gt;&quot;\n}"


def _points(svg: str) -> list[tuple[float, float]]:
    path = svg.split(' d="')[1].split('"')[0]
    return [tuple(map(float, part.split())) for part in path.replace("M", "L").split("L") if part]


def test_a_small_line_runs_from_the_oldest_value_to_the_newest_and_says_what_it_shows():
    svg = ui.sparkline([0.0, 0.5, 1.0], "From <nothing> to all", high=1)
    points = _points(svg)
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert [y for _, y in points] == sorted((y for _, y in points), reverse=True)
    assert 'role="img"' in svg and "From &lt;nothing&gt; to all" in svg
    assert f'cx="{points[-1][0]}" cy="{points[-1][1]}"' in svg


def test_a_value_that_is_missing_leaves_a_gap_and_none_at_all_leaves_nothing():
    assert ui.sparkline([1, None, 2], "A gap").count("M") == 2
    assert ui.sparkline([None, None], "Nothing") == ""
    assert ui.sparkline([], "Nothing") == ""


def test_values_beyond_the_frame_stay_inside_it():
    for _, y in _points(ui.sparkline([-5, 0, Decimal("0.5"), 99], "Wild", high=1)):
        assert 0 <= y <= 24
    assert _points(ui.sparkline([0, 0], "Nothing spent")) == _points(ui.sparkline([0, 0], "Nothing spent", high=1))
