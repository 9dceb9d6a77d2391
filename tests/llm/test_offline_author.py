"""The offline author: what it learns from samples holds for inputs like them, and nothing was told to it before."""

from __future__ import annotations

import json
from collections.abc import Mapping
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from donna_skills.llm import offline
from donna_skills.llm.offline import author, learned, learning
from donna_skills.llm.offline.learning import Sample
from donna_skills.llm.port import ModelRequest, Purpose
from lifecycle.execution import templates
from lifecycle.packages.validate import validate
from tests.lifecycle import guests

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def learn(pairs: list[tuple[dict[str, Any], Any]], **schema: Any) -> Mapping[str, Any]:
    return learning.rules([Sample(inputs, output) for inputs, output in pairs], schema)


def written(capability: Mapping[str, Any], samples: list[dict[str, Any]], *, purpose: Purpose = Purpose.DRAFT) -> Any:
    facts = {"capability": capability, "samples": samples}
    schema = {"type": "object", "properties": {"files": {"type": "object"}, "fixtures": {"type": "array"}}}
    request = ModelRequest(purpose=purpose, task_type="draft", prompt="", schema=schema, facts=facts)
    return json.loads(offline.answer(request, blunt=False))


def asked(prompt: str, inputs: Any, *, purpose: Purpose = Purpose.SKILL_STEP) -> Any:
    schema = {"type": "object", "properties": {"label": {"type": "string"}}, "required": ["label"]}
    request = ModelRequest(purpose=purpose, task_type="x", prompt=prompt, schema=schema, facts={"inputs": inputs})
    return json.loads(offline.answer(request, blunt=True))


def test_a_classification_is_learned_from_a_handful_and_holds_for_hundreds():
    chance = Random(5)
    by_team: dict[str, tuple[Any, Any]] = {}
    while len(by_team) < 3:
        inputs, output = guests.note(chance)
        by_team.setdefault(output["team"], (inputs, output))
    rules = learn([*by_team.values(), guests.note(chance), guests.note(chance)], **guests.NOTE_OUT)
    for _ in range(300):
        inputs, output = guests.note(chance)
        assert learned.answer(rules, inputs) == output


@pytest.mark.parametrize(
    ("pairs", "inputs", "answer"),
    [
        ([({"a": "x", "b": 1}, {"c": "x"}), ({"a": "y", "b": 2}, {"c": "y"})], {"a": "z"}, {"c": "z"}),
        (
            [({"code": "de"}, {"land": "Germany"}), ({"code": "FR"}, {"land": "France"})],
            {"code": "fr"},
            {"land": "France"},
        ),
        (
            [
                ({"t": "Paid 12.50 EUR to Kite Hosting, thanks."}, {"sum": 12.5, "to": "Kite Hosting", "in": "EUR"}),
                ({"t": "Paid 1,300 USD to Ann, thanks."}, {"sum": 1300, "to": "Ann", "in": "USD"}),
            ],
            {"t": "Paid 7 USD to The Old Mill, thanks."},
            {"sum": 7, "to": "The Old Mill", "in": "USD"},
        ),
        (
            [
                ({"t": "Meet Ada on 2026-03-01."}, {"day": "2026-03-01"}),
                ({"t": "Meet Bo on 2026-04-02."}, {"day": "2026-04-02"}),
                ({"t": "Meet Cy."}, {"day": None}),
            ],
            {"t": "Meet Di."},
            {"day": None},
        ),
        ([({"t": "all is well"}, "good"), ({"t": "it is broken"}, "bad")], {"t": "my lamp is broken"}, "bad"),
        ([({"t": "we won"}, {"ok": True}), ({"t": "we lost"}, {"ok": False})], {"t": "they lost again"}, {"ok": False}),
    ],
    ids=["copied", "looked up", "taken out of a text", "a day or none", "an answer that is no object", "yes or no"],
)
def test_patterns_that_are_learned(pairs: Any, inputs: Any, answer: Any):
    assert learned.answer(learn(pairs), inputs) == answer


