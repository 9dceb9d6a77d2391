"""Every rule of a package: a case that keeps it and one that breaks it."""

from __future__ import annotations

import json
import time

import pytest

from lifecycle.packages.validate import validate
from tests.lifecycle.packages.samples import SKILL_YAML, codes_of, files, invocation, step


def test_the_sample_is_valid():
    facts = {"capability_name": "greet", "granted_tools": ["web_fetch"], "known_tools": ["web_fetch", "rss_fetch"]}
    assert validate(files(), **facts) == ()
    assert validate(files(yaml=None), capability_name="greet") == ()


# --- skill.yaml as such -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "value"),
        ("- a", "value"),
        ("just text", "value"),
        ("a: [", "yaml_unreadable"),
        ("a: &a [*a]", "yaml_unreadable"),
        ("x: " + "[" * 200, "yaml_unreadable"),
        (b"\xff", "not_text"),
        ("capability_name: greet", "no_steps"),
        ("capability_name: greet\nsteps: []", "no_steps"),
        ("capability_name: greet\nsteps: {a: b}", "no_steps"),
        ("capability_name: greet\nsteps: [1]", "value"),
        (json.dumps({"capability_name": "greet", "steps": [{"name": "a"}] * 51}), "too_many_steps"),
    ],
)
def test_a_skill_yaml_without_readable_steps_is_a_finding(text, code):
    assert code in codes_of(files(yaml=text))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"capability_name": None}, "value"),
        ({"capability_name": 7}, "value"),
        ({"version": ["1"]}, "value"),
        ({"description": " "}, "value"),
        ({"final_output": 5}, "value"),
        ({"state_write": "seen"}, "value"),
        ({"state_write": ["seen", "seen"]}, "duplicate"),
        ({"owner": "me"}, "unknown_key"),
    ],
)
def test_a_wrong_value_at_the_root_is_a_finding(change, code):
    assert codes_of(files(yaml=json.dumps({**json.loads(step()), **change}))) == [code]


def test_a_finding_names_file_line_and_a_sentence():
    (finding,) = validate(files(yaml=SKILL_YAML.replace("kind: llm", "kind: oracle")))
    assert (finding.path, finding.line) == ("skill.yaml", 13)
    assert finding.message == "`kind` must be llm or tool or mixed."


def test_a_package_for_another_capability_is_a_finding_in_both_forms():
    assert codes_of(files(), capability_name="other") == ["capability_mismatch"]
    assert codes_of(files(yaml=None), capability_name="other") == ["capability_mismatch"]


# --- steps --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["keys", "items", "values", "get", "pop", "update", "copy", "clear", "setdefault"])
def test_a_step_may_not_shadow_a_method_of_mappings(name):
    assert codes_of(files(yaml=step(name=name))) == ["step_name"]


@pytest.mark.parametrize("name", ["", "a b", "a-b", "_a", "1a", "ä", "a" * 65, 7, None, ["a"]])
def test_a_step_needs_a_name_that_can_be_written_in_an_expression(name):
    assert codes_of(files(yaml=step(name=name))) == ["name"]


def test_two_steps_may_not_have_one_name_but_may_share_a_prompt():
    one = json.loads(step())["steps"][0]
    both = {"capability_name": "greet", "steps": [one, one]}
    assert codes_of(files(yaml=json.dumps(both))) == ["duplicate"]
    both["steps"] = [one, {**one, "name": "again"}]
    assert codes_of(files(yaml=json.dumps(both))) == []


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ({"kind": "magic"}, "value"),
        ({"kind": None}, "value"),
        ({"kind": ["llm"]}, "value"),
        ({"prompt": None}, "prompt_missing"),
        ({"kind": "mixed"}, "invocation_missing"),
        ({"kind": "tool", "prompt": None}, "invocation_missing"),
        ({"on_failure": "ignore"}, "value"),
        ({"on_failure": True}, "value"),
        ({"tools": "web_fetch"}, "value"),
        ({"tools": [1]}, "value"),
        ({"tools": ["a", "a"]}, "duplicate"),
        ({"tool_invocations": {"tool": "a"}}, "value"),
        ({"tools": ["a"], "tool_invocations": [{"tool": "a"}]}, "kind_mismatch"),
        ({"model": ["parser"]}, "value"),
        ({"condition": True}, "value"),
        ({"timeout": 5}, "unknown_key"),
    ],
)
def test_a_wrong_value_in_a_step_is_a_finding(keys, code):
    assert code in codes_of(files(yaml=step(**keys)))


