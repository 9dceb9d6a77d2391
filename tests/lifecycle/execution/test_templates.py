"""What templates and expressions give, and what is said when they cannot."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.execution import templates
from lifecycle.execution.templates import TemplateFailed

INPUTS: dict[str, Any] = {
    "text": "héllo",
    "n": 3,
    "none": None,
    "tasks": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}],
    "yes": True,
}
STATE: dict[str, Any] = {"step": {"items": [1, 2], "keys": "k", "page": "x" * 300_000}}


def render(text: str) -> str:
    return templates.render(text, inputs=INPUTS, state=STATE)


def evaluate(text: str) -> Any:
    return templates.evaluate(text, inputs=INPUTS, state=STATE)


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("Hi {{ inputs.text }}, {{ inputs['n'] }}", "Hi héllo, 3"),
        ("{{ state.step.items }} {{ state.step.keys }}", "[1, 2] k"),
        ("{{ inputs.tasks }} {{ inputs.none }} {{ inputs.yes }}", '[{"a": 1, "b": "x"}, {"a": 2, "b": "y"}] null true'),
        ("{% for t in inputs.tasks %}{{ loop.index }}/{{ loop.length }}:{{ t.a }} {% endfor %}", "1/2:1 2/2:2 "),
        ("{% for k, v in inputs.tasks[0].items() %}{{ k }}={{ v }};{% endfor %}", "a=1;b=x;"),
        ("{% for t in inputs.tasks if t.a > 1 %}{{ t.b }}{% else %}none{% endfor %}", "y"),
        ("{{ inputs.tasks | map(attribute='b') | join(', ') }}", "x, y"),
        ("{{ inputs.tasks | selectattr('a', '>', 1) | list | length }}", "1"),
        ("{{ inputs.tasks | sum(attribute='a') }} {{ [3, 1] | sort | first }}", "3 1"),
        ("{{ inputs.nope | default('d') }} {{ inputs.nope is defined }}", "d false"),
        ("{% set twice = inputs.n * 2 %}{{ twice }} {{ 7 // 2 }} {{ 7 % 4 }} {{ -inputs.n }}", "6 3 3 -3"),
        ("{{ 'a' ~ 1 ~ inputs.text[:2] }} {{ state.step.page[:3] }}", "a1hé xxx"),
        ("{{ inputs.text.upper() }} {{ 'a,b'.split(',') }}", 'HÉLLO ["a", "b"]'),
        ("{{ inputs.text | replace('l', 'L') | truncate(4, true, '…') }}", "héL…"),
        ("{{ 'x' if inputs.n == 3 and not false else 'y' }}", "x"),
        ("{{ {'a': [1]} | tojson }} {{ range(3) }} {{ 2.567 | round(1) }}", '{"a": [1]} [0, 1, 2] 2.6'),
        ("{{ 'x' if false }}.", "."),
        ("{% if 'h' in inputs.text %}\n  in\n{% endif %}\n", "  in\n"),
        ("{{ 'a\nb' | indent(2, true) }}", "  a\n  b"),
        ("no braces, {single}, {# comment #}done", "no braces, {single}, done"),
    ],
)
def test_a_template_renders(text: str, rendered: str) -> None:
    assert render(text) == rendered


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("inputs.tasks", [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]),
        ("{{ inputs.n }}", 3),
        ("  {{ inputs.none }} ", None),
        ("inputs.n > 2 and 'x' in state.step.page", True),
        ("{'title': inputs.text, 'all': (1, 2)}", {"title": "héllo", "all": [1, 2]}),
        ("inputs.tasks | map(attribute='a')", [1, 2]),
        ("inputs.tasks[0].items()", [["a", 1], ["b", "x"]]),
        ("'{{ }}'", "{{ }}"),
    ],
)
def test_an_expression_keeps_its_type(text: str, value: Any) -> None:
    assert evaluate(text) == value


def test_a_whole_value_expression_keeps_its_type_within_arguments() -> None:
    args = {
        "list": "{{ inputs.tasks }}",
        "deep": [" {{ inputs.n }} ", "n={{ inputs.n }}", 5, None, {"k": "{{ 1 == 1 }}"}],
    }
    assert templates.render_value(args, inputs=INPUTS, state=STATE) == {
        "list": INPUTS["tasks"],
        "deep": [3, "n=3", 5, None, {"k": True}],
    }


@pytest.mark.parametrize(
    "text", ["inputs.nope", "[inputs.nope]", "1 if false", "{'a': 1 if false}", "1e999", "1e308 * 10"]
)
def test_an_expression_without_a_value_fails(text: str) -> None:
    with pytest.raises(TemplateFailed):
        evaluate(text)


def test_a_value_shares_nothing_with_the_inputs() -> None:
    evaluate("inputs.tasks").append("more")
    evaluate("inputs.tasks")[0]["a"] = 99
    assert len(INPUTS["tasks"]) == 2
    assert INPUTS["tasks"][0]["a"] == 1


def test_extra_names_are_seen_and_cannot_replace_inputs_and_state() -> None:
    extra = {"item": 1, "inputs": {"text": "false"}, "state": {}}
    assert templates.render("{{ item }}{{ inputs.text }}", inputs=INPUTS, state=STATE, extra=extra) == "1héllo"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a\n{{ inputs.nope }}", "Line 2: There is no 'nope'"),
        ("{{ inputs.nope.more }}", "There is no 'nope'"),
        ("{{ nope }}", "'nope' is undefined"),
        ("{{ [inputs.nope] }}", "There is no 'nope'"),
        ("{{ 'a' ~ inputs.nope }}", "There is no 'nope'"),
        ("{{ inputs.nope == 1 }}", "There is no 'nope'"),
        ("{{ inputs.nope + 1 }}", "There is no 'nope'"),
        ("{{ inputs.nope.upper() }}", "There is no 'nope'"),
        ("{{ inputs.nope | upper }}", "There is no 'nope'"),
        ("{% for x in inputs.nope %}{% endfor %}", "There is no 'nope'"),
        ("{{ inputs.tasks[7] }}", "There is no item 7 among 2"),
        ("{{ inputs.text.nope }}", "There is no 'nope' in a text"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ 1 + 'a' }}", "unsupported operand"),
        ("{{ x", "unexpected end of template"),
        ("{% if %}{% endif %}", "Expected an expression"),
        ("{{ 'a' | nope }}", "There is no filter 'nope'"),
        ("{{ 'a' is nope }}", "There is no test 'nope'"),
        ("{{ '\x00' }}", "null character"),
    ],
)
def test_what_is_missing_or_wrong_is_named(text: str, said: str) -> None:
    with pytest.raises(TemplateFailed) as failed:
        render(text)
    assert said in failed.value.message


@pytest.mark.parametrize(
    "text", ["", "inputs.n if", "{{ 1 }} {{ 2 }}", "%}", "}} {{", "inputs.n }}{{ inputs.n", "text {{ 1 }}"]
)
def test_what_is_no_single_expression_is_refused(text: str) -> None:
    assert templates.check_expression(text)
    with pytest.raises(TemplateFailed):
        evaluate(text)


def test_checks_give_a_sentence_or_none() -> None:
    assert templates.check_template("{{ inputs.text }}") is None
    assert templates.check_expression("state.step.items") is None
    assert str(templates.check_template("a\n{% endif %}")).startswith("Line 2: ")
    assert templates.check_template("{{ input.x }} {{ range(2) }}", known=["inputs", "state"]) == (
        "It uses input, but the names here are inputs, state."
    )
    assert templates.check_expression("item.url", known=["inputs", "state", "item"]) is None


def test_a_render_is_at_most_so_long() -> None:
    with pytest.raises(TemplateFailed, match="longer than 200000"):
        render("{{ state.step.page }}")


def test_plain_refuses_what_cannot_be_stored() -> None:
    for value in (float("nan"), float("inf"), "a\x00", "\ud800", {1: 2}, {"a": object()}, b"bytes"):
        with pytest.raises(TemplateFailed):
            templates.plain(value)


@given(st.text(max_size=60))
def test_any_text_renders_or_fails_with_a_sentence(text: str) -> None:
    for attempt in (render, evaluate):
        try:
            attempt(text)
        except TemplateFailed as error:
            assert error.message.endswith((".", "!", "?")) or len(error.message) >= 500


@given(st.text(alphabet="{}%[]().|~+-*/ 'ainsx0", max_size=40))
def test_template_like_text_renders_or_fails_with_a_sentence(text: str) -> None:
    test_any_text_renders_or_fails_with_a_sentence.hypothesis.inner_test(text)  # type: ignore[attr-defined]
    templates.check_template("{{" + text + "}}")