def test_what_the_samples_do_not_show_is_escalated_and_never_guessed():
    rules = learn([({"code": "de"}, {"land": "Germany"}), ({"code": "fr"}, {"land": "France"})])
    assert learned.answer(rules, {"code": "it"}) == {"escalate": "No rule of this skill finds land in these inputs."}
    poems = [
        ({"t": f"word {n}"}, {"poem": f"Something {n} quite unlike the word, at length and in verse."}) for n in "abc"
    ]
    assert "poem" in learned.answer(learn(poems, required=["poem"]), {"t": "word d"})["escalate"]
    assert learned.answer(learn(poems), {"t": "word d"}) == {}


def test_what_it_writes_is_a_valid_package_with_three_to_five_examples():
    chance = Random(3)
    capability = {"name": "guest_notes", "description": 'Says "who" {{ helps }}.', "output_schema": guests.NOTE_OUT}
    notes = [guests.note(chance) for _ in range(5)]
    said = written(capability, [{"inputs": inputs, "output": output} for inputs, output in notes])
    files = {path: text.encode() for path, text in said["files"].items()}
    assert validate(files, capability_name="guest_notes", granted_tools=(), known_tools=()) == ()
    assert [fixture["expected_output"] for fixture in said["fixtures"]] == [{"const": output} for _, output in notes]
    assert said["changelog"] == "Learned 4 of 4 fields from 5 samples."


def test_nothing_in_a_sample_becomes_a_template_or_ends_the_rules():
    evil = "{{ inputs }} ``` {%x%} {#y#}"
    sample = {"inputs": {"code": "a"}, "output": {"label": evil}}
    other = {"inputs": {"code": "b"}, "output": {"label": "}}"}}
    said = written({"name": "x", "description": "d", "output_schema": {}}, [sample, other])
    prompt = said["files"]["steps/answer.md"]
    assert templates.check_template(prompt, known={"inputs", "state", "tools"}) is None
    rendered = templates.render(prompt, inputs={"code": "a"}, state={})
    assert asked(rendered, {"code": "a"}) == {"label": evil}


def test_another_package_gives_another_answer_and_only_a_step_reads_rules():
    prompt = '```rules\n{"label": {"take": "constant", "value": "%s"}}\n```\nThe inputs: …'
    assert [asked(prompt % word, {})["label"] for word in ("left", "right")] == ["left", "right"]
    assert asked(prompt % "left", {}, purpose=Purpose.NATIVE) == {"label": ""}
    assert asked("The inputs: " + prompt % "left", {"text": "hi"}) == {"label": ""}


@pytest.mark.parametrize(
    "block", ["[]", "{", '{"label": 7}', '{"label": {"take": "lookup"}}', '{"label": {"take": "between", "marks": 3}}']
)
def test_rules_that_make_no_sense_find_nothing_and_break_nothing(block: str):
    assert asked(f"```rules\n{block}\n```\n", {"text": "hi"}) in (
        {"label": ""},
        {"escalate": "No rule of this skill finds label in these inputs."},
    )


@given(
    samples=st.lists(
        st.fixed_dictionaries(
            {"inputs": st.dictionaries(st.text(max_size=6), json_values, max_size=3), "output": json_values}
        ),
        max_size=5,
    ),
    inputs=st.dictionaries(st.text(max_size=6), json_values, max_size=3),
)
def test_no_samples_make_it_stumble_and_every_prompt_renders(samples: Any, inputs: Any):
    facts = {"capability": {"name": "x", "description": "d", "output_schema": {"type": "object"}}, "samples": samples}
    said = author.draft(facts, blunt=False)
    assert said is not None
    prompt = said["files"]["steps/answer.md"]
    assert templates.check_template(prompt, known={"inputs", "state", "tools"}) is None
    rules = learned.rules_of(prompt)
    assert rules is not None
    json.dumps(learned.answer(rules, inputs))
