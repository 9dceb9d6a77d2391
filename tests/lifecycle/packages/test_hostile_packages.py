"""Whole packages from strangers: refused quickly, never with an exception."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.packages.validate import MAX_FINDINGS, validate
from tests.lifecycle.packages.samples import FIXTURE, codes_of, files, invocation, step


def test_frontmatter_rules_hold_in_a_step_package_too():
    assert codes_of(files(md="---\nname: Not Good\ndescription: x\n---\n")) == ["frontmatter_name"]


def test_unsafe_paths_and_sizes_are_findings():
    assert codes_of({**files(), "../outside.md": b"x"}) == ["path_invalid"]
    assert codes_of({**files(), "big.bin": b"x" * 10_000_000}) == ["file_too_large", "package_too_large"]


@pytest.mark.parametrize(
    "path", ["skill.yaml", "SKILL.md", "steps/hello.md", "schemas/hello.json", "fixtures/ada.json"]
)
@pytest.mark.parametrize(
    "content", [b"x" * 10_000_000, b"[" * 900_000, b"&a [" * 200_000, b"{{" * 400_000, b"---\n" * 200_000]
)
def test_a_large_or_deep_file_anywhere_is_refused_quickly(path, content):
    started = time.process_time()
    assert validate({**files(), path: content}) != ()
    assert time.process_time() - started < 1


def test_the_list_of_findings_has_an_end():
    text = json.dumps({**json.loads(step()), **{f"k{n}": 1 for n in range(5000)}})
    assert len(validate(files(yaml=text))) == MAX_FINDINGS


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(
        ["steps/hello.md", "schemas/hello.json", "llm", "tool", "mixed", "{{ inputs.a }}", "state.hello"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
KEYS = {
    "root": ["capability_name", "version", "description", "steps", "final_output", "state_write"],
    "step": [
        "name",
        "kind",
        "prompt",
        "output_schema",
        "tools",
        "tool_invocations",
        "model",
        "condition",
        "on_failure",
    ],
    "call": ["tool", "args", "store_as", "retry", "on_failure", "for_each", "as"],
    "fixture": ["name", "input", "expected_output", "assertions", "tool_mocks"],
}


def mappings(what: str, **fixed):
    return st.fixed_dictionaries(fixed, optional={key: values for key in KEYS[what] if key not in fixed})


calls = mappings("call") | mappings("call", tool=st.just("web_fetch"))
steps = mappings("step") | mappings("step", kind=st.just("mixed"), tool_invocations=st.lists(calls, max_size=2))
roots = mappings("root") | mappings("root", steps=st.lists(steps | values, max_size=3))


@settings(max_examples=150)
@given(root=roots, schema=values, fixture=values | mappings("fixture"), prompt=st.text(max_size=30))
def test_nothing_that_is_sent_raises(root, schema, fixture, prompt):
    sent = files(
        yaml=json.dumps(root),
        schema=json.dumps(schema),
        fixture=json.dumps(fixture),
        prompt=prompt.encode("utf-8", "replace"),
    )
    for finding in validate(sent, capability_name="greet", granted_tools=[], known_tools=["web_fetch"]):
        assert finding.message.endswith((".", "?"))


def many_steps(count: int, **keys) -> str:
    one = json.loads(step(**keys))["steps"][0]
    return json.dumps({"capability_name": "greet", "steps": [{**one, "name": f"s{n}"} for n in range(count)]})


def test_a_large_schema_that_many_steps_share_is_checked_once():
    large = {"properties": {f"p{n}": {"type": "string", "pattern": "^a", "minLength": 1} for n in range(700)}}
    started = time.process_time()
    assert codes_of(files(schema=large, yaml=many_steps(50, output_schema="schemas/hello.json"))) == []
    assert time.process_time() - started < 1


def test_very_many_schemas_and_very_many_templates_are_too_much_together():
    large = {"properties": {f"p{n}": {"type": "string", "pattern": "^a"} for n in range(700)}}
    some = {f"fixtures/{n}.json": json.dumps({**FIXTURE, "expected_output": large}).encode() for n in range(30)}
    args = {f"a{n}": f"{{{{ inputs.a{n} }}}}" for n in range(4000)}
    started = time.process_time()
    assert "schema_invalid" in codes_of({**files(), **some})
    assert "template_invalid" in codes_of(files(yaml=invocation(args=args)))
    assert time.process_time() - started < 3
