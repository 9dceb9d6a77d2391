"""From files to a Package, in both forms."""

from __future__ import annotations

import json

import pytest

from lifecycle.packages.model import PackageInvalid
from lifecycle.packages.parse import parse
from tests.lifecycle.packages.samples import FIXTURE, SCHEMA, codes, files, invocation, step


def test_a_step_package_is_read_with_its_prompts_schemas_and_fixtures():
    package = parse(files())
    look, hello = package.steps
    assert (package.form, package.capability_name, package.version) == ("steps", "greet", "1.0.0")
    assert (look.kind, look.tools, look.tool_invocations[0].args) == (
        "tool",
        ("web_fetch",),
        {"url": "{{ inputs.url }}"},
    )
    assert (hello.prompt, hello.prompt_path) == ("Greet {{ inputs.name }}.", "steps/hello.md")
    assert (hello.output_schema, package.final_output) == (SCHEMA, "state.hello")
    assert (package.fixtures[0].name, package.fixtures[0].input) == ("ada", {"name": "Ada"})
    assert package.frontmatter["name"] == "greet"


def test_every_key_of_a_tool_invocation_arrives():
    call = {
        "for_each": "inputs.urls",
        "as": "url",
        "args": {"url": "{{ url }}", "options": [1, {"deep": True}]},
        "retry": {"max_attempts": 3, "backoff_s": 0.5},
        "on_failure": "continue",
    }
    (found,) = parse(files(yaml=invocation(**call))).steps[0].tool_invocations
    assert (found.for_each, found.item_name, found.args) == ("inputs.urls", "url", call["args"])
    assert (found.max_attempts, found.backoff_s, found.on_failure, found.store_as) == (3, 0.5, "continue", "page")


def test_what_an_invocation_leaves_out_has_a_default():
    call = [{"tool": "web_fetch"}]
    text = step(kind="tool", prompt=None, tools=["web_fetch"], tool_invocations=call)
    (found,) = parse(files(yaml=text)).steps[0].tool_invocations
    assert (found.args, found.store_as, found.max_attempts, found.on_failure) == ({}, "web_fetch", 1, "escalate")


def test_every_key_of_a_step_arrives():
    text = step(model="parser", condition="inputs.name", on_failure="continue", output_schema={"type": "object"})
    found = parse(files(yaml=text)).steps[0]
    assert (found.model, found.condition, found.continue_on_failure) == ("parser", "inputs.name", True)
    assert found.output_schema == {"type": "object"}


def test_the_keys_of_the_whole_skill_arrive():
    text = json.dumps({**json.loads(step()), "version": 2, "state_write": ["seen"], "final_output": "state.hello"})
    package = parse(files(yaml=text))
    assert (package.version, package.state_write, package.final_output) == ("2", ("seen",), "state.hello")
    assert package.description == "Greets somebody by name. Use it for greetings."  # from SKILL.md


def test_a_skill_md_alone_is_one_model_step_that_answers_the_inputs():
    package = parse(files(yaml=None, prompt=None, schema=None))
    (answer,) = package.steps
    assert (package.form, package.capability_name, package.final_output) == ("agent_skill", "greet", "state.answer")
    assert (answer.name, answer.kind, answer.output_schema) == ("answer", "llm", None)
    assert answer.prompt.startswith("Say hello.")
    assert "{{ inputs | tojson }}" in answer.prompt
    assert [case.name for case in package.fixtures] == ["ada"]


def test_a_skill_md_names_its_capability_by_metadata_or_by_its_name_with_underscores():
    head = "---\nname: say-hello\ndescription: x\n"
    assert parse(files(yaml=None, md=f"{head}---\nx")).capability_name == "say_hello"
    named = parse(files(yaml=None, md=f"{head}metadata:\n  capability: greet\n  version: 1.0\n---\nx"))
    assert (named.capability_name, named.version) == ("greet", "1.0")


def test_a_package_without_skill_md_has_no_frontmatter():
    assert parse(files(md=None)).frontmatter == {}


def test_a_package_with_neither_form_is_refused():
    with pytest.raises(PackageInvalid) as caught:
        parse(files(yaml=None, md=None))
    assert codes(caught.value.findings) == ["package_missing"]


def test_a_refusal_carries_every_finding_with_file_and_line():
    with pytest.raises(PackageInvalid) as caught:
        parse(files(yaml="capability_name: greet\nsteps:\n  - name: a b\n    kind: magic\nowner: me\n", schema="{"))
    assert [(finding.path, finding.line, finding.code) for finding in caught.value.findings] == [
        ("skill.yaml", 5, "unknown_key"),
        ("skill.yaml", 3, "name"),
        ("skill.yaml", 4, "value"),
    ]
    assert "skill.yaml: " in str(caught.value)


def test_a_fixture_keeps_its_name_expectations_and_mocks():
    fixture = {**FIXTURE, "name": "Ada is greeted", "tool_mocks": [{"tool": "web_fetch", "error": "It is gone."}]}
    (case,) = parse(files(fixture=fixture)).fixtures
    assert (case.name, case.tool_mocks[0]["error"]) == ("Ada is greeted", "It is gone.")
    assert case.assertions == ({"path": "text", "op": "contains", "value": "Ada"},)
