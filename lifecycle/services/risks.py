"""The risk tier of a review, from the versions that it is about."""

from __future__ import annotations

import re
from collections import Counter

from lifecycle.decisions.risk import Change, Risk, risk
from lifecycle.models import Capability, ReviewKind, RiskTier, SkillVersion
from lifecycle.packages.model import Files, Package, PackageInvalid
from lifecycle.services import subjects, versions

TIERS = {"high": RiskTier.HIGH, "medium": RiskTier.MEDIUM, "low": RiskTier.LOW}
_READS = re.compile(r"\binputs\s*(?:\.\s*([A-Za-z_]\w*)|\[\s*['\"]([^'\"\]]+)['\"]\s*\])")


def assess(kind: ReviewKind, *, capability: Capability, version: SkillVersion | None) -> Risk:
    """The tier and its reasons, as of now; a handful of queries at most.

    A version that has served already brings nothing new: what counts then is why people are asked about it again.
    """
    if kind == ReviewKind.FOLLOW_UP:
        return risk(Change(past_a_rule=True))
    if version is None:
        return risk(Change(tools_added=tuple(sorted(capability.granted_tools))))
    puts_back = kind in {ReviewKind.FLAG, ReviewKind.ROLLBACK}
    if puts_back or version.released_at is not None:
        return risk(Change(puts_back=puts_back))
    try:
        return risk(_change(version, subjects.base_of(version)))
    except PackageInvalid:
        return risk(Change(unreadable=True))


def _change(version: SkillVersion, base: SkillVersion | None) -> Change:
    tools = _tools(versions.package_of(version))
    served_before = base is not None and base.released_at is not None
    if base is None:
        return Change(first_release=True, tools_added=tuple(sorted(tools)))
    files, earlier = versions.files_of(version), versions.files_of(base)
    before = _lines(earlier)
    return Change(
        first_release=not served_before,
        tools_added=tuple(sorted(tools - _tools(versions.package_of(base)))),
        inputs_added=tuple(sorted(_inputs(files) - _inputs(earlier))),
        lines_changed=_differing(_lines(files), before),
        lines_before=before.total(),
    )


def _tools(package: Package) -> set[str]:
    named = {tool for step in package.steps for tool in step.tools}
    return named | {invocation.tool for step in package.steps for invocation in step.tool_invocations}


def _inputs(files: Files) -> set[str]:
    """The inputs that prompts and expressions name. Fixtures and schemas read nothing."""
    texts = [content.decode("utf-8", "replace") for path, content in files.items() if not path.endswith(".json")]
    return {dotted or indexed for text in texts for dotted, indexed in _READS.findall(text)}


def _lines(files: Files) -> Counter[str]:
    texts = [content.decode("utf-8", "replace") for content in files.values()]
    return Counter(line.strip() for text in texts for line in text.splitlines() if line.strip())


def _differing(now: Counter[str], before: Counter[str]) -> int:
    return (now - before).total() + (before - now).total()