@pytest.mark.parametrize("key", ["prompt", "model", "output_schema"])
def test_a_tool_step_has_nothing_that_only_a_model_understands(key):
    keys = {"prompt": None, key: {"type": "object"} if key == "output_schema" else "steps/hello.md"}
    found = step(kind="tool", tools=["a"], tool_invocations=[{"tool": "a"}], **keys)
    assert codes_of(files(yaml=found)) == ["kind_mismatch"]


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ({"tool": None}, "value"),
        ({"tool": 5}, "value"),
        ({"tool": "rss_fetch"}, "tool_not_allowed"),
        ({"args": ["a"]}, "value"),
        ({"store_as": "a-b"}, "name"),
        ({"on_failure": "explode"}, "value"),
        ({"retry": 3}, "value"),
        ({"retry": {"times": 3}}, "unknown_key"),
        ({"retry": {"max_attempts": 0}}, "value"),
        ({"retry": {"max_attempts": 11}}, "value"),
        ({"retry": {"max_attempts": True}}, "value"),
        ({"retry": {"backoff_s": -1}}, "value"),
        ({"retry": {"backoff_s": "1"}}, "value"),
        ({"for_each": ["a"]}, "value"),
        ({"as": "url"}, "value"),
        ({"for_each": "inputs.urls", "as": "state"}, "name"),
        ({"parallel": True}, "unknown_key"),
    ],
)
def test_a_wrong_value_in_a_tool_invocation_is_a_finding(keys, code):
    assert code in codes_of(files(yaml=invocation(**keys)))


@pytest.mark.parametrize("on_failure", ["escalate", "continue", "fail_step", "fail_skill"])
def test_every_known_on_failure_of_an_invocation_is_accepted(on_failure):
    assert codes_of(files(yaml=invocation(on_failure=on_failure, retry={"max_attempts": 10, "backoff_s": 60}))) == []


def test_two_results_of_a_step_may_not_have_one_name():
    calls = [{"tool": "a"}, {"tool": "a"}]
    assert codes_of(files(yaml=step(kind="tool", prompt=None, tools=["a"], tool_invocations=calls))) == ["duplicate"]


# --- tools --------------------------------------------------------------------------------------------------------


def test_a_tool_that_is_not_installed_or_not_granted_is_a_finding():
    assert codes_of(files(), known_tools=["rss_fetch"], granted_tools=["web_fetch"]) == ["tool_unknown"]
    assert codes_of(files(), known_tools=["web_fetch"], granted_tools=[]) == ["tool_not_granted"]
    assert codes_of(files(), granted_tools=["web_fetch"]) == []


# --- prompts and schemas ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("steps/none.md", "file_missing"),
        ("../steps/hello.md", "path_invalid"),
        ("/steps/hello.md", "path_invalid"),
        ("steps\\hello.md", "path_invalid"),
    ],
)
def test_a_prompt_or_schema_that_is_not_in_the_package_is_a_finding(path, code):
    assert codes_of(files(yaml=step(prompt=path))) == [code]
    assert codes_of(files(yaml=step(output_schema=path))) == [code]


@pytest.mark.parametrize("prompt", ["", " \n", b"\xff", "x" * 70_000])
def test_a_prompt_that_is_empty_too_large_or_no_text_is_a_finding(prompt):
    assert codes_of(files(prompt=prompt)) != []


@pytest.mark.parametrize(
    "prompt",
    [
        *("{{ inputs.name", "{% if %}", "{{ ''.__class__ }}", "{% include 'x' %}", "{{ 9 ** 99999 }}", "{{ secret }}"),
        *("{{ " + "(" * 5000, "{% for a in b %}" * 500),
    ],
)
def test_a_prompt_that_does_not_compile_is_a_finding_in_its_own_file(prompt):
    (finding,) = validate(files(prompt=prompt))
    assert (finding.path, finding.code) == ("steps/hello.md", "template_invalid")


