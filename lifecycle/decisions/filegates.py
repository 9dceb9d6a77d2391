"""The gates that only read files: is it a package, is it safe, does it give away what is kept to test it.

They read text and run nothing, so that they cost nothing and come first. What they look for is in `safety.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lifecycle.decisions.gates import GateReason, GateResult, Status
from lifecycle.decisions.safety import leaks, scan
from lifecycle.decisions.statistics import count
from lifecycle.decisions.verdict import Reason

MAX_SKILL_CHARS = 15_000

_CODES = {
    "package_missing": "STATIC_PACKAGE_MISSING",
    "frontmatter_missing": "STATIC_FRONTMATTER_MISSING",
    "frontmatter_description": "STATIC_DESCRIPTION_MISSING",
    "tool_unknown": "ALLOWED_TOOLS_POLICY_VIOLATION",
    "tool_not_granted": "ALLOWED_TOOLS_POLICY_VIOLATION",
}
"""Codes of a package's findings that have a code of their own here; all others are STATIC_STRUCTURE_INVALID."""


@dataclass(frozen=True)
class PackageFacts:
    """What the static gate looks at. `characters` counts the text that instructs: all files but fixtures.

    `tools` are the names that the steps and the frontmatter ask for, as `allowed_tools` reads them; `granted` is what
    the capability may use, `known` what is installed here.
    """

    description: object
    characters: object
    tools: Sequence[str] = ()
    granted: Collection[str] = ()
    known: Collection[str] = ()


def static_gate(
    findings: Sequence[Reason], facts: PackageFacts | None, *, max_chars: int = MAX_SKILL_CHARS, strict: bool = False
) -> GateResult:
    """A valid package within its size and its tools. `findings` is what validation found wrong, each a code and a
    sentence; `facts` is None where there is no package to look at."""
    reasons = [_from_finding(finding, strict) for finding in findings]
    if facts is None:
        if not any(reason.code == "STATIC_PACKAGE_MISSING" for reason in reasons):
            reasons.append(GateReason("STATIC_PACKAGE_MISSING", "There is no package to look at.", "BLOCK"))
        return GateResult("static", tuple(reasons), {"findings": len(findings)})
    described = isinstance(facts.description, str) and bool(facts.description.strip(" \t\r\n'\""))
    if not described and not any(reason.code == "STATIC_DESCRIPTION_MISSING" for reason in reasons):
        reasons.append(GateReason("STATIC_DESCRIPTION_MISSING", "The package does not say what it is for.", "BLOCK"))
    size = count(facts.characters)
    if size is None:
        reasons.append(GateReason("SIZE_LIMIT", "Its size is not known."))
    elif size > max_chars:
        reasons.append(GateReason("SIZE_LIMIT", f"{size} characters; {max_chars} are allowed.", "BLOCK"))
    reasons += _tool_reasons(facts, strict)
    figures = {"findings": len(findings), "characters": size, "tools": sorted(set(facts.tools))}
    return GateResult("static", tuple(dict.fromkeys(reasons)), figures)


def allowed_tools(value: object) -> tuple[str, ...]:
    """The names in an `allowed-tools` value after YAML has read it, quoted or not: a text separated by blanks or
    commas, or a list. A blank text, a blank item and what is no text come out as "", which no policy allows; a key
    that is not there (None) asks for nothing."""
    if value is None:
        return ()
    if isinstance(value, str):
        return tuple(value.replace(",", " ").split()) or ("",)
    if isinstance(value, Sequence):
        return tuple(item.strip() if isinstance(item, str) else "" for item in value)
    return ("",)


def safety_gate(
    files: Mapping[str, bytes],
    *,
    models: Mapping[str, str | None],
    aliases: Collection[str],
    strict: bool = False,
) -> GateResult:
    """Nothing dangerous in any file, and no step that pins a model beyond the aliases.

    `models` maps a step's name to the model that it asks for, None where it leaves that to the routing."""
    dangers = scan(files)
    reasons = [GateReason(danger.code, danger.sentence, "BLOCK") for danger in dangers]
    if not files:
        reasons.append(GateReason("SAFETY_NOT_SCANNED", "There are no files to look at."))
    for step, model in models.items():
        if model is not None and model not in aliases:
            message = f"The step {step} asks for the model {model[:80]!r}, which is none of the aliases."
            reasons.append(GateReason("SAFETY_MODEL_OVERRIDE_PRESENT", message, _held(strict)))
    return GateResult("safety", tuple(reasons), {"files": len(files), "dangers": len(dangers)})


def leak_gate(
    files: Mapping[str, bytes], holdout: Mapping[str, str], *, canaries: Mapping[str, str] | None = None
) -> GateResult:
    """No text of a holdout case, and no canary of one, stands in the package's instructions.

    `holdout` maps a case's name to its text (inputs and expected values), `canaries` to the marker that was put into
    it. Without a holdout there is nothing to look for: HOLD; leave the gate out where a version has no holdout yet."""
    marks = canaries or {}
    if not holdout and not marks:
        return GateResult("leak", (GateReason("LEAK_NOT_CHECKED", "There is no holdout case to look for."),))
    found = leaks(files, holdout, marks)
    reasons = tuple(GateReason(leak.code, leak.sentence, "BLOCK") for leak in found)
    return GateResult("leak", reasons, {"cases": len({*holdout, *marks}), "leaks": len(found)})


def _from_finding(finding: Reason, strict: bool) -> GateReason:
    code = _CODES.get(finding.code, "STATIC_STRUCTURE_INVALID")
    status = _held(strict) if code == "ALLOWED_TOOLS_POLICY_VIOLATION" else "BLOCK"
    return GateReason(code, finding.message, status)


def _tool_reasons(facts: PackageFacts, strict: bool) -> Iterator[GateReason]:
    for tool in dict.fromkeys(facts.tools):
        if not tool.strip():
            message = "A blank entry among the allowed tools allows nothing and may be read as everything."
        elif "*" in tool:
            message = f"{tool[:80]!r} allows more than a tool by its name."
        elif tool not in facts.known:
            message = f"There is no tool named {tool[:80]!r}."
        elif tool not in facts.granted:
            message = f"The tool {tool[:80]!r} is not granted to the capability."
        else:
            continue
        yield GateReason("ALLOWED_TOOLS_POLICY_VIOLATION", message, _held(strict))


def _held(strict: bool) -> Status:
    return "BLOCK" if strict else "HOLD"
