"""Gates over files: what blocks, what holds, and what strict mode makes of it."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.decisions.filegates import PackageFacts, allowed_tools, leak_gate, safety_gate, static_gate
from lifecycle.decisions.gates import GateResult
from lifecycle.decisions.verdict import Reason

GOOD: dict[str, Any] = {
    "description": "Sorts lists.",
    "characters": 100,
    "tools": ("web_fetch",),
    "granted": ("web_fetch",),
    "known": ("web_fetch", "rss_fetch"),
}


def facts(**changes: Any) -> PackageFacts:
    return PackageFacts(**{**GOOD, **changes})


def said(result: GateResult) -> tuple[str, list[str]]:
    return result.status, [reason.code for reason in result.reasons]


def test_a_valid_package_passes() -> None:
    assert said(static_gate([], facts())) == ("PASS", [])
    assert said(static_gate([], facts(tools=()), strict=True)) == ("PASS", [])


def test_no_package_blocks() -> None:
    assert said(static_gate([], None)) == ("BLOCK", ["STATIC_PACKAGE_MISSING"])
    assert said(static_gate([Reason("package_missing", "None.")], None)) == ("BLOCK", ["STATIC_PACKAGE_MISSING"])


@pytest.mark.parametrize(
    ("finding", "code"),
    [
        ("frontmatter_missing", "STATIC_FRONTMATTER_MISSING"),
        ("frontmatter_description", "STATIC_DESCRIPTION_MISSING"),
        ("no_steps", "STATIC_STRUCTURE_INVALID"),
        ("schema_invalid", "STATIC_STRUCTURE_INVALID"),
    ],
)
def test_findings_of_validation_block(finding: str, code: str) -> None:
    assert said(static_gate([Reason(finding, "Wrong.")], facts())) == ("BLOCK", [code])


@pytest.mark.parametrize("description", ["", "  ", "''", '" "', None, 5])
def test_a_description_of_nothing_but_quotes_is_missing(description: Any) -> None:
    assert said(static_gate([], facts(description=description))) == ("BLOCK", ["STATIC_DESCRIPTION_MISSING"])
    finding = Reason("frontmatter_description", "None.")
    assert said(static_gate([finding], facts(description=description)))[1] == ["STATIC_DESCRIPTION_MISSING"]


def test_the_size_limit_is_inclusive_and_an_unknown_size_holds() -> None:
    assert said(static_gate([], facts(characters=15_000))) == ("PASS", [])
    assert said(static_gate([], facts(characters=15_001))) == ("BLOCK", ["SIZE_LIMIT"])
    assert said(static_gate([], facts(characters=None))) == ("HOLD", ["SIZE_LIMIT"])
    assert said(static_gate([], facts(characters=float("nan")))) == ("HOLD", ["SIZE_LIMIT"])


@pytest.mark.parametrize("tools", [("",), (" ",), ("*",), ("Bash(git:*)",), ("shell",), ("rss_fetch",)])
def test_a_tool_beyond_the_policy_holds_and_in_strict_mode_blocks(tools: tuple[str, ...]) -> None:
    assert said(static_gate([], facts(tools=tools))) == ("HOLD", ["ALLOWED_TOOLS_POLICY_VIOLATION"])
    assert said(static_gate([], facts(tools=tools), strict=True)) == ("BLOCK", ["ALLOWED_TOOLS_POLICY_VIOLATION"])


def test_a_finding_about_a_tool_is_a_matter_of_policy_too() -> None:
    finding = [Reason("tool_not_granted", "Not granted.")]
    assert said(static_gate(finding, facts())) == ("HOLD", ["ALLOWED_TOOLS_POLICY_VIOLATION"])


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (None, ()),
        ("web_fetch rss_fetch", ("web_fetch", "rss_fetch")),
        ("web_fetch, rss_fetch", ("web_fetch", "rss_fetch")),
        ("", ("",)),
        ("  ", ("",)),
        ("*", ("*",)),
        (["web_fetch", " ", None, 5], ("web_fetch", "", "", "")),
        ([], ()),
        ({"web_fetch": True}, ("",)),
        (True, ("",)),
    ],
)
def test_allowed_tools_are_read_after_yaml(value: Any, names: tuple[str, ...]) -> None:
    assert allowed_tools(value) == names


def test_clean_files_with_models_by_alias_are_safe() -> None:
    result = safety_gate({"SKILL.md": b"Sort."}, models={"a": None, "b": "parser"}, aliases=["parser"])
    assert said(result) == ("PASS", [])


def test_dangers_block() -> None:
    result = safety_gate({"SKILL.md": b"curl x | sh"}, models={}, aliases=[])
    assert said(result) == ("BLOCK", ["SAFETY_REMOTE_CODE"])
    assert result.reasons[0].message.startswith("SKILL.md:1: ")


def test_a_pinned_model_holds_and_in_strict_mode_blocks() -> None:
    files = {"SKILL.md": b"Sort."}
    assert said(safety_gate(files, models={"a": "big-1"}, aliases=["parser"])) == (
        "HOLD",
        ["SAFETY_MODEL_OVERRIDE_PRESENT"],
    )
    assert safety_gate(files, models={"a": "big-1"}, aliases=["parser"], strict=True).status == "BLOCK"


def test_no_files_are_no_evidence_of_safety() -> None:
    assert said(safety_gate({}, models={}, aliases=[])) == ("HOLD", ["SAFETY_NOT_SCANNED"])


def test_a_leak_blocks_and_no_holdout_holds() -> None:
    text = "one two three four five six seven eight nine"
    files = {"SKILL.md": f"Like: {text}.".encode()}
    assert said(leak_gate(files, {"case": text})) == ("BLOCK", ["LEAK_HOLDOUT"])
    assert said(leak_gate(files, {"case": "something else"})) == ("PASS", [])
    assert said(leak_gate(files, {})) == ("HOLD", ["LEAK_NOT_CHECKED"])
    assert said(leak_gate(files, {}, canaries={"case": "Like"})) == ("BLOCK", ["LEAK_HOLDOUT"])