@pytest.mark.parametrize(
    ("schema", "code"),
    [
        ("{", "schema_unreadable"),
        ("[]", "schema_unreadable"),
        ('{"a": 1, "a": 2}', "schema_unreadable"),
        ("[" * 60_000, "schema_unreadable"),
        (" " * 70_000 + "{}", "file_too_large"),
        ({"type": "text"}, "schema_invalid"),
        ({"properties": {"a": {"minimum": "one"}}}, "schema_invalid"),
        ({"pattern": "("}, "schema_invalid"),
        ({"pattern": "a{99999999999999}"}, "schema_invalid"),
        ({"$schema": "http://json-schema.org/draft-04/schema#"}, "schema_invalid"),
        ({"$schema": 7}, "schema_invalid"),
        ({"$ref": "https://example.com/schema.json"}, "schema_invalid"),
        ({"$ref": "file:///etc/passwd"}, "schema_invalid"),
        ({"$ref": "#/$defs/none"}, "schema_invalid"),
        ({"$ref": "#"}, "schema_invalid"),
        ({"$defs": {"a": {"allOf": [{"$ref": "#/$defs/b"}]}, "b": {"$ref": "#/$defs/a"}}}, "schema_invalid"),
        ({"$defs": {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(1500)}}, "schema_invalid"),
        ({"enum": list(range(5000))}, "schema_invalid"),
    ],
)
def test_a_schema_that_is_no_usable_schema_is_a_finding(schema, code):
    started = time.process_time()
    assert codes_of(files(schema=schema)) == [code]
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    "schema",
    [
        {"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"a": {}}, "$ref": "#/definitions/a"},
        {"$schema": "https://json-schema.org/draft/2020-12/schema", "prefixItems": [{"type": "null"}]},
        {"properties": {"child": {"$ref": "#"}, "$ref": {"type": "string"}}},
        {"enum": [{"$ref": "not a reference"}]},
        {"$defs": {"a/b": {"anyOf": [{"type": "null"}, {"items": {"$ref": "#/$defs/a~1b"}}]}}, "$ref": "#/$defs/a~1b"},
    ],
)
def test_a_closed_schema_of_either_draft_is_accepted(schema):
    assert codes_of(files(schema=schema)) == []


def test_an_inline_schema_is_checked_too_with_its_line():
    assert codes_of(files(yaml=step(output_schema={"type": "text"}))) == ["schema_invalid"]
    assert codes_of(files(yaml=step(output_schema=5))) == ["value"]
    assert codes_of(files(yaml=step(output_schema={"type": "object"}))) == []


# --- expressions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["state.look.page", "{{ state.look }}", "inputs.name == 'Ada' and state.look"])
def test_an_expression_may_be_bare_or_one_whole_braced_value(text):
    assert codes_of(files(yaml=step(condition=text))) == []
    assert codes_of(files(yaml=json.dumps({**json.loads(step()), "final_output": text}))) == []


@pytest.mark.parametrize("text", ["state.", "a {{ state }}", "{{ state }}{{ inputs }}", "''.__class__", "open", "1 +"])
def test_an_expression_that_does_not_compile_is_a_finding(text):
    assert codes_of(files(yaml=step(condition=text))) == ["expression_invalid"]
    assert codes_of(files(yaml=json.dumps({**json.loads(step()), "final_output": text}))) == ["expression_invalid"]
    assert codes_of(files(yaml=invocation(for_each=text))) == ["expression_invalid"]


def test_the_item_of_a_for_each_is_known_in_its_arguments_and_nowhere_else():
    args = {"url": "{{ link }}", "deep": [{"x": "{{ inputs.a }}"}]}
    assert codes_of(files(yaml=invocation(for_each="inputs.links", args=args, **{"as": "link"}))) == []
    assert codes_of(files(yaml=invocation(args=args))) == ["template_invalid"]


def test_a_broken_template_deep_in_the_arguments_is_found():
    assert codes_of(files(yaml=invocation(args={"a": [{"b": "{{ inputs. }}"}]}))) == ["template_invalid"]
