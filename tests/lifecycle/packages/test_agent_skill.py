"""SKILL.md by the rules of the open Agent Skills specification."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.execution import templates
from lifecycle.packages import agent_skill
from tests.lifecycle.packages.samples import codes


def found(head: str, body: str = "Do it.\n"):
    return codes(agent_skill.parse(f"---\n{head}---\n{body}").findings)


def test_a_full_frontmatter_is_read_as_text():
    skill = agent_skill.parse(
        "---\nname: pdf-tools\ndescription: Reads PDFs.\nlicense: MIT\ncompatibility: Needs a network\n"
        "allowed-tools: web_fetch html_extract\nmetadata:\n  version: 1.10\n  author: Ada\n---\n# Body\n"
    )
    assert skill.findings == ()
    assert skill.frontmatter["metadata"] == {"version": "1.10", "author": "Ada"}
    assert skill.body == "# Body\n"


def test_windows_line_ends_are_read():
    skill = agent_skill.parse("---\r\nname: a\r\ndescription: b\r\n---\r\nBody\r\n")
    assert (skill.findings, skill.frontmatter["name"], skill.body) == ((), "a", "Body\r\n")


@pytest.mark.parametrize("name", ["a", "a-b", "a1-2b", "x" * 64])
def test_a_name_of_lower_case_letters_digits_and_hyphens_is_accepted(name):
    assert found(f"name: {name}\ndescription: x\n") == []


@pytest.mark.parametrize("name", ["A", "-a", "a-", "a--b", "a_b", "a b", "x" * 65, "é", "''", "[a]", "{a: b}"])
def test_any_other_name_is_a_finding(name):
    assert found(f"name: {name}\ndescription: x\n") == ["frontmatter_name"]


def test_a_missing_name_and_a_missing_description_are_findings_both():
    assert found("license: MIT\n") == ["frontmatter_name", "frontmatter_description"]


@pytest.mark.parametrize("description", ["", "''", "'  '", "'\"\"'", "x" * 1025, "[a]"])
def test_a_description_that_is_blank_too_long_or_no_text_is_a_finding(description):
    assert found(f"name: a\ndescription: {description}\n") == ["frontmatter_description"]


def test_a_description_of_1024_characters_is_accepted():
    assert found(f"name: a\ndescription: {'x' * 1024}\n") == []


@pytest.mark.parametrize(
    "line",
    [
        *("license: [MIT]", "compatibility: ''", f"compatibility: {'x' * 501}", "compatibility: [a]"),
        *(
            "metadata: text",
            "metadata: {a: {b: c}}",
            "metadata: {a: [b]}",
            "allowed-tools: {a: b}",
            "allowed-tools: [[a]]",
        ),
    ],
)
def test_an_optional_key_with_another_kind_of_value_is_a_finding(line):
    assert found(f"name: a\ndescription: b\n{line}\n") == ["frontmatter_value"]


@pytest.mark.parametrize(
    "line", ["license: MIT", f"compatibility: {'x' * 500}", "metadata: {a: b}", "allowed-tools: [a, b]"]
)
def test_an_optional_key_with_its_kind_of_value_is_accepted(line):
    assert found(f"name: a\ndescription: b\n{line}\n") == []


def test_an_unknown_key_is_a_finding_with_its_line():
    (finding,) = agent_skill.parse("---\nname: a\ndescription: b\nmodel: big\n---\n").findings
    assert (finding.code, finding.line) == ("frontmatter_key", 4)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "frontmatter_missing"),
        ("# Just text", "frontmatter_missing"),
        ("---\nname: a\n", "frontmatter_missing"),
        ("---\n---\n", "frontmatter_missing"),
        ("---\n- a\n---\n", "frontmatter_missing"),
        ("---\na: [\n---\n", "frontmatter_unreadable"),
        ("---\na: 1\na: 2\n---\n", "frontmatter_unreadable"),
    ],
)
def test_a_frontmatter_that_is_not_there_or_not_readable_is_a_finding(text, code):
    assert codes(agent_skill.parse(text).findings) == [code]


texts = st.text(st.characters(min_codepoint=32, max_codepoint=0xD7FF, exclude_characters="\x7f\x85"), max_size=60)


@given(
    description=texts,
    metadata=st.dictionaries(st.text("abcdef-", min_size=1, max_size=8), texts, max_size=3),
    body=texts,
)
def test_what_is_rendered_is_read_again_as_it_was(description, metadata, body):
    frontmatter = {"metadata": metadata, "name": "a-b", "description": description}
    skill = agent_skill.parse(agent_skill.render(frontmatter, body))
    assert (skill.frontmatter, skill.body) == (frontmatter, body)
    assert next(iter(skill.frontmatter)) == "name"


@given(st.text(alphabet="{}%#ab' \n\"-", max_size=40))
def test_a_body_is_never_run_as_a_template(body):
    rendered = templates.render(agent_skill.prompt(body), inputs={"name": "Ada"}, state={})
    assert rendered.startswith(body.strip()[:20].split("\n")[0].rstrip())
    assert '"Ada"' in rendered


def test_a_body_that_speaks_of_templates_is_kept_word_for_word():
    body = "Write {{ inputs.name }} and {% raw %} and {# note #} and {% endraw %}"
    assert body in templates.render(agent_skill.prompt(body), inputs={}, state={})
