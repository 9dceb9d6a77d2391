"""Templates that want out, or want the machine: each fails, with a sentence, and soon."""

from __future__ import annotations

import time
import tracemalloc
from typing import Any

import pytest

from lifecycle.execution import templates
from lifecycle.execution.templates import TemplateFailed

AT_MOST_S = 3.0
"""Far more than any of them needs alone (half a second), so that a busy machine fails no test."""

ESCAPES = [
    "{{ ''.__class__ }}",
    "{{ ''['__class__'] }}",
    "{{ ''['__cla' ~ 'ss__'] }}",
    "{{ inputs.__init__ }}",
    "{{ inputs['__class__'] }}",
    "{{ [''] | map(attribute='__class__') | list }}",
    "{{ [''] | join(attribute='__class__') }}",
    "{{ [[1], [2]] | sort(attribute='__class__') }}",
    "{{ 'a'.format(1) }}",
    "{{ '{0.__class__}'.format(1) }}",
    "{{ '%s' % 'a' }}",
    "{{ inputs.update({}) }}",
    "{{ state.l.append(1) }}",
    "{{ self }}",
    "{{ self.__dict__ }}",
    "{{ _x }}",
    "{{ cycler }}",
    "{{ lipsum(1) }}",
    "{{ dict(a=1) }}",
    "{{ namespace() }}",
    "{{ inputs.get.__self__ }}",
    "{{ range }}",
    "{% include 'x' %}",
    "{% import 'x' as y %}",
    "{% extends 'x' %}",
    "{% macro f() %}{{ f() }}{% endmacro %}",
    "{% call f() %}{% endcall %}",
    "{% block a %}{% endblock %}",
    "{% filter upper %}a{% endfilter %}",
    "{% set a %}x{% endset %}",
    "{% set inputs.x = 1 %}",
    "{% do 1 %}",
    "{% autoescape true %}{% endautoescape %}",
    "{% for x in [1] %}{{ loop._iterator }}{% endfor %}",
    "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    "{{ 'a' | attr('upper') }}",
    "{{ 'a' | meter:loop(1) }}",
    "{{ [[1]] | map('meter:loop', 1) | list }}",
    "{{ inputs.list(*[1]) }}",
]

GREEDY = [
    "{% for a in range(10**9) %}{% endfor %}",
    "{% for a in range(1000000000) %}{% endfor %}",
    "{% for a in range(0, 10000000000000, 9999999999) %}{% endfor %}",
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "{% for a in range(99999) %}" + "{{ state.l.x.y.z is defined }}" * 300 + "{% endfor %}",
    "{{ 'a' * 10000000000 }}",
    "{{ [1] * 10000000000 }}",
    "{{ 2 ** 99999999 }}",
    "{{ '%99999999999d' % 1 }}",
    "{{ 'a'.ljust(99999999999) }}",
    "{{ 'a' | center(9999999999) }}",
    "{{ 'a' | indent(99999999999) }}",
    "{{ [1] | batch(99999999999) | list }}",
    "{{ [1] | tojson(indent=999999999) }}",
    "{{ 1.5 | round(999999999, 'ceil') }}",
    "{{ state.s | replace('a', state.s) }}",
    "{{ state.s | replace('', state.s) }}",
    "{{ state.l | join(state.s) }}",
    "{{ state.l | map('replace', '1', state.s) | list }}",
    "{% set a = [1, 1] %}" + "{% set a = [a, a] %}" * 40 + "{{ a }}",
    "{% set a = [1, 1] %}" + "{% set a = a + a %}" * 40 + "{{ a }}",
    "{% set a = {'a': 1} %}" + "{% set a = {'x': a, 'y': a} %}" * 40 + "{{ a }}",
    "{% set a = 'aaaaaaaaaa' %}" + "{% set a = a ~ a %}" * 40 + "{{ a }}",
    "{% set a = 'aaaaaaaaaa' %}" + "{% set a = a + a %}" * 40 + "{{ a }}",
    "{% set a = 'aaaaaaaaaa' %}" + "{% set a = a | replace('a', 'aa') %}" * 40 + "{{ a }}",
    "{% set a = 99999999 %}" + "{% set a = a * a %}" * 40 + "{{ a }}",
    "{% for a in range(999) %}{% for b in range(999) %}{{ 'x' in state.s }}{% endfor %}{% endfor %}",
    "{% for a in range(9999) %}" + "{{ state.l | sort | first }}" * 100 + "{% endfor %}",
    "{% for a in range(9999) %}{{ state.l == state.l }}{{ state.l[1:] }}{% endfor %}",
    "{% for a in range(99999) %}{{ state.s.upper() }}{% endfor %}",
    "{{ range(99999) | list }}" * 5,
]

DEEP = [
    "{{ " + "(" * 30_000 + "1" + ")" * 30_000 + " }}",
    "{{ " + "[" * 3_000 + "1" + "]" * 3_000 + " }}",
    "{{ " + "-" * 3_000 + "1 }}",
    "{{ " + "not " * 3_000 + "1 }}",
    "{{ 1" + "+1" * 3_000 + " }}",
    "{{ x" + ".a" * 3_000 + " }}",
    "{{ x" + "|upper" * 3_000 + " }}",
    "{{ " + "1 if 1 else " * 3_000 + "1 }}",
    "{{ " + "9" * 30_000 + " }}",
    "{{ 0x" + "f" * 30_000 + " }}",
    "{% for a in [1] %}" * 25 + "{% endfor %}" * 25,
    "{% for a in [1] %}" * 2_000 + "{% endfor %}" * 2_000,
    "{% if 1 %}" * 2_000 + "{% endif %}" * 2_000,
    "{{1}}" * 12_000,
    "a" * 100_000,
]


@pytest.mark.parametrize("text", ESCAPES)
def test_there_is_no_way_out(text: str) -> None:
    with pytest.raises(TemplateFailed):
        _render(text)


@pytest.mark.parametrize("text", GREEDY)
def test_a_greedy_template_ends_soon_and_stays_small(text: str) -> None:
    tracemalloc.start()
    started = time.thread_time()
    try:
        with pytest.raises(TemplateFailed):
            _render(text)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert time.thread_time() - started < 4 * AT_MOST_S  # tracing slows everything down
    assert peak < 150_000_000


@pytest.mark.parametrize("text", DEEP)
def test_a_deep_or_long_template_is_refused_soon(text: str) -> None:
    started = time.thread_time()
    assert templates.check_template(text) is not None
    assert time.thread_time() - started < AT_MOST_S


def test_an_honest_template_over_much_data_has_allowance_to_spare() -> None:
    state = {"items": [{"title": f"Title {n}", "text": "word " * 20} for n in range(500)]}
    text = "{% for i in state['items'] if 'word' in i.text %}{{ loop.index }}. {{ i.title | upper }}\n{% endfor %}"
    assert templates.render(text, inputs={}, state=state).count("TITLE") == 500


def _render(text: str) -> Any:
    state = {"s": "a" * 150_000, "l": list(range(1_000))}
    return templates.render(text, inputs={"text": "x", "list": [1]}, state=state)
